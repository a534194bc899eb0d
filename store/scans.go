package store

import (
	"context"
	"slices"

	"aifi-audit/store/internal/db"
)

// scans are what a list by a facet merges: an ordered index scan for each store and
// value. A value that a store was never seen with has none.
type scans struct {
	stores []int64
	values []string // of the same scans
}

// scansOf gives the scans for the values of a facet in some stores, nil meaning all.
func (s *Store) scansOf(ctx context.Context, facet string, stores []int64, values []string) (found scans, err error) {
	values = distinctOf(values)
	if facet == "disposition" { // no catalogue: its rows are few
		if stores, err = s.orAllStores(ctx, stores); err != nil {
			return scans{}, err
		}
		for _, id := range stores {
			for _, value := range values {
				found.stores, found.values = append(found.stores, id), append(found.values, value)
			}
		}
		return found, nil
	}
	rows, err := read(ctx, s, s.queries.StoresByFacet, db.StoresKnowingParams{Facet: facet, FacetValues: values, StoreIds: stores})
	for _, r := range rows {
		found.stores, found.values = append(found.stores, r.StoreID), append(found.values, r.Value)
	}
	// What is quarantined belongs to the unknown store, which is in no catalogue of stores.
	if facet == "store" && slices.Contains(stores, 0) && !slices.Contains(found.stores, 0) {
		found.stores, found.values = append(found.stores, 0), append(found.values, "")
	}
	return found, err
}

// rowsEach says how many rows of each scan are read at first, to fill a page up to a limit.
type rowsEach func(limit int64, scans int) int64

// share is a page's rows, divided among the scans, with some more: as they vary, few
// pages need a second round.
func share(limit int64, scans int) int64 {
	return min(limit, 2*(limit/int64(scans)+1)+6)
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
