package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"aifi-audit/store/internal/db"
)

const (
	// quarter is the span of a count. Every time zone of our days is a whole number of
	// them away from UTC: sums of quarters are exact on any store's clock, and stay so
	// when a store gets another zone.
	quarter = 15 * time.Minute
	fullDay = db.QuartersOfDay * quarter // of UTC
)

// dayKey names a row of event_days.
type dayKey struct {
	storeID int64
	kind    string
	day     time.Time // its first instant, in UTC
}

// dayCounts are the events of the quarters of a day, by the quarter's number.
type dayCounts map[int]int64

// countEvent counts an event that is new.
func (r *rows) countEvent(p *pending) {
	at := p.occurredAt().UTC()
	key := dayKey{p.statement.StoreID, string(p.statement.Webhook.Kind()), at.Truncate(fullDay)}
	if r.counts[key] == nil {
		r.counts[key] = dayCounts{}
	}
	r.counts[key][int(at.Sub(key.day)/quarter)]++
}

func (r *rows) countParams() (a db.UpsertEventDaysParams) {
	keys := make([]dayKey, 0, len(r.counts))
	for k := range r.counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y dayKey) int {
		return cmp.Or(cmp.Compare(x.storeID, y.storeID), cmp.Compare(x.kind, y.kind), x.day.Compare(y.day))
	})
	for _, k := range keys {
		events, quarters := r.counts[k].array()
		a.StoreID, a.Kind, a.Day = append(a.StoreID, k.storeID), append(a.Kind, k.kind), append(a.Day, k.day)
		a.Events, a.Quarters = append(a.Events, events), append(a.Quarters, quarters)
	}
	return a
}

// array is the counts as PostgreSQL reads an array, such as [37:39]={2,0,1}, and
// their sum.
func (c dayCounts) array() (events int64, quarters string) {
	first, last := db.QuartersOfDay, 0
	for q, n := range c {
		first, last, events = min(first, q), max(last, q), events+n
	}
	var b strings.Builder
	for q := first; q <= last; q++ {
		fmt.Fprintf(&b, ",%d", c[q])
	}
	return events, fmt.Sprintf("[%d:%d]={%s}", first, last, strings.TrimPrefix(b.String(), ","))
}
