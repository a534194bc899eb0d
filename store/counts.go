package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"aifi-audit/store/internal/db"
)

// quarter is the span of a count. Every time zone of our days is a whole number of
// them away from UTC.
const quarter = 15 * time.Minute

// maxOffset is more than any clock is away from UTC.
const maxOffset = 24 * time.Hour

// countKey names a row of event_counts.
type countKey struct {
	storeID int64
	kind    string
	bucket  time.Time // in UTC
}

// countEvent counts an event that is new.
func (r *rows) countEvent(p *pending) {
	s := p.statement
	r.counts[countKey{s.StoreID, string(kindOf(s.Webhook)), p.occurredAt().UTC().Truncate(quarter)}]++
}

func (r *rows) countParams() (a db.UpsertEventCountsParams) {
	keys := make([]countKey, 0, len(r.counts))
	for k := range r.counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y countKey) int {
		return cmp.Or(cmp.Compare(x.storeID, y.storeID), cmp.Compare(x.kind, y.kind), x.bucket.Compare(y.bucket))
	})
	for _, k := range keys {
		a.StoreID, a.Kind = append(a.StoreID, k.storeID), append(a.Kind, k.kind)
		a.Bucket, a.Events = append(a.Bucket, k.bucket), append(a.Events, r.counts[k])
	}
	return a
}

// Period is a range of time, From inclusive to To exclusive.
type Period struct {
	From, To time.Time
	// OnClock says that From and To are not instants but what each store's own clock
	// shows, given as if in UTC and cut to quarters of an hour: whole days of stores
	// in several time zones.
	OnClock bool
}

// Grouping is what counts are grouped by beside the store. Times are those of the
// store's clock.
type Grouping struct{ Day, Weekday, Hour, Disposition bool }

// Count is how many events of each kind a store had. What it is not grouped by is zero.
type Count struct {
	StoreID             int64
	Day                 string // 2026-01-31
	Weekday             int    // 1 is Monday, 7 is Sunday
	Hour                int    // 0 to 23; when clocks go back, one of them has two hours
	Disposition         Disposition
	AlcoholInteractions int64
	FraudAlerts         int64
	Registrations       int64
	Other               int64
}

// Counts counts events, newest day first, then by store, weekday, hour and
// disposition. Its cost
// is the quarters of an hour of the period in which the stores had events.
func (s *Store) Counts(ctx context.Context, scope Scope, f Filter, by Grouping, p Period) ([]Count, error) {
	stores, err := s.stores(ctx, scope, f)
	if err != nil {
		return nil, err
	}
	args := db.CountEventsParams{
		ByDay: by.Day, ByWeekday: by.Weekday, ByHour: by.Hour, ByDisposition: by.Disposition,
		TimeZone: s.zone.String(), StoreIds: stores, FromTime: p.From, ToTime: p.To,
	}
	if p.OnClock {
		// The bounds that are the same for all stores spare reading the whole table.
		args.FirstBucket, args.EndBucket = p.From.Add(-maxOffset), p.To.Add(maxOffset)
		args.FromTime, args.ToTime = args.FirstBucket, args.EndBucket
		from, to := clockText(p.From), clockText(p.To)
		args.ClockFrom, args.ClockTo = &from, &to
	} else {
		args.FirstBucket, args.EndBucket = wholeQuarters(p.From, p.To)
	}
	found, err := read(ctx, s, s.queries.CountEvents, args)
	if err != nil {
		return nil, known(err)
	}
	counts := make([]Count, len(found))
	for i, r := range found {
		counts[i] = Count{
			StoreID: r.StoreID, Day: r.Day, Weekday: int(r.Weekday), Hour: int(r.Hour), Disposition: Disposition(r.Disposition),
			AlcoholInteractions: r.AlcoholInteractions, FraudAlerts: r.FraudAlerts, Registrations: r.Registrations, Other: r.Other,
		}
	}
	return counts, nil
}

// wholeQuarters are those within a period; the events before and behind them have
// to be counted singly. If there are none, all events are before.
func wholeQuarters(from, to time.Time) (first, end time.Time) {
	first, end = from.Truncate(quarter), to.Truncate(quarter)
	if first.Before(from) {
		first = first.Add(quarter)
	}
	if end.Before(first) {
		return to, to
	}
	return first, end
}

// clockText is what a clock shows, as PostgreSQL reads it.
func clockText(t time.Time) string {
	if t = t.UTC().Truncate(quarter); t.Year() < 1 {
		return "-infinity" // it reads no year 0; no event is that old
	}
	return t.Format("2006-01-02 15:04:05")
}
