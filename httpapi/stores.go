package httpapi

import (
	"time"

	"aifi-audit/store"
)

// shop is the JSON of one of AiFi's stores.
type shop struct {
	StoreID           int64     `json:"storeId"`
	StoreExternalID   *string   `json:"storeExternalId"`
	AifiUniqueStoreID *string   `json:"aifiUniqueStoreId"`
	FirstSeenAt       time.Time `json:"firstSeenAt"`
	LastSeenAt        time.Time `json:"lastSeenAt"`
}

func stores(s *store.Store) list[store.Shop] {
	return list[store.Shop]{
		filters: []string{"storeId", "storeExternalId"},
		page:    s.Stores,
		export:  s.ExportStores,
		item: func(x store.Shop) any {
			return shop{x.StoreID, x.ExternalID, x.AifiUniqueStoreID, x.FirstSeenAt.UTC(), x.LastSeenAt.UTC()}
		},
		columns: []column[store.Shop]{
			{"store_id", func(x store.Shop) string { return integer(x.StoreID) }},
			{"store_external_id", func(x store.Shop) string { return text(x.ExternalID) }},
			{"aifi_unique_store_id", func(x store.Shop) string { return text(x.AifiUniqueStoreID) }},
			{"first_seen_at", func(x store.Shop) string { return moment(x.FirstSeenAt) }},
			{"last_seen_at", func(x store.Shop) string { return moment(x.LastSeenAt) }},
		},
	}
}
