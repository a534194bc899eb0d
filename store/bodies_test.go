package store_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/bodycodec"
	"aifi-audit/store/storetest"
	"aifi-audit/store/verify"
)

// Who has nothing but the database, or a dump of it, can read the bodies.
func TestTheDatabaseHasTheDictionary(t *testing.T) {
	got := storetest.Query(t, storetest.URL(t), "SELECT encoding || ' ' || encode(dictionary, 'hex') FROM body_dictionaries")
	if len(got) != 1 || got[0] != "1 "+hex.EncodeToString(bodycodec.Dictionary1) {
		t.Errorf("the dictionaries are %.200q", got)
	}
}

// Bodies that were kept before there were encodings are as good as any.
func TestVerbatimBodiesAreRead(t *testing.T) {
	d, ids := matrix(t)
	if n := storetest.Query(t, d.url, "SELECT count(*) FROM delivery_bodies WHERE encoding = 0")[0]; n != "1" {
		t.Fatalf("%s bodies are verbatim, and one is too short to be compressed", n)
	}
	for i, body := range map[int]string{victim: alcohol(0), replayed: alcohol(2), last: alcohol(1000)} {
		unguarded(t, d.url, "UPDATE delivery_bodies SET body = '"+body+"', encoding = DEFAULT WHERE delivery_id = '"+ids[i].String()+"'")
	}
	s, _ := d.open(t)
	defer s.Close()
	for i, want := range map[int]string{victim: alcohol(0), twin: alcohol(1), notJSON: "not JSON", last: alcohol(1000)} {
		if got, err := s.Body(t.Context(), store.Scope{}, ids[i]); err != nil || string(got) != want {
			t.Errorf("the body of %d is %q, %v", i, got, err)
		}
	}
	if result, found := verified(t, d, ids, verify.Options{}); !result.Clean() {
		t.Errorf("found %q", found)
	}
}

// A body that cannot be read may mention anybody, and what is to be replayed must be
// what was received.
func TestABodyThatCannotBeReadStopsWhoNeedsIt(t *testing.T) {
	d, ids := matrix(t)
	s, _ := d.open(t)
	defer s.Close()
	refused := recordOne(t, s, aifi.RestrictedProductsInteractions, alcohol(3), store.OnlyStores([]int64{8}))
	unguarded(t, d.url, "UPDATE delivery_bodies SET body = substr(body, 1, length(body) - 4) WHERE delivery_id IN ('"+refused.String()+"')")
	if _, err := s.Replay(t.Context(), store.Scope{}, refused); !errors.Is(err, store.ErrAltered) {
		t.Errorf("it is replayed: %v", err)
	}
	if _, err := s.Body(t.Context(), store.Scope{}, refused); !errors.Is(err, store.ErrAltered) {
		t.Errorf("it is read: %v", err)
	}
	bodies, err := s.Bodies(t.Context(), store.Scope{}, append(ids[:1:1], refused), 1<<20)
	if err != nil || !bodies[refused].Altered || bodies[ids[0]].Altered || string(bodies[ids[0]].Bytes) != alcohol(0) {
		t.Errorf("%+v, %v", bodies, err)
	}
	if _, err := s.FindPerson(t.Context(), store.Whom{CustomerID: "1"}, true, nil); !errors.Is(err, store.ErrAltered) || !strings.Contains(err.Error(), refused.String()) {
		t.Errorf("a person is searched for: %v", err)
	}
}
