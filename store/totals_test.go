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
		marks := rapid.SampledFrom(append([]store.Disposition{store.Unmarked}, store.Dispositions...))
		f.Dispositions = rapid.SliceOfNDistinct(marks, 1, 4, rapid.ID).Draw(t, "marks")
	}
	return f
}

func summed(f store.Filter, kind store.Kind, e occurrence) bool {
	return e.kind == kind && (f.From == nil || !e.at.Before(*f.From)) && (f.To == nil || e.at.Before(*f.To)) &&
		(f.StoreIDs == nil || slices.Contains(f.StoreIDs, e.storeID)) && (f.Dispositions == nil || slices.Contains(f.Dispositions, e.made))
}

// Events lie in months with a partition and in others; and some are deleted.
func TestTotalsAreWhatTheListHas(t *testing.T) {
	s, url := fillZones(t, 1500)
	october := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	if err := s.EnsurePartitions(t.Context(), october, october); err != nil {
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
	storetest.SQL(t, url, "SET application_name = 'aifi-audit retires'", "DELETE FROM events WHERE get_byte(uuid_send(id), 3) < 64")
	storetest.SQL(t, url, "DELETE FROM event_reviews r WHERE NOT EXISTS (SELECT 1 FROM events e WHERE (e.store_id, e.kind, e.occurred_at, e.id) = (r.store_id, r.kind, r.occurred_at, r.event_id))")
	t.Run("after some were deleted", check)
	miscounted(t, url)
}

// miscounted fails the test if counts are not those of the events.
func miscounted(t testing.TB, url string) {
	t.Helper()
	found := storetest.Query(t, url, `SELECT concat_ws(' ', store_id, kind, bucket, 'counted', c.events, 'there', e.events) FROM event_counts c FULL JOIN
		(SELECT store_id, kind, date_bin('15 minutes', occurred_at, '0001-01-01Z') AS bucket, count(*) AS events FROM events GROUP BY 1, 2, 3) e
		USING (store_id, kind, bucket) WHERE c.events IS DISTINCT FROM e.events
		UNION ALL SELECT concat_ws(' ', store_id, kind, day, events, quarters) FROM event_days
		WHERE array_position(quarters, NULL) IS NOT NULL OR events <> (SELECT sum(n) FROM unnest(quarters) n)`)
	if len(found) > 0 {
		t.Errorf("counts are not those of the events: %q", found)
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
