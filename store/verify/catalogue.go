package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"aifi-audit/store/internal/db"
)

// unknownTo are values of one store that the catalogue does not know.
type unknownTo struct {
	facet, value string // of the first
	values       int
}

// uncatalogued finds the stores of which the catalogue does not know all: search looks
// only where it says that there is something. times are those of events that are new.
func (v *verification) uncatalogued(ctx context.Context, times []happened) error {
	stores := map[int64]unknownTo{}
	add := func(storeID int64, facet, value string) {
		u, ok := stores[storeID]
		if !ok {
			u.facet, u.value = facet, value
		}
		u.values++
		stores[storeID] = u
	}
	for _, t := range times {
		facets, err := v.Queries.UnknownFacets(ctx, v.log.Conn, db.UnknownFacetsParams{FromTime: t.from, ToTime: t.to})
		if err != nil {
			return err
		}
		for _, f := range facets {
			add(f.StoreID, f.Facet, f.Value)
		}
	}
	values, err := v.Queries.UnknownValues(ctx, v.log.Conn, v.Since)
	for _, f := range values {
		add(f.StoreID, f.Facet, f.Value)
	}
	for _, id := range slices.Sorted(maps.Keys(stores)) {
		u := stores[id]
		detail := fmt.Sprintf("search does not look at all times for the %s %q of store %d", u.facet, u.value, id)
		if u.facet == "store" {
			detail = fmt.Sprintf("search does not look at all times for store %d", id)
		}
		if u.values > 1 {
			detail += fmt.Sprintf(", and for %d more of its values", u.values-1)
		}
		v.found(Finding{Class: Missing, What: "catalogue", Detail: detail})
	}
	return err
}
