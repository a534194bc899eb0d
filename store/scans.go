package store

import (
	"context"
	"slices"
	"time"

	"aifi-audit/store/internal/db"
)

// scans are what a list by a facet merges: an ordered index scan for each store and
// value. A value that a store was never seen with has none.
type scans struct {
	stores []int64
	values []string  // of the same scans
	since  time.Time // of events: when the first happened
	until  time.Time // of events: they happened before that
}

// merges reports whether there is something to merge: all of one store is what an index
// has in order.
func (found scans) merges(facet string) bool { return len(found.stores) > 1 || facet != "store" }

// eventScans gives the scans for the values of a facet of events or sessions, in some
// stores, nil meaning all.
func (s *Store) eventScans(ctx context.Context, facet string, stores []int64, values []string) (found scans, err error) {
	values = distinctOf(values)
	args := db.StoresKnowingParams{Facet: facet, FacetValues: values, StoreIds: stores}
	if facet == "disposition" { // few rows, of which there is no catalogue
		args.Facet, args.FacetValues = "store", []string{""}
	}
	rows, err := read(ctx, s, s.queries.StoresByFacet, args)
	for _, r := range rows {
		of := []string{r.Value}
		if facet == "disposition" {
			of = values
		}
		for _, value := range of {
			found.stores, found.values = append(found.stores, r.StoreID), append(found.values, value)
		}
		if found.since.IsZero() || r.FirstSeenAt.Before(found.since) {
			found.since = r.FirstSeenAt
		}
		if until := r.LastSeenAt.Add(seenEvery); until.After(found.until) {
			found.until = until
		}
	}
	return found, err
}

// deliveryScans is eventScans for deliveries. What is quarantined belongs to the unknown
// store, 0, which is not in the catalogue of stores.
func (s *Store) deliveryScans(ctx context.Context, facet string, stores []int64, values []string) (found scans, err error) {
	if facet == "webhook" {
		rows, err := read(ctx, s, s.queries.StoresOfWebhooks, db.StoresOfWebhooksParams{Webhooks: distinctOf(values), StoreIds: stores})
		for _, r := range rows {
			found.stores, found.values = append(found.stores, r.StoreID), append(found.values, r.Webhook)
		}
		return found, err
	}
	found, err = s.eventScans(ctx, facet, stores, values)
	if slices.Contains(stores, 0) && !slices.Contains(found.stores, 0) {
		found.stores, found.values = append(found.stores, 0), append(found.values, "")
	}
	return found, err
}

// rowsEach says how many rows of each scan are read at first, to fill a page up to a limit.
type rowsEach func(limit int64, scans int) int64

// share divides a page's rows among the scans, with some more: as they vary, few pages
// need a second round.
func (p paging) share(limit int64, scans int) int64 {
	return min(limit, 2*(limit/int64(scans))+p.sparesEach)
}

// whole takes all of the limit from each scan, so that the first round is the last.
func whole(limit int64, _ int) int64 { return limit }

// inRounds has scans merged until there are as many rows as the limit. read merges so
// many rows of each, gives the number of those found up to where the first scan was cut
// off, and goes on behind them when it is called again.
func inRounds(limit, each int64, read func(each, limit int64) (int64, error)) (total int64, err error) {
	for {
		n, err := read(each, limit-total)
		if err != nil {
			return 0, err
		}
		total += n
		if total >= limit || n < each { // a scan that was cut off gave as many as that
			return total, nil
		}
		each = limit - total
	}
}
