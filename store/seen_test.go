package store_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// A process remembers what it has written; a database that is restored below it does not.
func TestARestoredDatabaseGetsWhatItLacks(t *testing.T) {
	url, elsewhere := storetest.URL(t), storetest.URL(t)
	backup := storetest.Clone(t, url)
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	recordNumber := func(n int) {
		t.Helper()
		body := fmt.Sprintf(`{"storeId":7,"sessionId":"s","eventId":"%d","timeOfOrigin":"2026-01-02T03:04:05Z","productIds":["p"],"gondolaIds":[3]}`, n)
		if r := record(t, s, deliver(t, aifi.RestrictedProductsInteractions, body)); r.Status != store.Stored {
			t.Errorf("delivery %d is %s", n, r.Status)
		}
	}
	recordNumber(1)
	recordNumber(2)
	name := func(databaseURL string) string {
		config, err := pgx.ParseConfig(databaseURL)
		if err != nil {
			t.Fatal(err)
		}
		return config.Database
	}
	old, copied := name(url), name(backup)
	storetest.SQL(t, elsewhere, "DROP DATABASE "+old+" WITH (FORCE)", "CREATE DATABASE "+old+" TEMPLATE "+copied)
	recordNumber(3)
	for _, table := range []string{"products", "gondolas", "stores", "sessions", "store_webhooks", "deliveries"} {
		if n := storetest.Query(t, url, "SELECT count(*) FROM "+table); n[0] != "1" {
			t.Errorf("%s has %s rows", table, n[0])
		}
	}
}
