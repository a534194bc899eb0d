package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

// overviewFilters are those that counts know.
var overviewFilters = []string{"storeId", "storeExternalId", "from", "to"}

// countedMost is how many stores are listed; if there are more, those with the most
// events. Senders choose store ids.
const countedMost = 500

// overview shows what a period had, and what needs attention now.
func (a *API) overview(w http.ResponseWriter, r *http.Request, v visitor) error {
	c, err := v.context(r, "/", overviewFilters)
	if err != nil {
		return err
	}
	if tidy, changed := tidied(r.URL.Query(), c.zone); changed {
		http.Redirect(w, r, c.address(tidy), http.StatusSeeOther)
		return nil
	}
	f, period, err := a.overviewPeriod(r, c.now)
	if fault, ok := c.fault(err); ok {
		return v.overviewFault(w, r, c, f, fault)
	}
	if err != nil {
		return err
	}
	o := &overview{c: c, v: v, filter: f, period: period}
	view, err := o.draw(r.Context())
	if err != nil {
		return err
	}
	return v.show(w, r, "overview", ui.View{Title: "Overview", Section: "/", Main: view})
}

// overviewPeriod reads the filters.
func (a *API) overviewPeriod(r *http.Request, now time.Time) (f store.Filter, period store.Period, err error) {
	p, err := parseParams(r, overviewFilters)
	if err != nil {
		return f, period, err
	}
	if f, err = p.filter(); err != nil {
		return f, period, err
	}
	period, err = p.period(f, now.In(a.store.TimeZone()))
	return f, period, err
}

// overviewFault shows the form again, with what is wrong with a field of it.
func (v visitor) overviewFault(w http.ResponseWriter, r *http.Request, c *pageContext, f store.Filter, fault ui.Fault) error {
	day := func(name string, t *time.Time) string {
		if asked := c.query.Get(name); t == nil || len(asked) == len(time.DateOnly) {
			return asked
		}
		return t.In(c.zone).Format(time.DateOnly)
	}
	f = c.readable(f)
	view := ui.Overview{Filters: c.dayFilters(f)}
	view.Filters.From, view.Filters.To, view.Filters.More, view.Filters.Fault = day("from", f.From), day("to", f.To), true, fault
	if err := v.sees(r); err != nil {
		return err
	}
	return v.draw(w, r, http.StatusBadRequest, "overview", ui.View{Title: "Overview", Section: "/", Main: view})
}

// overview counts what one page shows.
type overview struct {
	c      *pageContext
	v      visitor
	filter store.Filter
	period store.Period

	byDay, byHour, byDisposition, byStore []store.Count
}

func (o *overview) draw(ctx context.Context) (ui.Overview, error) {
	if err := o.count(ctx); err != nil {
		return ui.Overview{}, err
	}
	view := ui.Overview{Filters: o.filters()}
	o.bars(&view)
	o.heat(&view)
	o.reviews(&view)
	o.stores(&view)
	return view, o.attention(ctx, &view)
}

// count reads all counts at once.
func (o *overview) count(ctx context.Context) error {
	f := o.filter
	f.Kinds = []store.Kind{store.AlcoholInteraction, store.FraudAlert}
	counts, err := o.v.api.store.CountsBy(ctx, o.v.Scope(), f, o.period,
		store.Grouping{AllStores: true, Day: true},
		store.Grouping{AllStores: true, Weekday: true, Hour: true},
		store.Grouping{AllStores: true, Disposition: true},
		store.Grouping{})
	if err != nil {
		return err
	}
	o.byDay, o.byHour, o.byDisposition, o.byStore = counts[0], counts[1], counts[2], counts[3]
	return nil
}

// dayFilters is the form, whose fields are days here.
func (c *pageContext) dayFilters(f store.Filter) ui.Filters {
	view := c.filtersView(f)
	view.Dates, view.Zone = true, "Days by each store's own clock"
	view.Ranges = c.dayRanges(c.query.Get("from"), c.query.Get("to"))
	return view
}

func (o *overview) filters() ui.Filters {
	view := o.c.dayFilters(o.filter)
	view.From, view.To = o.day(o.period.From).Format(time.DateOnly), o.day(o.period.To).Format(time.DateOnly)
	view.More = true
	for _, l := range view.Ranges {
		view.More = view.More && !l.Current
	}
	last := o.day(o.period.To.Add(-time.Second))
	view.RangeLabel = o.day(o.period.From).Format("2 Jan 2006") + " – " + last.Format("2 Jan 2006")
	return view
}

// day is a time of the period as the clock shows it.
func (o *overview) day(t time.Time) time.Time {
	if o.period.OnClock {
		return t.UTC()
	}
	return t.In(o.c.zone)
}

// instant is the day of a clock as a time of the zone of the page.
func (o *overview) instant(day time.Time) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, o.c.zone)
}

// listed is the address of a list with the stores of the page, for a part of the
// period, and perhaps one more filter.
func (o *overview) listed(path string, from, to time.Time, more ...string) string {
	q := url.Values{"from": {stamp(from)}, "to": {stamp(to)}}
	for _, name := range []string{"storeId", "storeExternalId"} {
		if values := o.c.query[name]; len(values) > 0 {
			q[name] = values
		}
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return path + query(q)
}

func (o *overview) whole() (from, to time.Time) {
	if o.period.OnClock {
		return o.instant(o.period.From), o.instant(o.period.To)
	}
	return o.period.From, o.period.To
}

// reviews counts what was said of the events, and what still waits for it.
func (o *overview) reviews(view *ui.Overview) {
	alcohol, fraud := map[store.Disposition]int64{}, map[store.Disposition]int64{}
	for _, n := range o.byDisposition {
		alcohol[n.Disposition] += n.AlcoholInteractions
		fraud[n.Disposition] += n.FraudAlerts
	}
	from, to := o.whole()
	for _, d := range append([]store.Disposition{store.Unmarked}, store.Dispositions...) {
		tag, ok := dispositionTags[d]
		if !ok {
			tag = ui.Tag{Text: "Not reviewed"}
		}
		view.Reviews = append(view.Reviews, ui.Count{
			Tag: &tag, Alcohol: alcohol[d], Fraud: fraud[d],
			AlcoholHref: o.listed("/alcohol-interactions", from, to, "disposition", string(d)),
			FraudHref:   o.listed("/fraud-alerts", from, to, "disposition", string(d)),
		})
	}
	view.Figures = append(view.Figures, ui.Figure{
		Label: "Fraud alerts not reviewed", Value: fraud[store.Unmarked], Href: o.listed("/fraud-alerts", from, to, "disposition", string(store.Unmarked)),
	})
}

// stores lists what each store had.
func (o *overview) stores(view *ui.Overview) {
	last := map[int64]time.Time{}
	for _, s := range o.c.stores {
		last[s.StoreID] = s.LastSeenAt
	}
	from, to := o.whole()
	counts := o.byStore
	if view.MoreStores = int64(len(counts) - countedMost); view.MoreStores > 0 {
		slices.SortStableFunc(counts, func(a, b store.Count) int {
			return cmp.Compare(b.AlcoholInteractions+b.FraudAlerts, a.AlcoholInteractions+a.FraudAlerts)
		})
		counts = counts[:countedMost]
	}
	for _, n := range counts {
		id := strconv.FormatInt(n.StoreID, 10)
		line := ui.Count{
			Text: o.c.storeText(n.StoreID), Alcohol: n.AlcoholInteractions, Fraud: n.FraudAlerts,
			Href:        "/" + query(with(o.c.filtersOnly(), "storeId", id)),
			AlcoholHref: o.listed("/alcohol-interactions", from, to, "storeId", id), FraudHref: o.listed("/fraud-alerts", from, to, "storeId", id),
		}
		if at, ok := last[n.StoreID]; ok {
			line.Note = ui.Maybe(o.c.zones.of(n.StoreID), &at)
		}
		view.Stores = append(view.Stores, line)
	}
}

func (o *overview) heat(view *ui.Overview) {
	var hours [7][24]int64
	for _, n := range o.byHour {
		hours[n.Weekday-1][n.Hour] += n.AlcoholInteractions
	}
	view.Heat = ui.NewHeat(hours)
}
