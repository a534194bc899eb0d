package store_test

import (
	"fmt"
	"testing"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// A process remembers what it has written; a database that is restored below it does not.
func TestARestoredDatabaseGetsWhatItLacks(t *testing.T) {
	s, url := open(t)
	recordNumber := func(n int) {
		t.Helper()
		body := fmt.Sprintf(`{"storeId":7,"sessionId":"s","eventId":"%d","timeOfOrigin":"2026-01-02T03:04:05Z","productIds":["p"],"gondolaIds":[3]}`, n)
		if r := record(t, s, deliver(t, aifi.RestrictedProductsInteractions, body)); r.Status != store.Stored {
			t.Errorf("delivery %d is %s", n, r.Status)
		}
	}
	recordNumber(1)
	recordNumber(2)
	const rest = "DELETE FROM products; DELETE FROM gondolas; DELETE FROM stores; DELETE FROM sessions"
	storetest.SQL(t, url, rest, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	recordNumber(3)
	for _, table := range []string{"products", "gondolas", "stores", "sessions"} {
		if n := storetest.Query(t, url, "SELECT count(*) FROM "+table); n[0] != "1" {
			t.Errorf("%s has %s rows", table, n[0])
		}
	}
}
