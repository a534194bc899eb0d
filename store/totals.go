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
// Sums can be had by store, time and missing disposition. They are of the events that
// are there: counts of months whose partition was dropped are left out.
func (s *Store) TotalEvents(ctx context.Context, scope Scope, kind Kind, f Filter, most int) (n int64, exact bool, err error) {
	stores, err := s.stores(ctx, scope, f)
	if err != nil {
		return 0, false, err
	}
	if f.summable(stores) {
		if n, exact, err = s.sumEvents(ctx, scope, kind, f, stores, most); err != nil || exact {
			return n, exact, err
		}
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
		(f.Dispositions == nil || slices.Contains(f.Dispositions, Unmarked)) &&
		(f.StoreExternalIDs == nil || !slices.Contains(stores, 0))
}

func (s *Store) sumEvents(ctx context.Context, scope Scope, kind Kind, f Filter, stores []int64, most int) (n int64, exact bool, err error) {
	stores, err = s.orAllStores(ctx, stores)
	if err != nil {
		return 0, false, known(err)
	}
	t := total{queries: s.queries, stores: stores, kind: string(kind)}
	err = s.snapshot(ctx, func(tx pgx.Tx) error {
		t.conn = tx
		if err := t.readMonths(ctx); err != nil {
			return err
		}
		n, exact, err = t.run(ctx, f, most)
		return err
	})
	if err != nil || !exact || f.Dispositions == nil {
		return n, exact, err
	}
	marked := f
	marked.Dispositions = slices.DeleteFunc(slices.Clone(Dispositions), func(d Disposition) bool { return slices.Contains(f.Dispositions, d) })
	if len(marked.Dispositions) == 0 {
		return n, true, nil
	}
	others, exact, err := UpTo(most, func(p Page) (int64, error) { return s.CountEvents(ctx, scope, kind, marked, p) })
	return max(0, n-others), exact, err
}

// total is one reading of a sum.
type total struct {
	queries *db.Queries
	conn    db.DBTX
	stores  []int64
	kind    string
	months  []time.Time // that have a partition, in order
}

// readMonths asks the system's tables, which sqlc does not know. Partitions of events
// are named after their month.
func (t *total) readMonths(ctx context.Context) error {
	rows, err := t.conn.Query(ctx, "SELECT right(inhrelid::regclass::text, 6) FROM pg_inherits WHERE inhparent = 'events'::regclass ORDER BY 1")
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, name := range names {
		if month, err := time.Parse("200601", name); err == nil { // the DEFAULT partition is none
			t.months = append(t.months, month)
		}
	}
	return err
}

// run sums whole quarters of an hour, and counts what is not among them.
func (t *total) run(ctx context.Context, f Filter, most int) (n int64, exact bool, err error) {
	if len(t.months) == 0 {
		return 0, false, nil
	}
	from, to := t.months[0], t.months[len(t.months)-1].AddDate(0, 1, 0)
	if f.From != nil && f.From.After(from) {
		from = *f.From
	}
	if f.To != nil && f.To.Before(to) {
		to = *f.To
	}
	if from.Before(to) {
		if n, err = t.sum(ctx, from, to); err != nil {
			return 0, false, err
		}
	}
	outside, exact, err := UpTo(most, func(p Page) (int64, error) {
		return t.queries.CountDefaultEvents(ctx, t.conn, db.CountDefaultEventsParams{
			StoreIds: t.stores, Kind: t.kind, FromTime: f.From, ToTime: f.To, RowLimit: atMost(p),
		})
	})
	return n + outside, exact, err
}

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
	return t.queries.SumEventDays(ctx, t.conn, db.SumEventDaysParams{StoreIds: t.stores, Kind: t.kind, FirstDay: first, EndDay: end, Months: t.months})
}

// quarters sums those of one day.
func (t *total) quarters(ctx context.Context, first, end time.Time) (n int64, err error) {
	day := first.Truncate(fullDay)
	if !t.has(day) {
		return 0, nil
	}
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
	if !t.has(from) {
		return 0, nil
	}
	found, err := t.queries.CountEventsBetween(ctx, t.conn, db.CountEventsBetweenParams{StoreIds: t.stores, Kinds: []string{t.kind}, FromTime: from, ToTime: to})
	for _, r := range found {
		n += r.Events
	}
	return n, err
}

// has reports whether there is a partition of the month of a time.
func (t *total) has(at time.Time) bool {
	at = at.UTC()
	return slices.ContainsFunc(t.months, func(m time.Time) bool { return m.Year() == at.Year() && m.Month() == at.Month() })
}
