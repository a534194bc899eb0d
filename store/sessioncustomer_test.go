package store_test

import (
	"fmt"
	"slices"
	"testing"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// orders are all orders of what is given.
func orders(of []string) (all [][]string) {
	if len(of) == 0 {
		return [][]string{nil}
	}
	for i := range of {
		for _, rest := range orders(slices.Delete(slices.Clone(of), i, i+1)) {
			all = append(all, append([]string{of[i]}, rest...))
		}
	}
	return all
}

// Whose a session is does not depend on the order of webhooks, nor on which of them are
// committed together.
func TestTheCustomerOfASession(t *testing.T) {
	s, url := open(t)
	state := func(updated, customer string) string {
		return fmt.Sprintf(`"session":{"status":"created","updatedAt":"2026-11-20T10:0%s:00Z","customerId":%q}`, updated, customer)
	}
	const undated, named = `"session":{"status":"created","customerId":%q}`, `"customer":{"id":%q}`
	for name, c := range map[string]struct {
		said []string
		want string
	}{
		"nobody":                          {[]string{state("1", ""), `"session":null`}, ""},
		"whom no state names":             {[]string{state("1", ""), fmt.Sprintf(named, "x")}, "x"},
		"whom none of the states names":   {[]string{state("1", ""), state("2", ""), fmt.Sprintf(named, "x")}, "x"},
		"whom a state names":              {[]string{state("1", "x"), fmt.Sprintf(named, "y")}, "x"},
		"whom an older state names":       {[]string{state("1", "x"), state("2", "")}, "x"},
		"whom the newer state names":      {[]string{state("1", "y"), state("2", "x"), fmt.Sprintf(named, "z")}, "x"},
		"whom an undated state names":     {[]string{fmt.Sprintf(undated, "x"), state("1", ""), `"session":null`}, "x"},
		"whom a dated state names":        {[]string{fmt.Sprintf(undated, "y"), state("1", "x"), fmt.Sprintf(named, "z")}, "x"},
		"beside a state without a time":   {[]string{fmt.Sprintf(undated, ""), fmt.Sprintf(named, "x")}, "x"},
		"the same again, and without him": {[]string{state("1", "x"), state("1", ""), state("1", "x")}, "x"},
		"the same again, and him apart":   {[]string{state("1", ""), state("1", ""), fmt.Sprintf(named, "x")}, "x"},
	} {
		b := store.NewBatches(s)
		for i, order := range orders(c.said) {
			for ends := range 1 << (len(order) - 1) { // after which of them a batch ends, as bits
				id := fmt.Sprint(name, " ", i, " ", ends)
				var batch []store.Delivery
				for n, said := range order {
					batch = append(batch, deliver(t, aifi.Tracking, fmt.Sprintf(`{"storeId":622,"sessionId":%q,"eventId":"%d",%s}`, id, n, said)))
					if ends>>n&1 == 1 || n == len(order)-1 {
						b.Record(t, batch...)
						batch = nil
					}
				}
				got := storetest.Query(t, url, "SELECT coalesce(customer_id, '') FROM sessions WHERE session_id = $1", id)
				if len(got) != 1 || got[0] != c.want {
					t.Errorf("%s: of %q it is %q", id, order, got)
				}
			}
		}
	}
}
