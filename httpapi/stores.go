package httpapi

import (
	"net/http"
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

const (
	summaryDays    = 30  // by default
	maxSummaryDays = 400 // counting costs what it counts
)

// day is how many events of each kind a store had on a day of UTC.
type day struct {
	StoreID             int64  `json:"storeId"`
	Day                 string `json:"day"`
	AlcoholInteractions int64  `json:"alcoholInteractions"`
	FraudAlerts         int64  `json:"fraudAlerts"`
	Registrations       int64  `json:"registrations"`
	Other               int64  `json:"other"`
}

var dayColumns = []column[day]{
	{"day", func(d day) string { return d.Day }},
	{"store_id", func(d day) string { return integer(d.StoreID) }},
	{"alcohol_interactions", func(d day) string { return integer(d.AlcoholInteractions) }},
	{"fraud_alerts", func(d day) string { return integer(d.FraudAlerts) }},
	{"registrations", func(d day) string { return integer(d.Registrations) }},
	{"other", func(d day) string { return integer(d.Other) }},
}

type summaryPage struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Items []day     `json:"items"`
}

func (a *API) summary(w http.ResponseWriter, r *http.Request, c caller) error {
	page, _, err := a.countDays(r, c, false)
	if err != nil {
		return err
	}
	if err := c.seesRows(r, len(page.Items)); err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, page)
	return nil
}

func (a *API) summaryCSV(w http.ResponseWriter, r *http.Request, c caller) error {
	page, raw, err := a.countDays(r, c, true)
	if err != nil {
		return err
	}
	if err := c.sees(r); err != nil {
		return err
	}
	return streamCSV(w, r, c, "summary", dayColumns, raw, func(each func(day) error) error {
		for _, d := range page.Items {
			if err := each(d); err != nil {
				return err
			}
		}
		return nil
	})
}

// countDays counts the events of the period that a request asks for, by default the
// last 30 days.
func (a *API) countDays(r *http.Request, c caller, csv bool) (page summaryPage, raw bool, err error) {
	allowed := []string{"storeId", "storeExternalId", "from", "to"}
	if csv {
		allowed = append(allowed, "raw")
	}
	p, err := parseParams(r, allowed)
	if err != nil {
		return page, false, err
	}
	f, err := p.filter()
	if err != nil {
		return page, false, err
	}
	if value, err := p.boolean("raw"); err != nil {
		return page, false, err
	} else if value != nil {
		raw = *value
	}
	page.To = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
	if f.To != nil {
		page.To = *f.To
	}
	page.From = page.To.AddDate(0, 0, -summaryDays)
	if f.From != nil {
		page.From = *f.From
	}
	if !page.From.Before(page.To) || page.To.Sub(page.From) > maxSummaryDays*24*time.Hour {
		return page, false, badParameter("from", "The period must not be empty, nor longer than %d days.", maxSummaryDays)
	}
	counts, err := a.store.Summary(r.Context(), c.Scope(), f, page.From, page.To)
	if err != nil {
		return page, false, err
	}
	page.Items = days(counts)
	return page, raw, nil
}

// days joins the counts of one store and day, which follow each other.
func days(counts []store.DayCount) []day {
	items := []day{}
	for _, n := range counts {
		if last := len(items) - 1; last < 0 || items[last].StoreID != n.StoreID || items[last].Day != n.Day {
			items = append(items, day{StoreID: n.StoreID, Day: n.Day})
		}
		d := &items[len(items)-1]
		switch store.Kind(n.Kind) {
		case store.AlcoholInteraction:
			d.AlcoholInteractions = n.Events
		case store.FraudAlert:
			d.FraudAlerts = n.Events
		case store.Registration:
			d.Registrations = n.Events
		case store.Other:
			d.Other = n.Events
		}
	}
	return items
}
