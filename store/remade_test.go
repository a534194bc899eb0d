package store_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// catalogue are the tables without which search finds nothing. A delivery of flagged has a
// row in each.
var catalogue = []string{"stores", "store_flags", "store_webhooks", "products", "gondolas", "sessions", "session_flags"}

func flagged(t testing.TB, n int) store.Delivery {
	t.Helper()
	return deliver(t, aifi.RestrictedProductsInteractions, fmt.Sprintf(`{"storeId":7,"sessionId":"s","eventId":"%d","timeOfOrigin":"2026-01-02T03:04:05Z",
		"productIds":["p"],"gondolaIds":[3],"session":{"sessionId":"s","updatedAt":"2026-01-02T03:04:05Z","shoppingSessionFlags":["f"]}}`, n))
}

// catalogued checks that search can find what was recorded.
func catalogued(t testing.TB, url string) {
	t.Helper()
	for _, table := range catalogue {
		if n := count(t, url, table); n != "1" {
			t.Errorf("%s has %s rows", table, n)
		}
	}
}

// Tables that are made anew below a process, in the same database and with its connections
// open, get all that search needs.
func TestTablesThatAreMadeAnewGetWhatTheyLack(t *testing.T) {
	s, url := open(t)
	for n := range 3 {
		record(t, s, flagged(t, n))
	}
	catalogued(t, url)
	for range 2 {
		storetest.SQL(t, url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
		if _, err := store.Migrate(t.Context(), url); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		if err := s.EnsurePartitions(t.Context(), now, now); err != nil {
			t.Fatal(err)
		}
		if r := record(t, s, flagged(t, 3)); r.Status != store.Stored {
			t.Errorf("it is %s", r.Status)
		}
		catalogued(t, url)
		for name, f := range map[string]store.Filter{"product": {ProductIDs: []string{"p"}}, "gondola": {GondolaIDs: []string{"3"}}, "flag": {Flags: []string{"f"}}} {
			events, _, err := s.Events(t.Context(), store.Scope{}, store.AlcoholInteraction, f, store.Page{Limit: 10})
			if err != nil || len(events) != 1 {
				t.Errorf("by %s %d events are found, %v", name, len(events), err)
			}
		}
		deliveries, _, err := s.Deliveries(t.Context(), store.Scope{}, store.Filter{Webhooks: []string{"restricted-products-interactions"}}, store.Page{Limit: 10})
		if err != nil || len(deliveries) != 1 {
			t.Errorf("by webhook %d deliveries are found, %v", len(deliveries), err)
		}
	}
}

// What somebody removes of what search needs comes back within the hour.
func TestWhatIsRemovedComesBack(t *testing.T) {
	url := storetest.URL(t)
	var hours atomic.Int64
	start := time.Now()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Now: func() time.Time { return start.Add(time.Duration(hours.Load()) * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	record(t, s, flagged(t, 1))
	for _, table := range catalogue {
		storetest.SQL(t, url, "DELETE FROM "+table)
	}
	record(t, s, flagged(t, 2))
	if n := count(t, url, "store_flags"); n != "0" {
		t.Errorf("it asks each time: %s flags", n)
	}
	hours.Store(1)
	record(t, s, flagged(t, 3))
	catalogued(t, url)
}

// A process that could not use the database relies on nothing that it had written.
func TestAfterAFailureNothingIsTakenForWritten(t *testing.T) {
	url := storetest.URL(t)
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Local: &store.Local{Dir: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.Eventually(t, "it is stored", func() bool { return record(t, s, flagged(t, 1)).Status == store.Stored })
	storetest.SQL(t, url, "ALTER TABLE delivery_bodies RENAME TO away")
	storetest.Eventually(t, "it is spooled", func() bool { return record(t, s, flagged(t, 2)).Status == store.Spooled })
	for _, table := range catalogue {
		storetest.SQL(t, url, "DELETE FROM "+table)
	}
	storetest.SQL(t, url, "ALTER TABLE away RENAME TO delivery_bodies")
	storetest.Eventually(t, "the spool is drained", func() bool { return s.Spool().Records == 0 })
	record(t, s, flagged(t, 3))
	catalogued(t, url)
}
