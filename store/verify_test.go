package store_test

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"filippo.io/torchwood"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	sumdb "golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/bodycodec"
	"aifi-audit/store/storetest"
	"aifi-audit/store/translog"
	"aifi-audit/store/verify"
)

const registration = `{"storeId":7,"token":"t%d","tokenType":"qr","timeOfOrigin":"2026-01-02T03:04:05Z","customer":{"id":%d},
	"customerPersonalInfo":{"email":"a%d@example.com","firstName":"A","lastName":"B","phone":"1"}}`

// The victims: deliveries that the matrix changes. They were received first, and so
// lie in the first, complete, tile of the log; last and lastTwin in the incomplete one.
const (
	victim   = iota // an interaction
	twin            // another
	repeated        // states what victim states
	register        // a registration
	notJSON         // in quarantine
	replayed        // was in quarantine
	last            // an interaction
	lastTwin        // another
	victims
)

// matrix is a database in which everything is to be found: two complete tiles and
// a part of one. It returns the ids of the victims.
func matrix(t testing.TB) (d signed, ids [victims]uuid.UUID) {
	t.Helper()
	d = newSigned(t)
	// What a part records is sequenced at once, and so is one row of log_leaves.
	d.queue(t, func(s *store.Store) {
		for i, body := range []string{alcohol(0), alcohol(1), alcohol(0)} {
			ids[i] = recordOne(t, s, aifi.RestrictedProductsInteractions, body, store.Scope{})
		}
		named := strings.Replace(registration, `"storeId":7`, `"storeId":7,"storeExternalId":"shop 7"`, 1)
		ids[register] = recordOne(t, s, aifi.RemoteRegister, fmt.Sprintf(named, 1, 1, 1), store.Scope{})
		ids[notJSON] = recordOne(t, s, aifi.SuspectedFraud, "not JSON", store.Scope{})
		ids[replayed] = recordOne(t, s, aifi.RestrictedProductsInteractions, alcohol(2), store.OnlyStores([]int64{8}))
	})
	d.sequence(t, 6)
	d.queue(t, func(s *store.Store) {
		recordAll(t, s, alcohols(10, 594)...)
		if _, err := s.Replay(t.Context(), store.Scope{}, ids[replayed]); err != nil {
			t.Fatal(err)
		}
	})
	d.sequence(t, 601)
	d.queue(t, func(s *store.Store) {
		ids[last] = recordOne(t, s, aifi.RestrictedProductsInteractions, alcohol(1000), store.Scope{})
		ids[lastTwin] = recordOne(t, s, aifi.RestrictedProductsInteractions, alcohol(1001), store.Scope{})
		if err := s.LogAccess(t.Context(), store.Access{TokenID: 1, Action: "search", Path: "/", Query: "storeId=7", Status: 200}); err != nil {
			t.Fatal(err)
		}
	})
	s, published := d.open(t)
	defer s.Close()
	d.cosign(t, s, wait(t, published, 604))
	return d, ids
}

// queue records by a store without a key: the leaves wait.
func (d signed) queue(t testing.TB, record func(*store.Store)) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: d.url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	record(s)
}

// sequence signs what waits.
func (d signed) sequence(t testing.TB, size int64) {
	t.Helper()
	s, published := d.open(t)
	defer s.Close()
	wait(t, published, size)
}

// cosign has a witness cosign a checkpoint.
func (d *signed) cosign(t testing.TB, s *store.Store, c translog.Checkpoint) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := torchwood.NewCosignatureSigner("witness.example.com/w1", private)
	if err != nil {
		t.Fatal(err)
	}
	w, err := translog.NewWitness(signer.Verifier().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := sumdb.Open(c.Note, sumdb.VerifierList(d.verifiers(t)...))
	if err != nil {
		t.Fatal(err)
	}
	cosigned, err := sumdb.Sign(n, signer)
	if err != nil {
		t.Fatal(err)
	}
	said, err := w.Cosignature(cosigned)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.KeepCosignature(t.Context(), c, w, said); err != nil {
		t.Fatal(err)
	}
	d.witnesses = append(d.witnesses, w)
}

// verifiers are the log's keys, for package note of sumdb.
func (d signed) verifiers(t testing.TB) []sumdb.Verifier {
	t.Helper()
	v, err := sumdb.NewVerifier(d.public)
	if err != nil {
		t.Fatal(err)
	}
	return []sumdb.Verifier{v}
}

func recordOne(t testing.TB, s *store.Store, w aifi.Webhook, body string, scope store.Scope) uuid.UUID {
	t.Helper()
	del := deliver(t, w, body)
	del.TokenScope = scope
	record(t, s, del)
	return del.ID
}

// verified gives the findings, each as "CLASS what", with the name of its victim.
func verified(t testing.TB, d signed, ids [victims]uuid.UUID, o verify.Options) (verify.Result, []string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: d.url, Log: store.LogConfig{Verifier: d.verifier(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var found []string
	o.Witnesses = d.witnesses
	o.Found = func(f verify.Finding) {
		text := string(f.Class) + " " + f.What
		if f.Object != "" {
			text += " " + f.Object
		}
		if f.DeliveryID != nil {
			text += fmt.Sprint(" of ", slices.Index(ids[:], *f.DeliveryID))
		}
		if f.Leaf != nil && f.DeliveryID == nil && f.AccessID == nil {
			text += fmt.Sprint(" at ", *f.Leaf)
		}
		if strings.HasPrefix(f.What, "tile") {
			text += ": " + f.Detail
		}
		found = append(found, text)
	}
	result, err := s.Verify(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(found, cmp.Compare)
	return result, found
}

func TestTheMatrixIsClean(t *testing.T) {
	d, ids := matrix(t)
	result, found := verified(t, d, ids, verify.Options{})
	if len(found) > 0 || !result.Clean() || result.Leaves != 604 || result.Size != 604 || result.Waiting != 0 {
		t.Errorf("%+v: %q", result, found)
	}
	// Only what came after is opened the next time.
	again, found := verified(t, d, ids, verify.Options{From: tlog.Tree{N: 600, Hash: prefix(t, d, 600)}})
	if len(found) > 0 || again.Leaves != 604-512 {
		t.Errorf("%+v: %q", again, found)
	}
}

func prefix(t testing.TB, d signed, size int64) tlog.Hash {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: d.url, Log: store.LogConfig{Verifier: d.verifier(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	older, _, _, _, err := s.ProveGrowth(t.Context(), size, 0)
	if err != nil {
		t.Fatal(err)
	}
	return older.Hash
}

// tamper is a row of the matrix: what somebody with all rights does to the database,
// and what verify says. %[1]s and so on are the ids of the victims.
type tamper struct {
	sql  string
	want []string
}

var tampers = map[string]tamper{
	"a body is edited": {
		`UPDATE delivery_bodies SET body = '` + strings.Replace(alcohol(1), `"q"`, `"r"`, 1) + `', encoding = 0 WHERE delivery_id = '%[2]s'`,
		[]string{"TAMPERED body of 1"},
	},
	"a body is edited, and compressed again": {
		`UPDATE delivery_bodies SET body = ` + compressed(strings.Replace(alcohol(1), `"q"`, `"r"`, 1)) + ` WHERE delivery_id = '%[2]s'`,
		[]string{"TAMPERED body of 1"},
	},
	"a compressed body is said to be verbatim": {
		`UPDATE delivery_bodies SET encoding = 0 WHERE delivery_id = '%[2]s'`, []string{"TAMPERED body of 1"},
	},
	"a verbatim body is said to be compressed": {
		`UPDATE delivery_bodies SET encoding = 1 WHERE delivery_id = '%[5]s'`, []string{"TAMPERED body of 4"},
	},
	"a compressed body is cut off": {
		`UPDATE delivery_bodies SET body = substr(body, 1, length(body) - 4) WHERE delivery_id = '%[2]s'`, []string{"TAMPERED body of 1"},
	},
	"how a body is compressed is not known": {
		`UPDATE delivery_bodies SET encoding = 2 WHERE delivery_id = '%[2]s'`, []string{"TAMPERED body of 1"},
	},
	"a body says that it is of an exabyte": {
		`UPDATE delivery_bodies SET body = '\x28b52ffde00000000000000010010000' WHERE delivery_id = '%[2]s'`, []string{"TAMPERED body of 1"},
	},
	"a body is of nothing but zeros, and larger than it says": {
		`UPDATE delivery_bodies SET body = '\x28b52ffd2001' || decode(repeat('02000800', 1000) || '03000800', 'hex') WHERE delivery_id = '%[2]s'`, []string{"TAMPERED body of 1"},
	},
	"a body and its SHA-256 are edited": {
		`UPDATE delivery_bodies SET body = 'x', encoding = 0 WHERE delivery_id = '%[2]s'; UPDATE deliveries SET body_sha256 = sha256('x'), body_size = 1 WHERE id = '%[2]s'`,
		[]string{"TAMPERED row of 1"},
	},
	"a quarantined body is edited": {
		`UPDATE delivery_bodies SET body = 'x' WHERE delivery_id = '%[5]s'`, []string{"TAMPERED body of 4"},
	},
	"two bodies are swapped": {
		`UPDATE delivery_bodies SET body = b.body, encoding = b.encoding, secret = b.secret FROM delivery_bodies b WHERE delivery_bodies.delivery_id IN ('%[1]s', '%[2]s')
			AND b.delivery_id IN ('%[1]s', '%[2]s') AND b.delivery_id <> delivery_bodies.delivery_id`,
		[]string{"TAMPERED body of 0", "TAMPERED body of 1"},
	},
	"what a delivery shares with others is edited": {
		`INSERT INTO request_heads SELECT gen_random_uuid(), 'x', path, headers FROM request_heads WHERE id = (SELECT head_id FROM deliveries WHERE id = '%[2]s');
		 UPDATE deliveries SET head_id = (SELECT id FROM request_heads WHERE remote_addr = 'x') WHERE id = '%[2]s'`,
		[]string{"TAMPERED row of 1"},
	},
	"what a delivery shares with others is gone": {
		`UPDATE deliveries SET head_id = gen_random_uuid() WHERE id = '%[2]s' AND head_id IS NOT NULL`, []string{"TAMPERED row of 1"},
	},
	"an event's products are edited": {
		`UPDATE events SET product_ids = '{p,q}' WHERE delivery_id = '%[2]s'`, []string{"TAMPERED event of 1"},
	},
	"an event's time is edited": {
		`UPDATE events SET occurred_at = occurred_at + interval '1 hour' WHERE delivery_id = '%[2]s';
		 UPDATE event_flags SET occurred_at = occurred_at + interval '1 hour' WHERE event_id = (SELECT id FROM events WHERE delivery_id = '%[2]s');
		 UPDATE event_products SET occurred_at = occurred_at + interval '1 hour' WHERE event_id = (SELECT id FROM events WHERE delivery_id = '%[2]s');
		 UPDATE event_gondolas SET occurred_at = occurred_at + interval '1 hour' WHERE event_id = (SELECT id FROM events WHERE delivery_id = '%[2]s');
		 UPDATE deliveries SET event_occurred_at = event_occurred_at + interval '1 hour' WHERE id = '%[2]s'`,
		[]string{"MISSING catalogue", "TAMPERED event of 1"},
	},
	"an event that two deliveries state is edited": {
		`UPDATE events SET shopper_id = 'y' WHERE delivery_id = '%[1]s'`, []string{"TAMPERED event of 0", "TAMPERED event of 2"},
	},
	"an event is said to come from another delivery": {
		`UPDATE events SET delivery_id = '%[3]s', received_at = (SELECT received_at FROM deliveries WHERE id = '%[3]s') WHERE delivery_id = '%[1]s'`,
		[]string{"TAMPERED event of 0", "TAMPERED event of 2"},
	},
	"an event's customer is edited": {
		`UPDATE events SET customer_id = '9' WHERE delivery_id = '%[2]s'`, []string{"TAMPERED customer of 1"},
	},
	"a person's e-mail address is edited": {
		`UPDATE event_personal_info SET email = 'x'`, []string{"TAMPERED personal info of 3"},
	},
	"a person is deleted by hand": {
		`DELETE FROM event_personal_info`, []string{"TAMPERED personal info of 3"},
	},
	"an event is deleted": {
		`DELETE FROM events WHERE delivery_id = '%[2]s'`, []string{"MISSING event of 1"},
	},
	"an event is made up, and a replay that found it": {
		`INSERT INTO events SELECT store_id, kind, received_at, gen_random_uuid(), occurred_at_known, '%[5]s', received_at, issued_at, webhook, event_id,
			session_id, customer_id, shopper_id, store_external_id, '{}', '{}', '{}', payment_provider, token_type, check_in_device_id, unreadable
			FROM events WHERE delivery_id = '%[2]s';
		 UPDATE events SET received_at = q.received_at FROM quarantine q WHERE q.delivery_id = '%[5]s' AND events.delivery_id = '%[5]s';
		 UPDATE stores SET last_seen_at = now() + interval '1 day';
		 UPDATE quarantine SET replayed_at = now(), event_store_id = e.store_id, event_kind = e.kind, event_occurred_at = e.occurred_at, event_id = e.id
			FROM events e WHERE e.delivery_id = '%[5]s' AND quarantine.delivery_id = '%[5]s'`,
		[]string{"TAMPERED quarantine of 4"},
	},
	"an event is made up, and a replay of no delivery that found it": {
		`INSERT INTO events SELECT store_id, kind, received_at, gen_random_uuid(), occurred_at_known, '%[9]s', received_at, issued_at, webhook, event_id,
			session_id, customer_id, shopper_id, store_external_id, '{}', '{}', '{}', payment_provider, token_type, check_in_device_id, unreadable
			FROM events WHERE delivery_id = '%[2]s';
		 UPDATE stores SET last_seen_at = now() + interval '1 day';
		 INSERT INTO quarantine (store_id, received_at, delivery_id, webhook, reason, detail, pointer, quarantined_at, replayed_at, event_store_id, event_kind, event_occurred_at, event_id)
			SELECT e.store_id, e.received_at, e.delivery_id, e.webhook, 'not_json', '', '', now(), now(), e.store_id, e.kind, e.occurred_at, e.id FROM events e WHERE e.delivery_id = '%[9]s'`,
		[]string{"TAMPERED quarantine of -1"},
	},
	"a delivery is said to have been replayed, and received at no time": {
		`INSERT INTO quarantine (store_id, received_at, delivery_id, webhook, reason, detail, pointer, quarantined_at, replayed_at)
			SELECT store_id, 'infinity', '%[9]s', webhook, 'not_json', '', '', now(), now() FROM deliveries WHERE id = '%[2]s'`,
		[]string{"TAMPERED time of -1"},
	},
	"a delivery is said to have been replayed": {
		`UPDATE quarantine SET replayed_at = now() WHERE delivery_id = '%[5]s'`, []string{"TAMPERED quarantine of 4"},
	},
	"an event that a replay found is edited": {
		`UPDATE events SET shopper_id = 'y' WHERE delivery_id = '%[6]s'`, []string{"TAMPERED event of 5"},
	},
	"an event is made up": {
		`INSERT INTO events SELECT store_id, kind, occurred_at, gen_random_uuid(), occurred_at_known, delivery_id, received_at, issued_at, webhook, event_id,
			session_id, customer_id, shopper_id, store_external_id, '{}', '{}', '{}', payment_provider, token_type, check_in_device_id, unreadable
			FROM events WHERE delivery_id = '%[2]s'`,
		[]string{"TAMPERED event of 1"},
	},
	"a product can no longer be searched": {
		`DELETE FROM event_products WHERE product_id = 'q' AND event_id = (SELECT id FROM events WHERE delivery_id = '%[2]s')`,
		[]string{"MISSING product of 1"},
	},
	"a flag can no longer be searched": {
		`DELETE FROM event_flags WHERE flag = 'A' AND event_id = (SELECT id FROM events WHERE delivery_id = '%[2]s')`,
		[]string{"MISSING flag of 1"},
	},
	"search finds an event by a product that it does not state": {
		`INSERT INTO event_products SELECT store_id, 'z', kind, occurred_at, id FROM events WHERE delivery_id = '%[2]s'`,
		[]string{"MISSING catalogue", "TAMPERED product of 1"},
	},
	"a product moves from one event to another": {
		`UPDATE event_products SET event_id = (SELECT id FROM events WHERE delivery_id = '%[4]s'), kind = 'registration',
			occurred_at = (SELECT occurred_at FROM events WHERE delivery_id = '%[4]s')
			WHERE product_id = 'q' AND event_id = (SELECT id FROM events WHERE delivery_id = '%[2]s')`,
		[]string{"MISSING product of 1", "TAMPERED product of 3"},
	},
	"a delivery's row is edited": {
		`UPDATE deliveries SET remote_addr = '192.0.2.2' WHERE id = '%[2]s'`, []string{"TAMPERED row of 1"},
	},
	"a delivery's store is edited": {
		`UPDATE deliveries SET store_id = 0 WHERE id = '%[5]s'; UPDATE deliveries SET webhook = 'tracking' WHERE id = '%[5]s'`, []string{"MISSING catalogue", "TAMPERED row of 4"},
	},
	"a delivery is deleted with all that it states": {
		`DELETE FROM event_flags WHERE event_id = (SELECT id FROM events WHERE delivery_id = '%[2]s'); DELETE FROM event_products WHERE event_id = (SELECT id FROM events WHERE delivery_id = '%[2]s');
		 DELETE FROM event_gondolas WHERE event_id = (SELECT id FROM events WHERE delivery_id = '%[2]s'); DELETE FROM events WHERE delivery_id = '%[2]s';
		 DELETE FROM deliveries WHERE id = '%[2]s'; DELETE FROM delivery_bodies WHERE delivery_id = '%[2]s'`,
		[]string{"MISSING delivery of 1"},
	},
	"a body is deleted": {
		`DELETE FROM delivery_bodies WHERE delivery_id = '%[2]s'`, []string{"MISSING body of 1"},
	},
	"a secret is deleted": {
		`UPDATE delivery_bodies SET secret = NULL WHERE delivery_id = '%[2]s'`, []string{"UNVERIFIABLE body of 1"},
	},
	"a delivery leaves quarantine": {
		`DELETE FROM quarantine WHERE delivery_id = '%[5]s'`, []string{"MISSING quarantine of 4"},
	},
	"a delivery is made up": {
		`INSERT INTO deliveries SELECT store_id, received_at, '%[9]s', webhook, session_id, event_kind, event_occurred_at, event_id, issued_at, token_id, remote_addr, path, headers,
			body_size, body_sha256, truncated FROM deliveries WHERE id = '%[2]s'`,
		[]string{"UNSEQUENCED delivery of -1"},
	},
	"a delivery is made up that was received at no time": {
		`INSERT INTO deliveries SELECT store_id, 'infinity', '%[9]s', webhook, session_id, event_kind, event_occurred_at, event_id, issued_at, token_id, remote_addr, path, headers,
			body_size, body_sha256, truncated FROM deliveries WHERE id = '%[2]s'`,
		[]string{"TAMPERED time of -1"},
	},
	"a delivery is made up, and a leaf behind those that were signed": {
		`INSERT INTO deliveries SELECT store_id, received_at, '%[9]s', webhook, session_id, event_kind, event_occurred_at, event_id, issued_at, token_id, remote_addr, path, headers,
			body_size, body_sha256, truncated FROM deliveries WHERE id = '%[2]s';
		 INSERT INTO log_leaves SELECT 100000, '\x01' || uuid_send('%[9]s'), sha256(''), received_at, received_at FROM deliveries WHERE id = '%[2]s'`,
		[]string{"TAMPERED leaves at 100000"},
	},
	"a delivery is made up, and a leaf in the place of another": {
		`INSERT INTO deliveries SELECT store_id, received_at, '%[9]s', webhook, session_id, event_kind, event_occurred_at, event_id, issued_at, token_id, remote_addr, path, headers,
			body_size, body_sha256, truncated FROM deliveries WHERE id = '%[2]s';
		 UPDATE log_leaves SET ids = ids || '\x01' || uuid_send('%[9]s'), hashes = hashes || sha256('') WHERE first_index = 0`,
		[]string{"TAMPERED leaves at 0"},
	},
	"a delivery is copied to another store": {
		`INSERT INTO deliveries SELECT 8, received_at, id, webhook, session_id, event_kind, event_occurred_at, event_id, issued_at, token_id, remote_addr, path, headers,
			body_size, body_sha256, truncated FROM deliveries WHERE id = '%[2]s'`,
		[]string{"MISSING catalogue", "TAMPERED row of 1"},
	},
	"an event is copied to another time": {
		`INSERT INTO events SELECT store_id, kind, occurred_at + interval '1 hour', id, occurred_at_known, delivery_id, received_at, issued_at, webhook, event_id,
			session_id, customer_id, shopper_id, store_external_id, '{}', '{}', '{}', payment_provider, token_type, check_in_device_id, unreadable
			FROM events WHERE delivery_id = '%[2]s'`,
		[]string{"MISSING catalogue", "TAMPERED event of 1"},
	},
	"an event's list holds a null": {
		`UPDATE events SET product_ids = '{p,NULL}' WHERE delivery_id = '%[2]s'`, []string{"MISSING product of 1", "TAMPERED product of 1", "TAMPERED row of 1"},
	},
	"a time never ends": {
		`UPDATE deliveries SET issued_at = 'infinity' WHERE id = '%[2]s'; UPDATE events SET issued_at = '-infinity' WHERE delivery_id = '%[1]s'`,
		[]string{"TAMPERED row of 0", "TAMPERED row of 1", "TAMPERED row of 2"},
	},
	"the catalogue forgets a product": {
		`DELETE FROM products WHERE product_id = 'q'`, []string{"MISSING catalogue"},
	},
	"the catalogue forgets when a gondola was seen": {
		`UPDATE gondolas SET last_seen_at = first_seen_at - interval '1 day', first_seen_at = first_seen_at - interval '1 day'`, []string{"MISSING catalogue"},
	},
	"the catalogue forgets a store's first day": {
		`UPDATE stores SET first_seen_at = last_seen_at + interval '1 day'`, []string{"MISSING catalogue"},
	},
	"the catalogue forgets flags": {
		`DELETE FROM store_flags`, []string{"MISSING catalogue"},
	},
	"the catalogue forgets what the retailer calls a store": {
		`DELETE FROM store_external_ids`, []string{"MISSING catalogue"},
	},
	"counts are raised": {
		`UPDATE event_days SET events = events + 1, quarters[12] = coalesce(quarters[12], 0) + 1 WHERE kind = 'registration'`, []string{"TAMPERED counts"},
	},
	"events are counted on no day": {
		`INSERT INTO event_days SELECT store_id, kind, 'infinity', events, quarters FROM event_days WHERE kind = 'registration'`, []string{"TAMPERED counts"},
	},
	"counts move to another hour": {
		`UPDATE event_days SET quarters = '[4:4]={1}' WHERE kind = 'registration'`, []string{"TAMPERED counts"},
	},
	"a day of which there were events is not counted": {
		`DELETE FROM event_days WHERE kind = 'registration'`, []string{"TAMPERED counts"},
	},
	"the catalogue forgets webhooks": {
		`DELETE FROM store_webhooks WHERE webhook = 'remote-register'`, []string{"MISSING catalogue"},
	},
	"a leaf of a complete tile is edited": {
		`UPDATE log_leaves SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1) WHERE first_index = 0`, []string{"TAMPERED leaf of 1"},
	},
	"a leaf of the last tile is edited": {
		`UPDATE log_leaves SET hashes = set_byte(hashes, 8, get_byte(hashes, 8) # 1) WHERE first_index = (SELECT max(first_index) FROM log_leaves)`, []string{"TAMPERED leaf of 6"},
	},
	"a leaf is said to be of another delivery": {
		`UPDATE log_leaves SET ids = overlay(ids PLACING substr(ids, 1, 17) FROM 18 FOR 17) WHERE first_index = 0`,
		[]string{"TAMPERED row of 0", "UNSEQUENCED delivery of 1"},
	},
	"two leaves are swapped": {
		`UPDATE log_leaves SET ids = substr(ids, 18, 17) || substr(ids, 1, 17) || substr(ids, 35), hashes = substr(hashes, 33, 32) || substr(hashes, 1, 32) || substr(hashes, 65) WHERE first_index = 0`,
		[]string{"TAMPERED leaf of 0", "TAMPERED leaf of 1"},
	},
	"two leaves of the last tile are swapped": {
		swapLeaves("601", "602"), []string{"TAMPERED leaf of 6", "TAMPERED leaf of 7"},
	},
	"two leaves of different tiles are swapped": {
		swapLeaves("1", "601"), []string{"TAMPERED leaf of 1", "TAMPERED leaf of 6"},
	},
	"two leaves of complete tiles are swapped": {
		swapLeaves("2", "300"), []string{"TAMPERED leaf of -1", "TAMPERED leaf of 2"},
	},
	"three leaves are rotated": {
		swapLeaves("0", "1") + "; " + swapLeaves("1", "2"), []string{"TAMPERED leaves at 0"},
	},
	"leaves are deleted": {
		`DELETE FROM log_leaves WHERE first_index = 0`,
		[]string{
			"MISSING leaf at 0", "MISSING leaf at 1", "MISSING leaf at 2", "MISSING leaf at 3", "MISSING leaf at 4", "MISSING leaf at 5", "TAMPERED leaves at 0",
			"UNSEQUENCED delivery of 0", "UNSEQUENCED delivery of 1", "UNSEQUENCED delivery of 2", "UNSEQUENCED delivery of 3", "UNSEQUENCED delivery of 4", "UNSEQUENCED delivery of 5",
		},
	},
	"an entry of the access log is edited": {
		`UPDATE access_log SET query = ''`, []string{"TAMPERED access"},
	},
	"an entry of the access log is of no time": {
		`UPDATE access_log SET at = 'infinity'`, []string{"TAMPERED access", "TAMPERED time"},
	},
	"an entry of the access log is made up, of no time": {
		`INSERT INTO access_log (at, token_id, action, path, query, remote_addr, entry_id, secret, status) SELECT '-infinity', 2, action, path, query, remote_addr, gen_random_uuid(), secret, status FROM access_log`,
		[]string{"TAMPERED time"},
	},
	"an entry of the access log is deleted": {
		`DELETE FROM access_log`, []string{"MISSING access"},
	},
	"an entry of the access log is made up": {
		`INSERT INTO access_log (at, token_id, action, path, query, remote_addr, entry_id, secret, status) SELECT at, 2, action, path, query, remote_addr, gen_random_uuid(), secret, status FROM access_log`,
		[]string{"UNSEQUENCED access"},
	},
	"a tile is edited": {
		`UPDATE log_tiles SET root = sha256(root) WHERE level = 0 AND n = 1`, []string{"TAMPERED tile: number 1 of level 0"},
	},
	"a tile is deleted": {
		`DELETE FROM log_tiles WHERE level = 0 AND n = 1`, []string{"TAMPERED tile: number 1 of level 0"},
	},
	"the newest checkpoint is edited": {
		`UPDATE log_state SET checkpoint = set_byte(checkpoint, 30, get_byte(checkpoint, 30) # 1)`, []string{"TAMPERED checkpoint"},
	},
	"the state is not that of its checkpoint": {
		`UPDATE log_state SET root = sha256(root)`, []string{"TAMPERED checkpoint", "TAMPERED leaves at 512"},
	},
	"the state says that the log is larger than any could be": {
		`UPDATE log_state SET size = 9223372036854775807`, []string{"TAMPERED checkpoint"},
	},
	"a kept checkpoint is edited": {
		`UPDATE log_checkpoints SET checkpoint = set_byte(checkpoint, 30, get_byte(checkpoint, 30) # 1) WHERE size < 604`, []string{"TAMPERED checkpoint"},
	},
	"a cosignature is edited": {
		`UPDATE log_cosignatures SET line = replace(line, 'A', 'B')`, []string{"TAMPERED cosignature", "UNVERIFIABLE cosignature"},
	},
	"a cosignature is said to be of another checkpoint": {
		`UPDATE log_cosignatures SET size = (SELECT min(size) FROM log_checkpoints)`, []string{"TAMPERED cosignature", "UNVERIFIABLE cosignature"},
	},
	"cosignatures are deleted": {
		`DELETE FROM log_cosignatures`, []string{"UNVERIFIABLE cosignature"},
	},
	"a cosigned checkpoint is deleted": {
		`DELETE FROM log_checkpoints WHERE size = 604`, []string{"MISSING checkpoint", "UNVERIFIABLE cosignature"},
	},
	"an old backup is restored": {
		`UPDATE log_state SET size = c.size, checkpoint = c.checkpoint, root = decode(split_part(convert_from(c.checkpoint, 'UTF8'), E'\n', 3), 'base64') FROM log_checkpoints c WHERE c.size < 604;
		 DELETE FROM log_checkpoints WHERE size = 604; DELETE FROM log_cosignatures;
		 DELETE FROM log_leaves WHERE first_index >= 6; DELETE FROM log_tiles; DELETE FROM access_log; DELETE FROM deliveries WHERE id > '%[6]s'; DELETE FROM delivery_bodies WHERE delivery_id > '%[6]s';
		 DELETE FROM event_flags; DELETE FROM event_products; DELETE FROM event_gondolas; UPDATE events SET flags = '{}', product_ids = '{}', gondola_ids = '{}'; DELETE FROM events WHERE delivery_id >= '%[6]s';
		 UPDATE quarantine SET replayed_at = NULL, event_store_id = NULL, event_kind = NULL, event_occurred_at = NULL, event_id = NULL`,
		[]string{"MISSING leaves", "TAMPERED event of 0", "TAMPERED event of 1", "TAMPERED event of 2", "UNVERIFIABLE cosignature"},
	},
}

// compressed is a body as it is kept, and that it is.
func compressed(body string) string {
	stored, encoding := bodycodec.Encode([]byte(body))
	return fmt.Sprintf(`'\x%x', encoding = %d`, stored, encoding)
}

// swapLeaves has two leaves change places in log_leaves.
func swapLeaves(a, b string) string {
	const row = "(SELECT max(first_index) FROM log_leaves WHERE first_index <= %s)"
	at := func(i string) string { return fmt.Sprintf("("+i+" - "+row+")::int", i) }
	const sql = `CREATE TABLE IF NOT EXISTS swap (n int, id bytea, hash bytea); DELETE FROM swap;
		INSERT INTO swap SELECT 1, substr(ids, 1 + 17 * %[3]s, 17), substr(hashes, 1 + 32 * %[3]s, 32) FROM log_leaves WHERE first_index = %[1]s;
		INSERT INTO swap SELECT 2, substr(ids, 1 + 17 * %[4]s, 17), substr(hashes, 1 + 32 * %[4]s, 32) FROM log_leaves WHERE first_index = %[2]s;
		UPDATE log_leaves SET ids = overlay(ids PLACING (SELECT id FROM swap WHERE n = 2) FROM 1 + 17 * %[3]s FOR 17),
			hashes = overlay(hashes PLACING (SELECT hash FROM swap WHERE n = 2) FROM 1 + 32 * %[3]s FOR 32) WHERE first_index = %[1]s;
		UPDATE log_leaves SET ids = overlay(ids PLACING (SELECT id FROM swap WHERE n = 1) FROM 1 + 17 * %[4]s FOR 17),
			hashes = overlay(hashes PLACING (SELECT hash FROM swap WHERE n = 1) FROM 1 + 32 * %[4]s FOR 32) WHERE first_index = %[2]s`
	return fmt.Sprintf(sql, fmt.Sprintf(row, a), fmt.Sprintf(row, b), at(a), at(b))
}

// named puts ids in the place of %[1]s and so on.
func named(sql string, ids []uuid.UUID) string {
	for i, id := range ids {
		sql = strings.ReplaceAll(sql, fmt.Sprintf("%%[%d]s", i+1), id.String())
	}
	return sql
}

// Each way to tamper is found, and nothing else.
func TestTamperMatrix(t *testing.T) {
	template, ids := matrix(t)
	remembered := tlog.Tree{N: 604, Hash: prefix(t, template, 604)}
	other, err := store.NewDeliveryID()
	if err != nil {
		t.Fatal(err)
	}
	names := append(ids[:], other)
	for name, c := range tampers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := template
			d.url = storetest.Clone(t, template.url)
			unguarded(t, d.url, named(c.sql, names))
			result, found := verified(t, d, ids, verify.Options{Anchors: []verify.Anchor{{Tree: remembered, Source: "here"}}})
			if diff := gocmp.Diff(c.want, found); diff != "" {
				t.Error(diff)
			}
			if result.Clean() {
				t.Error("it is said to be clean")
			}
		})
	}
}

// The tree can be made anew over changed rows, and signed: but not with the key.
func TestASecondLogIsNotTheFirst(t *testing.T) {
	d, ids := matrix(t)
	remembered := tlog.Tree{N: 604, Hash: prefix(t, d, 604)}
	forger := d
	var err error
	if forger.key, forger.public, err = newKey(); err != nil {
		t.Fatal(err)
	}
	forger.memory += ".forged"
	unguarded(t, d.url, "DELETE FROM log_leaves", "DELETE FROM log_tiles", "DELETE FROM log_state", "DELETE FROM log_checkpoints")
	s, published := forger.open(t)
	recordAll(t, s, alcohols(5000, 10)...)
	wait(t, published, 10)
	s.Close()
	_, found := verified(t, d, ids, verify.Options{Anchors: []verify.Anchor{{Tree: remembered, Source: "here"}}})
	if !slices.Contains(found, "TAMPERED checkpoint") {
		t.Errorf("found %q", found)
	}
	// Nor does the right key help a forger against who remembers a checkpoint.
	unguarded(t, d.url, "DELETE FROM log_leaves", "DELETE FROM log_tiles", "DELETE FROM log_state", "DELETE FROM log_checkpoints")
	forger.key, forger.public = d.key, d.public
	forger.memory += "2"
	s, published = forger.open(t)
	recordAll(t, s, alcohols(6000, 700)...)
	wait(t, published, 700)
	s.Close()
	_, found = verified(t, d, ids, verify.Options{Anchors: []verify.Anchor{{Tree: remembered, Source: "here"}}})
	if !slices.Contains(found, "TAMPERED checkpoint") {
		t.Errorf("found %q", found)
	}
}

func newKey() (key, public string, err error) {
	return translog.NewKey(rand.Reader, "audit.example.com/log")
}

// A database that ends transactions in which nothing happens for a while can be verified.
func TestVerifyOutlastsIdleTransactions(t *testing.T) {
	d, ids := matrix(t)
	storetest.SQL(t, d.url, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = 1', current_database()); END $$`)
	if result, found := verified(t, d, ids, verify.Options{}); !result.Clean() {
		t.Errorf("%q", found)
	}
}
