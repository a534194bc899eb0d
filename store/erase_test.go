package store_test

import (
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
	"aifi-audit/store/translog"
	"aifi-audit/store/verify"
)

// erase erases a customer, without a second person.
func erase(t testing.TB, s *store.Store, customer string) store.Erasure {
	t.Helper()
	asked, err := s.RequestErasure(t.Context(), store.NewErasure{Whom: store.Whom{CustomerID: customer}, By: "Jane Doe", Reason: "Art. 17 GDPR"})
	if err != nil {
		t.Fatal(err)
	}
	erased, err := s.Erase(t.Context(), asked.ID, store.Execution{By: "Jane Doe", Unapproved: true})
	if err != nil {
		t.Fatal(err)
	}
	return erased
}

func TestWhatIsErasedIsStillProven(t *testing.T) {
	d, ids := matrix(t)
	s, published := d.open(t)
	// Customer 0 is that of victim and repeated; 2 that of replayed; 1 of twin and register.
	for customer, want := range map[string][]int{"0": {victim, repeated}, "2": {replayed}, "1": {twin, register}} {
		found, err := s.FindPerson(t.Context(), store.Whom{CustomerID: customer}, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		erased := erase(t, s, customer)
		if len(found.DeliveryIDs) != len(want) || erased.Erased.Deliveries != int64(len(want)) {
			t.Fatalf("customer %s: %v, %+v", customer, found.DeliveryIDs, erased.Erased)
		}
		for _, i := range want {
			if !slices.Contains(found.DeliveryIDs, ids[i]) {
				t.Errorf("delivery %d is not found", i)
			}
		}
	}
	wait(t, published, d.sizeWithQueue(t))
	for table, sql := range map[string]string{
		"bodies": "SELECT count(*) FROM delivery_bodies WHERE delivery_id = ANY ($1)",
		"events": "SELECT count(*) FROM events WHERE delivery_id = ANY ($1) AND customer_id IS NOT NULL",
		"hashes": "SELECT count(*) FROM deliveries WHERE id = ANY ($1) AND length(body_sha256) > 0",
	} {
		if n := storetest.Query(t, d.url, sql, ids[:notJSON])[0]; n != "0" {
			t.Errorf("%s: %s are left", table, n)
		}
	}
	if n := storetest.Query(t, d.url, "SELECT (SELECT count(*) FROM customers WHERE customer_id IN ('0','1','2')) + (SELECT count(*) FROM sessions WHERE customer_id IN ('0','1','2')) + (SELECT count(*) FROM event_personal_info)")[0]; n != "0" {
		t.Errorf("%s rows are left", n)
	}
	// Recording it again, from a queue that held it, does not bring it back.
	again := deliver(t, aifi.RestrictedProductsInteractions, alcohol(0))
	again.ID = ids[victim]
	record(t, s, again)
	if n := storetest.Query(t, d.url, "SELECT count(*) FROM delivery_bodies WHERE delivery_id = $1", ids[victim])[0]; n != "0" {
		t.Error("it is back")
	}
	for _, i := range []int{victim, repeated, twin, register, replayed} {
		proofs := d.prove(t, s, ids[i])
		last := proofs[len(proofs)-1]
		if last.Leaf.Kind != translog.Erasure || last.Erasure.Actor != "Jane Doe, without a second person" || proofs[0].BodySalt != nil || proofs[0].Leaf.Body != last.Leaf.Body {
			t.Errorf("%d: %+v", i, proofs)
		}
	}
	s.Close()
	result, found := verified(t, d, ids, verify.Options{})
	want := []string{"ERASED body of 0", "ERASED body of 1", "ERASED body of 2", "ERASED body of 3", "ERASED body of 5"}
	if diff := gocmp.Diff(want, found); diff != "" || !result.Clean() {
		t.Error(diff)
	}
	// The facts that are left are still guarded, and so is what the erasure left.
	for name, c := range map[string]tamper{
		"a fact":          {"UPDATE events SET product_ids = '{p,q}' WHERE delivery_id = '%[2]s'", []string{"TAMPERED row of 1"}},
		"who erased":      {"UPDATE log_erasures SET actor = 'x' WHERE delivery_id = '%[2]s'", []string{"TAMPERED row of 1"}},
		"the erasure":     {"DELETE FROM log_erasures WHERE delivery_id = '%[2]s'", []string{"MISSING body of 1", "MISSING body of 1", "TAMPERED certificate"}},
		"the commitment":  {"UPDATE log_erasures SET body_commitment = sha256('') WHERE delivery_id = '%[2]s'", []string{"TAMPERED row of 1", "TAMPERED row of 1"}},
		"a false erasure": {"DELETE FROM delivery_bodies WHERE delivery_id = '%[7]s'", []string{"MISSING body of 6"}},
	} {
		copied := d
		copied.url = storetest.Clone(t, d.url)
		unguarded(t, copied.url, named(c.sql, ids[:]))
		_, got := verified(t, copied, ids, verify.Options{})
		got = slices.DeleteFunc(got, func(f string) bool { return slices.Contains(want, f) })
		if diff := gocmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
