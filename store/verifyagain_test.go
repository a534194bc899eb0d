package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// What a delivery states may have been stated first by one that is erased, or gone by
// its age, or both: then nothing speaks against the database, and yet a change is found.
func TestWhatWasStatedAgainIsTrueWithoutTheFirst(t *testing.T) {
	d := newSigned(t)
	s, published := d.open(t)
	old, young := monthsAgo(3, 24*time.Hour), monthsAgo(0, 0)
	registered := func(customer string) string {
		return fmt.Sprintf(`{"storeId":7,"token":"t%[1]s","tokenType":"qr","timeOfOrigin":%[2]q,"customer":{"id":%[1]q},"customerPersonalInfo":{"email":"%[1]s@example.com"}}`,
			customer, old.Format(time.RFC3339))
	}
	leaves := int64(0)
	state := func(at time.Time, customers ...string) {
		for _, customer := range customers {
			for w, body := range map[aifi.Webhook]string{
				aifi.RestrictedProductsInteractions: shopped(7, "s"+customer, customer, old), aifi.RemoteRegister: registered(customer),
			} {
				record(t, s, receivedAt(t, deliver(t, w, body), at))
				leaves++
			}
		}
	}
	forget := func(customer string) {
		leaves += erase(t, s, customer).Erased.Deliveries + 1
	}
	check := func(when string, want map[string]int) {
		t.Helper()
		wait(t, published, leaves)
		got := map[string]int{}
		for _, f := range findings(t, d) {
			class, _, _ := strings.Cut(f, " of ")
			got[class]++
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	state(old, "kept", "erased", "both", "late")
	forget("erased")
	check("the first is erased", map[string]int{"ERASED body": 2})
	state(young, "kept", "erased", "both", "late")
	check("it is stated again", map[string]int{"ERASED body": 2})
	forget("both")
	check("both are erased", map[string]int{"ERASED body": 6})
	keepFor(t, d.url, s, store.NewPolicy{Months: months(1)})
	if done := retire(t, s); done.Deliveries != 8 || done.Events != 0 {
		t.Fatalf("%+v", done)
	}
	leaves += 2 // the retirement, and what was logged of the policy
	check("the first are gone", map[string]int{"ERASED body": 2, "RETIRED deliveries": 1})
	forget("late")
	check("the second is erased", map[string]int{"ERASED body": 4, "RETIRED deliveries": 1})

	s.Close()
	for sql, want := range map[string]string{
		`UPDATE events SET shopper_id = 'y' WHERE session_id = 'skept'`:         "TAMPERED event",
		`UPDATE events SET customer_id = 'y' WHERE session_id = 'skept'`:        "TAMPERED customer",
		`UPDATE events SET shopper_id = 'y' WHERE session_id = 'serased'`:       "TAMPERED event",
		`UPDATE events SET customer_id = 'y' WHERE session_id = 'serased'`:      "TAMPERED customer",
		`UPDATE events SET product_ids = '{}' WHERE session_id = 'sboth'`:       "TAMPERED row",
		`UPDATE event_personal_info SET email = 'y' WHERE customer_id = 'kept'`: "TAMPERED personal info",
	} {
		copied := d
		copied.url = storetest.Clone(t, d.url)
		unguarded(t, copied.url, sql)
		found := findings(t, copied)
		if n := strings.Count(strings.Join(found, "\n"), want+" of delivery"); n != 1 {
			t.Errorf("%s: %q", sql, found)
		}
	}
}
