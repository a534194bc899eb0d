package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store/internal/db"
)

// maxOffset is more than any clock is away from UTC.
const maxOffset = 24 * time.Hour

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
type Grouping struct {
	Day, Weekday, Hour, Disposition bool
	AllStores                       bool // not by store
}

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

// allKinds are the kinds that are counted unless Filter.Kinds has some.
var allKinds = []Kind{AlcoholInteraction, FraudAlert, Registration, Other}

// Counts counts events, newest day first, then by store, weekday, hour and
// disposition. Its cost is the days of the period on which the stores had events, and
// the events in parts of a quarter of an hour at its ends. Counts go with their events.
func (s *Store) Counts(ctx context.Context, scope Scope, f Filter, by Grouping, p Period) ([]Count, error) {
	counts, err := s.CountsBy(ctx, scope, f, p, by)
	if err != nil {
		return nil, err
	}
	return counts[0], nil
}

// CountsBy is Counts for several groupings: it reads once, and from one snapshot.
func (s *Store) CountsBy(ctx context.Context, scope Scope, f Filter, p Period, by ...Grouping) ([][]Count, error) {
	stores, err := s.stores(ctx, scope, f)
	if err != nil {
		return nil, err
	}
	sums := make([]*countSum, len(by))
	for i := range by {
		sums[i] = newCountSum(by[i])
	}
	err = s.snapshot(ctx, func(tx pgx.Tx) error {
		c := counting{queries: s.queries, conn: tx, kinds: kindNames(f), sums: sums}
		if c.clocks, err = s.clocks(ctx, tx, stores, p.within()); err != nil {
			return err
		}
		return c.run(ctx, p)
	})
	if err != nil {
		return nil, err
	}
	counts := make([][]Count, len(by))
	for i, t := range sums {
		counts[i] = t.sorted()
	}
	return counts, nil
}

func kindNames(f Filter) []string {
	kinds := f.Kinds
	if kinds == nil {
		kinds = allKinds
	}
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return names
}

// snapshot runs reads that see one state of the database.
func (s *Store) snapshot(ctx context.Context, read func(tx pgx.Tx) error) error {
	return known(pgx.BeginTxFunc(ctx, s.reads, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, read))
}

// within tells which whole quarters the period has.
func (p Period) within() func(at, clock int64) bool {
	if p.OnClock {
		from, to := p.From.Truncate(quarter).Unix(), p.To.Truncate(quarter).Unix()
		return func(_, clock int64) bool { return clock >= from && clock < to }
	}
	first, end := wholeQuarters(p.From, p.To)
	from, to := first.Unix(), end.Unix()
	return func(at, _ int64) bool { return at >= from && at < to }
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

// counting is one reading of counts.
type counting struct {
	queries *db.Queries
	conn    db.DBTX
	clocks  *clocks
	kinds   []string
	sums    []*countSum
}

func (c *counting) run(ctx context.Context, p Period) error {
	from, to := p.From, p.To
	if p.OnClock {
		from, to = from.Add(-maxOffset), to.Add(maxOffset)
	}
	if err := c.days(ctx, from.UTC().Truncate(fullDay), to.UTC().Add(fullDay-1).Truncate(fullDay)); err != nil {
		return err
	}
	if !p.OnClock {
		first, end := wholeQuarters(p.From, p.To)
		for _, part := range [][2]time.Time{{p.From, first}, {end, p.To}} {
			if err := c.singly(ctx, part[0], part[1]); err != nil {
				return err
			}
		}
	}
	return c.reviewed(ctx, p, from, to)
}

// singly counts the events of a part of a quarter of an hour.
func (c *counting) singly(ctx context.Context, from, to time.Time) error {
	if !from.Before(to) {
		return nil
	}
	found, err := c.queries.CountEventsBetween(ctx, c.conn, db.CountEventsBetweenParams{
		StoreIds: c.clocks.stores, Kinds: c.kinds, FromTime: from, ToTime: to,
	})
	for _, r := range found {
		h, _ := c.clocks.hourAt(r.StoreID, from.Truncate(quarter))
		c.add(r.StoreID, r.Kind, h, Unmarked, r.Events)
	}
	return err
}

// reviewed moves the events that have a disposition to it, if somebody wants to know.
// Only near the ends of a period on the clock does the quarter decide, unless one asks
// for times: what is further in lies within it on every clock.
func (c *counting) reviewed(ctx context.Context, p Period, from, to time.Time) error {
	asks := func(t *countSum) bool { return t.by.Disposition }
	if !slices.ContainsFunc(c.sums, asks) {
		return nil
	}
	first, end := from, to
	if p.OnClock {
		first, end = p.From.Add(maxOffset), p.To.Add(-maxOffset)
	}
	timed := func(t *countSum) bool { return asks(t) && (t.by.Day || t.by.Weekday || t.by.Hour) }
	if end.Before(first) || slices.ContainsFunc(c.sums, timed) {
		return c.reviewedIn(ctx, from, to, true, p.OnClock)
	}
	return errors.Join(c.reviewedIn(ctx, from, first, true, true), c.reviewedIn(ctx, first, end, false, false), c.reviewedIn(ctx, end, to, true, true))
}

func (c *counting) reviewedIn(ctx context.Context, from, to time.Time, byQuarter, onClock bool) error {
	if !from.Before(to) {
		return nil
	}
	found, err := c.queries.CountReviewed(ctx, c.conn, db.CountReviewedParams{
		StoreIds: c.clocks.stores, Kinds: c.kinds, FromTime: from, ToTime: to, ByQuarter: byQuarter,
	})
	for _, r := range found {
		var h clockHour
		within := true
		if byQuarter {
			h, within = c.clocks.hourAt(r.StoreID, r.Bucket)
		}
		if onClock && !within {
			continue
		}
		for _, t := range c.sums {
			if t.by.Disposition {
				t.add(r.StoreID, r.Kind, h, Disposition(r.Disposition), r.Events)
				t.add(r.StoreID, r.Kind, h, Unmarked, -r.Events)
			}
		}
	}
	return err
}

func (c *counting) add(storeID int64, kind string, h clockHour, d Disposition, n int64) {
	if n == 0 {
		return
	}
	for _, t := range c.sums {
		t.add(storeID, kind, h, d, n)
	}
}
