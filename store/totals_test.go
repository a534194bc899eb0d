package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// drawFilter draws a filter that sums are kept of.
func drawFilter(t *rapid.T) store.Filter {
	p := drawPeriod(t)
	var f store.Filter
	if rapid.Bool().Draw(t, "from") {
		f.From = &p.From
	}
	if rapid.Bool().Draw(t, "to") {
		f.To = &p.To
	}
	if rapid.Bool().Draw(t, "stores") {
		f.StoreIDs = rapid.SliceOfN(rapid.Int64Range(0, 7), 1, 3).Draw(t, "store ids")
	}
	if rapid.Bool().Draw(t, "dispositions") {
		f.Dispositions = append(f.Dispositions, store.Unmarked)
		f.Dispositions = append(f.Dispositions, rapid.SliceOfDistinct(rapid.SampledFrom(store.Dispositions), rapid.ID).Draw(t, "marks")...)
	}
	return f
}

func summed(f store.Filter, kind store.Kind, e occurrence) bool {
	return e.kind == kind && (f.From == nil || !e.at.Before(*f.From)) && (f.To == nil || e.at.Before(*f.To)) &&
		(f.StoreIDs == nil || slices.Contains(f.StoreIDs, e.storeID)) && (f.Dispositions == nil || slices.Contains(f.Dispositions, e.made))
}

// Events lie in months with a partition and in others; and a month was dropped, whose
// counts stay.
func TestTotalsAreWhatTheListHas(t *testing.T) {
	s, url := fillZones(t, 1500)
	october := store.Period{From: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	if err := s.EnsurePartitions(t.Context(), october.From, october.From); err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T) {
		events := occurrences(t, url)
		rapid.Check(t, func(t *rapid.T) {
			f := drawFilter(t)
			kind := rapid.SampledFrom([]store.Kind{store.AlcoholInteraction, store.Registration}).Draw(t, "kind")
			want := int64(0)
			for _, e := range events {
				if summed(f, kind, e) {
					want++
				}
			}
			// Counted singly, it would end at 1000.
			if n, exact, err := s.TotalEvents(context.Background(), store.Scope{}, kind, f, 10_000); err != nil || !exact || n != want {
				t.Fatalf("%d, exact %v, %v; there are %d", n, exact, err, want)
			}
		})
	}
	t.Run("of all", check)
	dropped, err := s.Counts(t.Context(), store.Scope{}, store.Filter{}, store.Grouping{AllStores: true}, october)
	if err != nil || len(dropped) != 1 {
		t.Fatal(dropped, err)
	}
	storetest.SQL(t, url, "DROP TABLE events_202610")
	t.Run("after a month was dropped", check)
	after, err := s.Counts(t.Context(), store.Scope{}, store.Filter{}, store.Grouping{AllStores: true}, october)
	if err != nil || len(after) != 1 || after[0] != dropped[0] {
		t.Errorf("counted %v, before %v, %v", after, dropped, err)
	}
}

func TestTotalsKeepToTheScopeAndSayWhereTheyEnd(t *testing.T) {
	s, _ := open(t)
	for _, body := range []string{
		`{"storeId":1,"sessionId":"a","timeOfOrigin":"2026-11-02T03:04:05Z","productIds":["p"]}`,
		`{"storeId":1,"sessionId":"b","timeOfOrigin":"2026-11-03T03:04:05Z","productIds":["p"]}`,
		`{"storeId":1,"sessionId":"c","timeOfOrigin":"2026-11-03T03:04:05Z","productIds":["p"]}`,
		`{"storeId":2,"sessionId":"d","timeOfOrigin":"2026-11-03T03:04:05Z","productIds":["p"]}`,
		`{"storeId":0,"storeExternalId":"SHOP","sessionId":"e","timeOfOrigin":"2026-11-03T03:04:05Z"}`,
		`{"storeId":0,"storeExternalId":"SHED","sessionId":"f","timeOfOrigin":"2026-11-03T03:04:05Z"}`,
	} {
		if _, err := s.Record(t.Context(), deliver(t, aifi.RestrictedProductsInteractions, body)); err != nil {
			t.Fatal(err)
		}
	}
	only := store.OnlyStores([]int64{1})
	for name, c := range map[string]struct {
		scope  store.Scope
		filter store.Filter
		n      int64
		exact  bool
	}{
		"all":                         {n: 6, exact: true},
		"of a scope":                  {scope: only, n: 3, exact: true},
		"of another scope":            {scope: only, filter: store.Filter{StoreIDs: []int64{2}}, exact: true},
		"of no store":                 {scope: store.OnlyStores(nil), exact: true},
		"by the retailer's id":        {filter: store.Filter{StoreExternalIDs: []string{"SHOP"}}, n: 1, exact: true},
		"of a product, counted":       {filter: store.Filter{ProductIDs: []string{"p"}}, n: 2},
		"of a session":                {filter: store.Filter{SessionIDs: []string{"a"}}, n: 1, exact: true},
		"of a product in a scope":     {scope: only, filter: store.Filter{ProductIDs: []string{"p"}}, n: 2},
		"of a disposition, none have": {filter: store.Filter{Dispositions: []store.Disposition{store.Confirmed}}, exact: true},
	} {
		t.Run(name, func(t *testing.T) {
			n, exact, err := s.TotalEvents(t.Context(), c.scope, store.AlcoholInteraction, c.filter, 2)
			if err != nil || n != c.n || exact != c.exact {
				t.Errorf("%d, exact %v, %v; want %d, exact %v", n, exact, err, c.n, c.exact)
			}
		})
	}
}
