package httpapi

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"aifi-audit/store"
)

// shop is the JSON of one of AiFi's stores.
type shop struct {
	StoreID           int64     `json:"storeId"`
	StoreExternalID   *string   `json:"storeExternalId"`
	AifiUniqueStoreID *string   `json:"aifiUniqueStoreId"`
	FirstSeenAt       time.Time `json:"firstSeenAt"`
	LastSeenAt        time.Time `json:"lastSeenAt"`
	TimeZone          *string   `json:"timeZone"`
	EffectiveTimeZone string    `json:"effectiveTimeZone"`
}

func shopJSON(s *store.Store, x store.Shop) shop {
	return shop{x.StoreID, x.ExternalID, x.AifiUniqueStoreID, x.FirstSeenAt.UTC(), x.LastSeenAt.UTC(), x.TimeZone, s.Zone(x).String()}
}

func stores(s *store.Store) list[store.Shop] {
	return list[store.Shop]{
		filters: []string{"storeId", "storeExternalId"},
		page:    s.Stores,
		export:  s.ExportStores,
		item:    func(x store.Shop) any { return shopJSON(s, x) },
		columns: []column[store.Shop]{
			{"store_id", func(c *cells, x *store.Shop) { c.integer(x.StoreID) }},
			{"store_external_id", func(c *cells, x *store.Shop) { c.maybeText(x.ExternalID) }},
			{"aifi_unique_store_id", func(c *cells, x *store.Shop) { c.maybeText(x.AifiUniqueStoreID) }},
			{"first_seen_at", func(c *cells, x *store.Shop) { c.moment(x.FirstSeenAt) }},
			{"last_seen_at", func(c *cells, x *store.Shop) { c.moment(x.LastSeenAt) }},
			{"time_zone", func(c *cells, x *store.Shop) { c.maybeText(x.TimeZone) }},
			{"effective_time_zone", func(c *cells, x *store.Shop) { c.text(s.Zone(*x).String()) }},
		},
	}
}

// patchStore sets or takes away the time zone of a store.
func (a *API) patchStore(w http.ResponseWriter, r *http.Request, c caller) error {
	if _, err := parseParams(r, nil); err != nil {
		return err
	}
	id, err := strconv.ParseInt(mux.Vars(r)["storeId"], 10, 64)
	if err != nil {
		return store.ErrNotFound
	}
	body, err := readObject(r, "timeZone")
	if err != nil {
		return err
	}
	if !body.has("timeZone") {
		return badMember("/timeZone", "It is missing; null means the time zone of the installation.")
	}
	zone, err := body.text("timeZone")
	if err != nil {
		return err
	}
	if err := c.sees(r); err != nil {
		return err
	}
	shop, err := a.store.SetTimeZone(r.Context(), c.Scope(), id, zone)
	if errors.Is(err, store.ErrTimeZone) {
		return badMember("/timeZone", "It must be a time zone of the IANA database, such as Europe/London, or UTC.")
	}
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, shopJSON(a.store, shop))
	return nil
}
