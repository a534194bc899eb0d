package store_test

import (
	"sync"
	"testing"
	"time"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// Several processes that start at once, or at the turn of a month, make the same
// partitions.
func TestPartitionsAreMadeByManyAtOnce(t *testing.T) {
	url := storetest.URL(t)
	var stores []*store.Store
	for range 4 {
		s, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		stores = append(stores, s)
	}
	from := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	var all sync.WaitGroup
	for _, s := range stores {
		all.Go(func() {
			if err := s.EnsurePartitions(t.Context(), from, from.AddDate(1, 0, 0)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := storetest.Query(t, url, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass AND inhrelid::regclass::text LIKE 'events\\_2031%'"); got[0] != "12" {
		t.Errorf("%s partitions of events", got[0])
	}
}
