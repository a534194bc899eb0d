package httpapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store/storetest"
)

// A mirror by another implementation of c2sp.org/tlog-tiles reads the tree.
func TestAnotherImplementationMirrors(t *testing.T) {
	s := serve(t)
	const leaves = 600
	ids := make([]string, leaves)
	for i := range leaves {
		ids[i] = s.push(t, "tracking", fmt.Sprintf(`{"storeId":7,"eventId":"%d"}`, i)).json(t)["deliveryId"].(string)
	}
	s.sequenced(t, leaves)
	fetcher, err := torchwood.NewTileFetcher(s.URL+"/log", torchwood.WithHTTPClient(http.DefaultClient))
	if err != nil {
		t.Fatal(err)
	}
	note, err := fetcher.ReadEndpoint(t.Context(), "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.verifier.Open(note); err != nil {
		t.Fatal(err)
	}
	c, err := torchwood.ParseCheckpoint(string(note[:len(note)-len(signatures(note))]))
	if err != nil || c.N != leaves {
		t.Fatal(c, err)
	}
	hashes := torchwood.TileHashReaderWithContext(t.Context(), c.Tree, fetcher)
	root, err := tlog.TreeHash(c.N, hashes)
	if err != nil || root != c.Hash {
		t.Errorf("the tiles make %s, %v", root, err)
	}
	proof, err := tlog.ProveTree(c.N, 300, hashes)
	if err != nil || len(proof) == 0 {
		t.Error(err)
	}
	for _, i := range []int64{0, 255, 256, leaves - 1} {
		proof, err := tlog.ProveRecord(c.N, i, hashes)
		if err != nil {
			t.Fatal(err)
		}
		h, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, i)})
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(proof, c.N, c.Hash, i, h[0]); err != nil {
			t.Error(err)
		}
	}
	// Generated clients write a slash within a part of a path as %2F.
	if plain, escaped := s.get(t, "/log/tile/0/000.p/5"), s.get(t, "/log/tile/0/000.p%2F5"); plain.status != http.StatusOK || !bytes.Equal(plain.body, escaped.body) {
		t.Errorf("%d %q, %d %q", plain.status, plain.body, escaped.status, escaped.body)
	}
	// It notices a tile that was changed.
	storetest.SQL(t, s.database, "SET session_replication_role = replica", "UPDATE log_tiles SET root = sha256(root) WHERE level = 0 AND n = 1")
	if _, err := torchwood.TileHashReaderWithContext(t.Context(), c.Tree, fetcher).ReadHashes([]int64{0}); err == nil {
		t.Error("a changed tile is taken")
	}
}

// forged is a checkpoint by somebody who has not the key.
func forged(t testing.TB, size int64) string {
	t.Helper()
	signer, _ := storetest.LogKeys(t)
	c, err := signer.Sign(tlog.Tree{N: size})
	if err != nil {
		t.Fatal(err)
	}
	return string(c.Note)
}

// signatures are what follows the text of a note.
func signatures(note []byte) []byte {
	for i := range note {
		if note[i] == '\n' && note[i+1] == '\n' {
			return note[i+1:]
		}
	}
	return nil
}

// What somebody with all rights does to the database, and what then comes of a read of
// evidence: never what was changed.
func TestTamperedEvidenceIsNotServed(t *testing.T) {
	const (
		delivery  = "/api/v1/deliveries/{id}/body"
		inclusion = "/api/v1/log/proofs/inclusion?deliveryId={id}"
		pack      = "/api/v1/alcohol-interactions/evidence"
		grown     = "/api/v1/log/proofs/consistency?from=3"
	)
	stranger := forged(t, 300)
	for name, c := range map[string]struct {
		sql     string
		refused map[string]string // what is refused, and the type of the problem
	}{
		"a body is edited": {
			`UPDATE delivery_bodies SET body = 'x', encoding = 0 WHERE delivery_id = '{id}'`, map[string]string{delivery: "altered", inclusion: "tampered", pack: "tampered"},
		},
		"a body cannot be decompressed": {
			`UPDATE delivery_bodies SET body = substr(body, 1, length(body) - 4) WHERE delivery_id = '{id}'`, map[string]string{delivery: "altered", inclusion: "tampered", pack: "tampered"},
		},
		"a body and its SHA-256 are edited": {
			`UPDATE delivery_bodies SET body = 'x', encoding = 0 WHERE delivery_id = '{id}'; UPDATE deliveries SET body_sha256 = sha256('x') WHERE id = '{id}'`,
			map[string]string{delivery: "tampered", inclusion: "tampered", pack: "tampered"},
		},
		"a row is edited": {
			`UPDATE deliveries SET path = '/' WHERE id = '{id}'`, map[string]string{delivery: "tampered", inclusion: "tampered", pack: "tampered"},
		},
		"what it states is edited": {
			`UPDATE events SET shopper_id = 'x' WHERE delivery_id = '{id}'`, map[string]string{delivery: "tampered", inclusion: "tampered", pack: "tampered"},
		},
		"two bodies are swapped": {
			`UPDATE delivery_bodies b SET body = o.body, encoding = o.encoding, secret = o.secret FROM delivery_bodies o WHERE b.delivery_id = '{id}' AND o.delivery_id = (SELECT id FROM deliveries ORDER BY id DESC LIMIT 1)`,
			map[string]string{delivery: "altered", inclusion: "tampered", pack: "tampered"},
		},
		"a leaf is edited": {
			`UPDATE log_leaves SET hashes = sha256(hashes) || substr(hashes, 33)`,
			map[string]string{delivery: "log-damaged", inclusion: "log-damaged", pack: "log-damaged", grown: "log-damaged"},
		},
		"two leaves are swapped": {
			`UPDATE log_leaves SET ids = substr(ids, 18, 17) || substr(ids, 1, 17) || substr(ids, 35), hashes = substr(hashes, 33, 32) || substr(hashes, 1, 32) || substr(hashes, 65) WHERE length(ids) > 17`,
			map[string]string{delivery: "log-damaged", inclusion: "log-damaged", pack: "log-damaged"},
		},
		"a tile is edited": {
			`UPDATE log_tiles SET root = sha256(root)`, map[string]string{delivery: "log-damaged", inclusion: "log-damaged", pack: "log-damaged", grown: "log-damaged"},
		},
		"the tail is cut off": {
			`DELETE FROM log_leaves WHERE first_index > 255`, map[string]string{delivery: "log-damaged", inclusion: "log-damaged", pack: "log-damaged", grown: "log-damaged"},
		},
		"the checkpoint is edited": {
			`UPDATE log_state SET checkpoint = set_byte(checkpoint, 30, get_byte(checkpoint, 30) # 1)`,
			map[string]string{delivery: "log-damaged", inclusion: "log-damaged", pack: "log-damaged", grown: "log-damaged", "/api/v1/log/checkpoint": "log-damaged"},
		},
		"the log is signed by another key": {
			`UPDATE log_state SET checkpoint = convert_to('` + stranger + `', 'UTF8')`,
			map[string]string{delivery: "log-damaged", inclusion: "log-damaged", pack: "log-damaged", grown: "log-damaged", "/api/v1/log/checkpoint": "log-damaged"},
		},
		"a cosigned checkpoint is edited": {
			`INSERT INTO log_cosignatures VALUES (3, 'w+00000000', '', now()); DELETE FROM log_checkpoints; INSERT INTO log_checkpoints VALUES (3, 'x', now())`,
			map[string]string{pack: "log-damaged", "/log/checkpoint/cosigned": "log-damaged"},
		},
		"a delivery is deleted": {
			`DELETE FROM deliveries WHERE id = '{id}'`, map[string]string{delivery: "not-found", inclusion: "not-found"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			var id string
			for i := range 300 {
				a := s.push(t, "restricted-products-interactions", fmt.Sprintf(`{"storeId":7,"sessionId":"s","eventId":"%d","timeOfOrigin":"2026-01-02T03:04:05Z","productIds":["p"]}`, i))
				if i == 0 {
					id = a.json(t)["deliveryId"].(string)
				}
			}
			s.sequenced(t, 300)
			storetest.SQL(t, s.database, "SET session_replication_role = replica; "+strings.ReplaceAll(c.sql, "{id}", id))
			for path, want := range c.refused {
				a := s.get(t, strings.ReplaceAll(path, "{id}", id))
				if got := a.json(t)["type"]; got != "urn:aifi-audit:problem:"+want {
					t.Errorf("%s: %d %v, want %s", path, a.status, got, want)
				}
			}
		})
	}
}
