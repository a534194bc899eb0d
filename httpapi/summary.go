package httpapi

import (
	"net/http"
	"slices"
	"time"

	"aifi-audit/store"
)

const (
	summaryDays    = 30   // by default
	maxSummaryDays = 1100 // three years
)

// count is how many events of each kind a store had, and when by the store's clock,
// as far as it was asked.
type count struct {
	StoreID             int64              `json:"storeId"`
	Day                 *string            `json:"day,omitempty"`
	Weekday             *int               `json:"weekday,omitempty"`
	Hour                *int               `json:"hour,omitempty"`
	Disposition         *store.Disposition `json:"disposition,omitempty"`
	AlcoholInteractions int64              `json:"alcoholInteractions"`
	FraudAlerts         int64              `json:"fraudAlerts"`
	Registrations       int64              `json:"registrations"`
	Other               int64              `json:"other"`
}

type summaryPage struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Items []count   `json:"items"`
}

// counting is what a request for counts asks for.
type counting struct {
	filter store.Filter
	period store.Period
	by     store.Grouping
	raw    bool
}

func (a *API) summary(w http.ResponseWriter, r *http.Request, c caller) error {
	ask, err := a.parseCounting(r, false)
	if err != nil {
		return err
	}
	counts, err := a.store.Counts(r.Context(), c.Scope(), ask.filter, ask.by, ask.period)
	if err != nil {
		return err
	}
	if err := c.seesRows(r, len(counts)); err != nil {
		return err
	}
	page := summaryPage{From: ask.period.From, To: ask.period.To, Items: make([]count, len(counts))}
	for i, n := range counts {
		item := count{
			StoreID: n.StoreID, AlcoholInteractions: n.AlcoholInteractions, FraudAlerts: n.FraudAlerts,
			Registrations: n.Registrations, Other: n.Other,
		}
		if ask.by.Day {
			item.Day = &n.Day
		}
		if ask.by.Weekday {
			item.Weekday = &n.Weekday
		}
		if ask.by.Hour {
			item.Hour = &n.Hour
		}
		if ask.by.Disposition {
			item.Disposition = &n.Disposition
		}
		page.Items[i] = item
	}
	writeJSON(w, r, http.StatusOK, page)
	return nil
}

func (a *API) summaryCSV(w http.ResponseWriter, r *http.Request, c caller) error {
	ask, err := a.parseCounting(r, true)
	if err != nil {
		return err
	}
	if err := c.sees(r); err != nil {
		return err
	}
	return streamCSV(w, r, c, "summary", countColumns(ask.by), ask.raw, func(each func(store.Count) error) error {
		counts, err := a.store.Counts(r.Context(), c.Scope(), ask.filter, ask.by, ask.period)
		if err != nil {
			return err
		}
		for _, n := range counts {
			if err := each(n); err != nil {
				return err
			}
		}
		return nil
	})
}

func countColumns(by store.Grouping) []column[store.Count] {
	var columns []column[store.Count]
	if by.Day {
		columns = append(columns, column[store.Count]{"day", func(c *cells, n *store.Count) { c.text(n.Day) }})
	}
	if by.Weekday {
		columns = append(columns, column[store.Count]{"weekday", func(c *cells, n *store.Count) { c.integer(int64(n.Weekday)) }})
	}
	if by.Hour {
		columns = append(columns, column[store.Count]{"hour", func(c *cells, n *store.Count) { c.integer(int64(n.Hour)) }})
	}
	if by.Disposition {
		columns = append(columns, column[store.Count]{"disposition", func(c *cells, n *store.Count) { c.text(string(n.Disposition)) }})
	}
	return append(columns,
		column[store.Count]{"store_id", func(c *cells, n *store.Count) { c.integer(n.StoreID) }},
		column[store.Count]{"alcohol_interactions", func(c *cells, n *store.Count) { c.integer(n.AlcoholInteractions) }},
		column[store.Count]{"fraud_alerts", func(c *cells, n *store.Count) { c.integer(n.FraudAlerts) }},
		column[store.Count]{"registrations", func(c *cells, n *store.Count) { c.integer(n.Registrations) }},
		column[store.Count]{"other", func(c *cells, n *store.Count) { c.integer(n.Other) }},
	)
}

func (a *API) parseCounting(r *http.Request, csv bool) (ask counting, err error) {
	allowed := []string{"storeId", "storeExternalId", "from", "to", "by"}
	if csv {
		allowed = append(allowed, "raw")
	}
	p, err := parseParams(r, allowed)
	if err != nil {
		return ask, err
	}
	if ask.filter, err = p.filter(); err != nil {
		return ask, err
	}
	if ask.by, err = p.grouping(); err != nil {
		return ask, err
	}
	if ask.period, err = p.period(ask.filter, time.Now().In(a.store.TimeZone())); err != nil {
		return ask, err
	}
	raw, err := p.boolean("raw")
	ask.raw = raw != nil && *raw
	return ask, err
}

// grouping reads by, of which the store is always a part.
func (p params) grouping() (store.Grouping, error) {
	by := p.Values["by"]
	for _, v := range by {
		if !slices.Contains([]string{"store", "day", "weekday", "hour", "disposition"}, v) {
			return store.Grouping{}, badParameter("by", "It must be store, day, weekday, hour or disposition.")
		}
	}
	return store.Grouping{
		Day: by == nil || slices.Contains(by, "day"), Weekday: slices.Contains(by, "weekday"), Hour: slices.Contains(by, "hour"),
		Disposition: slices.Contains(by, "disposition"),
	}, nil
}

// period is that of the filter, by default the 30 days that end with the day
// of now. Dates are days on each store's own clock, unless the other end is a time.
func (p params) period(f store.Filter, now time.Time) (store.Period, error) {
	period := store.Period{OnClock: len(p.Get("from")) <= len(time.DateOnly) && len(p.Get("to")) <= len(time.DateOnly)}
	zone := now.Location()
	if period.OnClock {
		zone = time.UTC // as if
	}
	period.To = time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, zone).UTC()
	if f.To != nil {
		period.To = *f.To
	}
	period.From = period.To.AddDate(0, 0, -summaryDays)
	if f.From != nil {
		period.From = *f.From
	}
	if !store.Writable(period.From) {
		return period, badParameter("to", "The %d days before it must be of the years from 1.", summaryDays)
	}
	if !period.From.Before(period.To) || period.To.Sub(period.From) > maxSummaryDays*24*time.Hour {
		return period, badParameter("from", "The period must not be empty, nor longer than %d days.", maxSummaryDays)
	}
	return period, nil
}
