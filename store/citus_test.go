package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

func TestWithoutCitusNothingIsDistributed(t *testing.T) {
	_, url := open(t)
	if done, err := store.Distribute(t.Context(), url); !errors.Is(err, store.ErrNoCitus) || done != nil {
		t.Errorf("got %v and %v", done, err)
	}
	if _, err := store.Distribute(t.Context(), "postgres://127.0.0.1:1/x?sslmode=disable"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without a database: %v", err)
	}
}

// What Citus asks of tables that it distributes by store_id holds: each unique key has
// it, and no foreign key leads elsewhere.
func TestTheTablesOfAStoreCanBeDistributed(t *testing.T) {
	url := storetest.URL(t)
	tables := storetest.Query(t, url, store.StoreTables+" ORDER BY 1")
	if len(tables) < 18 {
		t.Errorf("only %v would be", tables)
	}
	notNull := storetest.Query(t, url, `SELECT attrelid::regclass::text FROM pg_attribute
		WHERE attrelid = ANY ($1::text[]::regclass[]) AND attname = 'store_id' AND attnotnull ORDER BY 1`, tables)
	if diff := cmp.Diff(tables, notNull); diff != "" {
		t.Error("store_id can be null: ", diff)
	}
	for what, query := range map[string]string{
		"unique keys without store_id": `SELECT i.indexrelid::regclass::text FROM pg_index i WHERE i.indisunique AND i.indrelid = ANY ($1::text[]::regclass[])
			AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int[]) AND a.attname = 'store_id')`,
		"foreign keys": "SELECT conname::text FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY ($1::text[]::regclass[])",
	} {
		if found := storetest.Query(t, url, query, tables); len(found) != 0 {
			t.Errorf("%s: %v", what, found)
		}
	}
}
