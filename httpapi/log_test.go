package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store/storetest"
	"aifi-audit/store/translog"
)

// sequenced waits for a checkpoint of at least a size.
func (s *server) sequenced(t testing.TB, size int64) translog.Checkpoint {
	t.Helper()
	for {
		select {
		case c := <-s.checkpoints:
			if c.N >= size {
				return c
			}
		case <-t.Context().Done():
			t.Fatalf("no checkpoint of %d leaves", size)
		}
	}
}

type inclusionAnswer struct {
	Checkpoint string
	Leaves     []struct {
		Kind   string
		Index  int64
		Record []byte
		Hash   tlog.Hash
		Proof  []tlog.Hash
	}
}

func TestProofs(t *testing.T) {
	s := serve(t)
	var ids []string
	for i := range 5 {
		a := s.push(t, "tracking", fmt.Sprintf(`{"storeId":7,"eventId":"%d"}`, i))
		ids = append(ids, a.json(t)["deliveryId"].(string))
	}
	s.sequenced(t, 5)
	for _, id := range ids {
		a := s.get(t, "/api/v1/log/proofs/inclusion?deliveryId="+id)
		var p inclusionAnswer
		if err := json.Unmarshal(a.body, &p); err != nil || a.status != http.StatusOK || len(p.Leaves) != 1 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		c, err := s.verifier.Open([]byte(p.Checkpoint))
		if err != nil {
			t.Fatal(err)
		}
		l := p.Leaves[0]
		if err := tlog.CheckRecord(l.Proof, c.N, c.Hash, l.Index, tlog.RecordHash(l.Record)); err != nil {
			t.Error(err)
		}
		leaf, err := translog.ParseLeaf(l.Record)
		if err != nil || leaf.ID.String() != id || leaf.StoreID != 7 || leaf.Webhook != "tracking" {
			t.Errorf("%+v, %v", leaf, err)
		}
	}
	a := s.get(t, "/api/v1/log/proofs/consistency?from=2&to=5")
	var p struct {
		FromRootHash, ToRootHash tlog.Hash
		Proof                    []tlog.Hash
	}
	if err := json.Unmarshal(a.body, &p); err != nil || a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if err := tlog.CheckTree(p.Proof, 5, p.ToRootHash, 2, p.FromRootHash); err != nil {
		t.Error(err)
	}
	if got := s.get(t, "/api/v1/log").json(t); got["state"] != "running" || got["size"] != 5.0 {
		t.Error(got)
	}
}

// A mirror reads the tree with nothing but the public paths and the key.
func TestMirrorsReadTiles(t *testing.T) {
	s := serve(t)
	const leaves = 300
	for i := range leaves {
		s.push(t, "tracking", fmt.Sprintf(`{"storeId":7,"eventId":"%d"}`, i))
	}
	s.sequenced(t, leaves)
	public := func(path string) answer { return s.do(t, http.MethodGet, "/log/"+path, "", nil) }
	c, err := s.verifier.Open(public("checkpoint").body)
	if err != nil || c.N != leaves {
		t.Fatal(c, err)
	}
	r := translog.NewReader(c.Tree, func(tiles []tlog.Tile) ([][]byte, error) {
		var all [][]byte
		for _, tile := range tiles {
			a := public("tile/" + strings.TrimPrefix(tile.Path(), "tile/8/"))
			if a.status != http.StatusOK {
				return nil, fmt.Errorf("%s: %d %s", tile.Path(), a.status, a.body)
			}
			all = append(all, a.body)
		}
		return all, nil
	})
	for _, i := range []int64{0, 255, 256, leaves - 1} {
		if _, _, err := r.Leaf(i); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"0/001", "0/001.p/45", "1/000.p/2", "0/2", "9/000", "0/002", "0/", "x/000", "0/-01", "0/000.p/", "entries/000", "0/..%2f000"} {
		if a := public("tile/" + bad); a.status != http.StatusNotFound {
			t.Errorf("%s is %d", bad, a.status)
		}
	}
	if a := s.get(t, "/api/v1/log/checkpoint"); a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Error(a)
	}
}

func TestWhatProofsRefuse(t *testing.T) {
	s := serve(t)
	if a := s.get(t, "/api/v1/log/checkpoint"); a.status != http.StatusNotFound || !strings.Contains(string(a.body), "no-log") {
		t.Errorf("%d %s", a.status, a.body)
	}
	id := s.push(t, "tracking", `{"storeId":8}`).json(t)["deliveryId"].(string)
	s.sequenced(t, 2) // one is of the access log
	const unknown = "019a0a6e-5f3c-7a10-8b1e-3f1d2c4b5a69"
	for path, want := range map[string]int{
		"inclusion": 400, "inclusion?deliveryId=": 400, "inclusion?deliveryId=x": 400, "inclusion?deliveryId=" + id + "&x=1": 400,
		"inclusion?deliveryId=" + id + "&deliveryId=" + id: 400, "inclusion?deliveryId=" + unknown: 404,
		"consistency": 400, "consistency?from=0": 400, "consistency?from=-1": 400, "consistency?from=100000": 400, "consistency?from=1&to=100000": 400,
		"consistency?from=x": 400, "consistency?from=1&to=99999999999999999999": 400, "consistency?from=1": 200,
	} {
		if a := s.get(t, "/api/v1/log/proofs/"+path); a.status != want {
			t.Errorf("%s is %d, want %d: %s", path, a.status, want, a.body)
		}
	}
	path := "/api/v1/log/proofs/inclusion?deliveryId=" + id
	for name, token := range map[string]string{"ingest": s.ingest, "admin": s.admin} {
		if a := s.do(t, http.MethodGet, path, token, nil); a.status != http.StatusForbidden {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if a := s.do(t, http.MethodGet, path, s.shop7, nil); a.status != http.StatusNotFound {
		t.Errorf("of another store: %d", a.status)
	}
	// What was changed is not proven.
	storetest.SQL(t, s.database, "SET session_replication_role = replica", "UPDATE deliveries SET path = '/'")
	if a := s.get(t, path); a.status != http.StatusInternalServerError || !strings.Contains(string(a.body), "tampered") {
		t.Errorf("%d %s", a.status, a.body)
	}
	storetest.SQL(t, s.database, "SET session_replication_role = replica", "UPDATE log_leaves SET hashes = sha256(hashes)")
	if a := s.get(t, path); a.status != http.StatusInternalServerError {
		t.Errorf("%d %s", a.status, a.body)
	}
}
