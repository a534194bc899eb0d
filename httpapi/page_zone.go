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
	loaded := map[string]*time.Location{} // reading a zone costs more than a row
	for _, s := range shops {
		if s.TimeZone == nil {
			continue
		}
		if _, ok := loaded[*s.TimeZone]; !ok {
			loaded[*s.TimeZone] = a.store.Zone(s)
		}
		z.own[s.StoreID] = loaded[*s.TimeZone]
	}
	return z
}
