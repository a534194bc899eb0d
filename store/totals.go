package store

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store/internal/db"
)

// unmarkedMost is how far events without a disposition are counted singly. They are
// nearly all, which the planner does not know: asked for more, it would sort the table.
const unmarkedMost = 1000

// TotalEvents tells how many events all pages of Events would give. That is exact if
// it is sums, which costs the days of the period, or if there are not more than most;
// else most is where counting stopped. With most 0, all are counted.
//
// Sums can be had by store and time; those with a disposition are counted.
func (s *Store) TotalEvents(ctx context.Context, scope Scope, kind Kind, f Filter, most int) (n int64, exact bool, err error) {
	stores, err := s.stores(ctx, scope, f)
	if err != nil {
		return 0, false, err
	}
	if f.summable(stores) {
		n, err = s.sumEvents(ctx, kind, f, stores)
		return n, true, err
	}
	if slices.Contains(f.Dispositions, Unmarked) {
		most = min(most, unmarkedMost)
	}
	return UpTo(most, func(p Page) (int64, error) { return s.CountEvents(ctx, scope, kind, f, p) })
}

// UpTo counts with a function such as CountSessions, up to most, and tells whether
// these are all. With most 0, all are counted.
func UpTo(most int, count func(Page) (int64, error)) (n int64, exact bool, err error) {
	if most == 0 {
		n, err = count(Page{})
		return n, true, err
	}
	n, err = count(Page{Limit: most + 1})
	return min(n, int64(most)), n <= int64(most), err
}

// summable reports whether the filter asks for what sums are kept of. The events of
// the unknown store, 0, are told apart by the retailer's id, of which there are none.
func (f Filter) summable(stores []int64) bool {
	return f.SessionIDs == nil && f.CustomerIDs == nil && f.ProductIDs == nil && f.GondolaIDs == nil && f.Flags == nil &&
		(f.StoreExternalIDs == nil || !slices.Contains(stores, 0))
}

func (s *Store) sumEvents(ctx context.Context, kind Kind, f Filter, stores []int64) (n int64, err error) {
	stores, err = s.orAllStores(ctx, stores)
	if err != nil {
		return 0, known(err)
	}
	t := total{queries: s.queries, stores: stores, kind: string(kind)}
	err = s.snapshot(ctx, func(tx pgx.Tx) (err error) {
		t.conn = tx
		n, err = t.run(ctx, f)
		return err
	})
	return n, err
}

// total is one reading of a sum.
type total struct {
	queries *db.Queries
	conn    db.DBTX
	stores  []int64
	kind    string
}

// run counts what has a disposition, and takes what has none from the sum of all.
func (t *total) run(ctx context.Context, f Filter) (n int64, err error) {
	// Times in webhooks are those of RFC 3339, which has four digits for a year.
	from, to := time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10_001, 1, 1, 0, 0, 0, 0, time.UTC)
	if f.From != nil {
		from = *f.From
	}
	if f.To != nil {
		to = *f.To
	}
	if f.Dispositions == nil {
		return t.sum(ctx, from, to)
	}
	marks := db.CountMarkedParams{StoreIds: t.stores, Kind: t.kind, FromTime: from, ToTime: to}
	unmarked := slices.Contains(f.Dispositions, Unmarked)
	for _, d := range Dispositions {
		if slices.Contains(f.Dispositions, d) != unmarked {
			marks.Dispositions = append(marks.Dispositions, string(d))
		}
	}
	marked, err := t.queries.CountMarked(ctx, t.conn, marks)
	if err != nil || !unmarked {
		return marked, err
	}
	n, err = t.sum(ctx, from, to)
	return n - marked, err
}

// sum sums whole days, whole quarters of an hour at their ends, and counts what is
// before and behind these.
func (t *total) sum(ctx context.Context, from, to time.Time) (n int64, err error) {
	first, end := wholeQuarters(from, to)
	firstDay, endDay := first.Add(fullDay-1).Truncate(fullDay), end.Truncate(fullDay)
	if firstDay.After(endDay) { // less than a day
		firstDay, endDay = end, end
	}
	for _, part := range []struct {
		count    func(context.Context, time.Time, time.Time) (int64, error)
		from, to time.Time
	}{
		{t.singly, from, first}, {t.quarters, first, firstDay}, {t.days, firstDay, endDay}, {t.quarters, endDay, end}, {t.singly, end, to},
	} {
		if part.from.Before(part.to) {
			more, err := part.count(ctx, part.from, part.to)
			if err != nil {
				return 0, err
			}
			n += more
		}
	}
	return n, nil
}

func (t *total) days(ctx context.Context, first, end time.Time) (int64, error) {
	return t.queries.SumEventDays(ctx, t.conn, db.SumEventDaysParams{StoreIds: t.stores, Kind: t.kind, FirstDay: first, EndDay: end})
}

// quarters sums those of one day.
func (t *total) quarters(ctx context.Context, first, end time.Time) (n int64, err error) {
	day := first.Truncate(fullDay)
	err = t.queries.StreamEventDays(ctx, t.conn, db.ListEventDaysParams{
		StoreIds: t.stores, Kinds: []string{t.kind}, FirstDay: day, EndDay: day.Add(fullDay),
	}, func(r db.ListEventDaysRow) error {
		for _, events := range r.Quarters.Events[first.Sub(day)/quarter : end.Sub(day)/quarter] {
			n += int64(events)
		}
		return nil
	})
	return n, err
}

func (t *total) singly(ctx context.Context, from, to time.Time) (n int64, err error) {
	found, err := t.queries.CountEventsBetween(ctx, t.conn, db.CountEventsBetweenParams{StoreIds: t.stores, Kinds: []string{t.kind}, FromTime: from, ToTime: to})
	for _, r := range found {
		n += r.Events
	}
	return n, err
}
