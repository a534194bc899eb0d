package httpapi

import (
	"time"

	"aifi-audit/store"
)

// zones tells in which zone a store's times are shown.
type zones struct {
	home *time.Location // of stores without a zone of their own
	own  map[int64]*time.Location
}

func (z zones) of(storeID int64) *time.Location {
	if zone, ok := z.own[storeID]; ok {
		return zone
	}
	return z.home
}

func (a *API) zones(shops []store.Shop) zones {
	z := zones{home: a.store.TimeZone(), own: map[int64]*time.Location{}}
	for _, s := range shops {
		if s.TimeZone != nil {
			z.own[s.StoreID] = a.store.Zone(s)
		}
	}
	return z
}
