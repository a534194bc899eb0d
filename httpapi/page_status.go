package httpapi

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

// trafficMost is how many webhooks of stores are shown; if there are more, those of
// which most was missed.
const trafficMost = 100

// statusPage shows how the installation does, as /api/v1/status tells it.
func (a *API) statusPage(w http.ResponseWriter, r *http.Request, v visitor) error {
	c, err := v.context(r, "/status", []string{"storeId"})
	if err != nil {
		return err
	}
	p, err := parseParams(r, []string{"storeId"})
	if err != nil {
		return err
	}
	f, err := p.filter()
	if err != nil {
		return err
	}
	state := a.store.State(r.Context(), v.Scope(), f.StoreIDs)
	view := ui.Status{Filtered: f.StoreIDs != nil, Facts: statusFacts(c, v, state)}
	traffic := state.Traffic
	if view.More = int64(len(traffic) - trafficMost); view.More > 0 {
		slices.SortStableFunc(traffic, func(a, b store.Traffic) int { return cmp.Compare(b.Missed, a.Missed) })
		traffic = traffic[:trafficMost]
	}
	for _, t := range traffic {
		at := ui.In(c.zones.of(t.StoreID), t.LastAt)
		row := ui.Traffic{Store: c.storeText(t.StoreID), Href: c.address(url.Values{"storeId": {strconv.FormatInt(t.StoreID, 10)}}), Webhook: t.Webhook, Last: at, Hour: t.LastHour, Day: t.LastDay, Usual: "not known yet"}
		if t.UsualPerHour != nil {
			row.Usual = fmt.Sprintf("%.1f", *t.UsualPerHour)
		}
		if t.Lag != nil {
			row.Lag = ui.Lag(time.Time{}, time.Time{}.Add(*t.Lag))
		}
		if t.Silent() {
			row.Silent = fmt.Sprintf("%.0f missed", t.Missed)
		}
		view.Traffic = append(view.Traffic, row)
	}
	return v.show(w, r, "status", ui.View{Title: "State", Section: "/status", Main: view})
}

func statusFacts(c *pageContext, v visitor, state store.State) []ui.Fact {
	fact := func(name, text string) ui.Fact { return ui.Fact{Name: name, Cell: ui.Cell{Text: text}} }
	facts := []ui.Fact{fact("Database", "records"), fact("Log", logTexts[state.Log.State])}
	if !state.AwaySince.IsZero() {
		since := ui.In(c.zone, state.AwaySince)
		facts[0] = ui.Fact{Name: "Database cannot be used since", Cell: ui.Cell{Time: &since}}
	}
	if state.Log.Error != "" {
		facts = append(facts, fact("Why the log is not signed", state.Log.Error))
	}
	if n := state.OpenQuarantine; n != nil {
		facts = append(facts, ui.Fact{Name: "In quarantine", Cell: ui.Cell{Text: ui.Number(*n), Href: "/quarantine?replayed=false"}})
	}
	if v.StoreIDs != nil {
		return facts
	}
	if err := state.SpoolError; err != nil {
		facts = append(facts, fact("The spool cannot be used", err.Error()))
	}
	if s := state.Spool; s == nil {
		facts = append(facts, fact("Spool", "there is none"))
	} else {
		facts = append(facts, fact("Waiting in the spool", ui.Number(s.Records)), fact("Spool on disk", ui.Bytes(s.DiskBytes)+" of "+ui.Bytes(s.MaxBytes)))
		if n := state.Undecided.Records; n > 0 {
			facts = append(facts, fact("Waiting until their token can be looked up", ui.Number(n)))
		}
	}
	refused := v.api.metrics.refusedWebhooks()
	line := fact("Webhooks refused since the start", ui.Number(refused.Count))
	if v.May(store.MayAdminister) {
		line.Cell.Href = "/refused"
	}
	return append(facts, line)
}

var logTexts = map[string]string{
	store.LogOff: "has no key", store.LogStandby: "another process signs, or none just now", store.LogRunning: "is signed", store.LogRefusing: "refuses to sign",
}
