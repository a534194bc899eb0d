package verify

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// rows looks for rows that the log does not know, and for rows by which search finds
// others that are gone. If all leaves were opened, their tallies tell where there is
// nothing to look for.
func (v *verification) rows(ctx context.Context) error {
	if err := v.certificates(ctx); err != nil {
		return err
	}
	if err := v.actRows(ctx); err != nil {
		return err
	}
	if err := v.endless(ctx); err != nil {
		return err
	}
	differ := tables{true, true, true, true, true}
	if v.From.N == 0 && v.Since.IsZero() {
		if err := v.tallyWaiting(ctx); err != nil {
			return err
		}
		var err error
		if differ, err = v.tallyTables(ctx); err != nil {
			return err
		}
	}
	if !v.Since.IsZero() {
		// What is new is a small part, and all sides of a join are bounded, whatever the
		// statistics say.
		for _, sql := range []string{"SET LOCAL enable_seqscan = off", "SET LOCAL enable_nestloop = off"} {
			if _, err := v.log.Conn.Exec(ctx, sql); err != nil {
				return err
			}
		}
	}
	// Where events were found to be others, what they are counted to be says no more.
	if v.From.N == 0 && v.Since.IsZero() && !differ.events && v.result.Clean() {
		if err := v.counts(ctx); err != nil {
			return fmt.Errorf("counting events: %w", err)
		}
	}
	times, err := v.newTimes(ctx)
	if err != nil {
		return err
	}
	if err := v.uncatalogued(ctx, times); err != nil {
		return err
	}
	unlisted := func(ctx context.Context) error { return v.unlisted(ctx, times) }
	for _, look := range []struct {
		needed bool
		at     func(context.Context) error
	}{
		{differ.received, v.unsequenced}, {differ.events, v.unstated}, {differ.lists, unlisted}, {differ.quarantine, v.unquarantined}, {differ.replays, v.unreplayed},
	} {
		if look.needed {
			if err := look.at(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// unstated finds events that no delivery states.
func (v *verification) unstated(ctx context.Context) error {
	orphans, err := v.Queries.UnstatedEvents(ctx, v.log.Conn, v.Since)
	for _, id := range orphans {
		v.found(Finding{Class: Tampered, What: "event", DeliveryID: &id, Detail: "the delivery that it names does not state it"})
	}
	return err
}

// counts finds days of which the counts are not those of the events.
func (v *verification) counts(ctx context.Context) error {
	wrong, err := v.Queries.WrongCounts(ctx, v.log.Conn)
	for _, w := range wrong {
		v.found(Finding{Class: Tampered, What: "counts", Detail: fmt.Sprintf("of kind %s, store %d had %d on %s, and another number is counted for the day or for its quarters of an hour: %d",
			w.Kind, w.StoreID, w.Stated, w.Day, w.Counted)})
	}
	return err
}

// happened is a time in which events happened; nil is without end.
type happened struct{ from, to *time.Time }

// newTimes are the times in which the events happened that are new: all, if all are.
func (v *verification) newTimes(ctx context.Context) ([]happened, error) {
	if v.Since.IsZero() {
		return []happened{{}}, nil
	}
	hours, err := v.Queries.NewEventHours(ctx, v.log.Conn, v.Since)
	if err != nil {
		return nil, err
	}
	var times []happened
	for len(hours) > 0 {
		n := 1 // hours that follow each other
		for n < len(hours) && hours[n].Sub(hours[n-1]) == time.Hour {
			n++
		}
		end := hours[n-1].Add(time.Hour)
		times = append(times, happened{&hours[0], &end})
		hours = hours[n:]
	}
	return times, nil
}

// unlisted finds flags, products and gondolas of events by which search cannot find
// them, and such by which it finds events that do not state them.
func (v *verification) unlisted(ctx context.Context, times []happened) error {
	for _, t := range times {
		missing, err := v.Queries.MissingListEntries(ctx, v.log.Conn, db.MissingListEntriesParams{Since: v.Since, FromTime: t.from, ToTime: t.to})
		if err != nil {
			return err
		}
		for _, l := range missing {
			v.found(Finding{Class: Missing, What: l.List, DeliveryID: &l.DeliveryID, Detail: fmt.Sprintf("search cannot find the event by %q", l.Value)})
		}
		added, err := v.Queries.AddedListEntries(ctx, v.log.Conn, db.AddedListEntriesParams{Since: v.Since, FromTime: t.from, ToTime: t.to})
		if err != nil {
			return err
		}
		for _, l := range added {
			v.found(Finding{Class: Tampered, What: l.List, DeliveryID: &l.DeliveryID, Detail: fmt.Sprintf("search finds the event by %q, which it does not state", l.Value)})
		}
	}
	return nil
}

// unquarantined finds deliveries that state nothing, and are not in quarantine.
func (v *verification) unquarantined(ctx context.Context) error {
	missing, err := v.Queries.MissingQuarantine(ctx, v.log.Conn, v.Since)
	for _, id := range missing {
		v.found(Finding{Class: Missing, What: "quarantine", DeliveryID: &id, Detail: "it states nothing, and is not in quarantine"})
	}
	return err
}

// unreplayed finds deliveries of which quarantine says that a replay found what they
// state, and the log does not: search would show an event that nobody sent.
func (v *verification) unreplayed(ctx context.Context) error {
	replayed, err := v.Queries.Replayed(ctx, v.log.Conn, v.Since)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(replayed, logrows.TimesAtOnce) {
		times := make([]time.Time, len(some))
		for i, r := range some {
			times[i] = r.ReceivedAt
		}
		logged, err := v.loggedAt(ctx, times)
		if err != nil {
			return err
		}
		for _, r := range some {
			id := logrows.IDOf(translog.Replay, r.DeliveryID)
			_, known := logged[id]
			if _, waits := v.waiting[id]; known || waits {
				continue
			}
			v.found(Finding{Class: Tampered, What: "quarantine", DeliveryID: &r.DeliveryID, Detail: "it is said to have been replayed, and the log does not know of it"})
		}
	}
	return nil
}

// loggedAt are the leaves of some times, at most logrows.TimesAtOnce, and others.
func (v *verification) loggedAt(ctx context.Context, times []time.Time) (map[logrows.ID]struct{}, error) {
	rows, err := v.Queries.LeafRowsAtTimes(ctx, v.log.Conn, times)
	logged := map[logrows.ID]struct{}{}
	for _, row := range rows {
		for _, l := range logrows.IDsOf(row.Ids) {
			logged[l] = struct{}{}
		}
	}
	return logged, err
}

// endless finds rows whose time is none, which no search of a time would meet.
func (v *verification) endless(ctx context.Context) error {
	endless, err := v.Queries.Endless(ctx, v.log.Conn)
	for _, r := range endless {
		kind := translog.Delivery
		if r.What == translog.Access.String() {
			kind = translog.Access
		}
		v.found(Finding{Class: Tampered, What: "time", Detail: "it is without end"}.about(kind, r.ID))
	}
	return err
}

// unsequenced finds deliveries and entries of the access log without a leaf, an hour at
// a time.
func (v *verification) unsequenced(ctx context.Context) error {
	span, err := v.Queries.LoggedSpan(ctx, v.log.Conn, v.Since)
	if err != nil || span.LastAt.IsZero() {
		return err
	}
	end := span.LastAt
	for from := span.FirstAt.Truncate(time.Hour); !from.After(end); from = from.Add(time.Hour) {
		period := db.DeliveryIDsParams{FromTime: from, ToTime: from.Add(time.Hour)}
		deliveries, err := v.Queries.DeliveryIDs(ctx, v.log.Conn, period)
		if err != nil {
			return err
		}
		entries, err := v.Queries.AccessIDs(ctx, v.log.Conn, db.AccessIDsParams(period))
		if err != nil {
			return err
		}
		if len(deliveries)+len(entries) == 0 { // there may be years without any
			span, err = v.Queries.LoggedSpan(ctx, v.log.Conn, period.ToTime)
			if err != nil {
				return err
			}
			if next := span.FirstAt.Truncate(time.Hour); next.After(period.ToTime) {
				from = next.Add(-time.Hour)
			}
			continue
		}
		rows, err := v.Queries.LeafIDsBetween(ctx, v.log.Conn, db.LeafIDsBetweenParams(period))
		if err != nil {
			return err
		}
		logged := make(map[logrows.ID]struct{}, len(deliveries)+len(entries))
		for _, row := range rows {
			for _, l := range logrows.IDsOf(row) {
				logged[l] = struct{}{}
			}
		}
		v.unknown(translog.Delivery, deliveries, logged)
		v.unknown(translog.Access, entries, logged)
	}
	return nil
}

// certificates finds statements of erasures that the log does not know, and such as speak
// of other deliveries than were erased.
func (v *verification) certificates(ctx context.Context) error {
	results, err := v.Queries.ErasureResults(ctx, v.log.Conn)
	if err != nil {
		return err
	}
	for _, r := range results {
		found, err := v.log.Locate(ctx, r.ExecutedAt, r.RequestID)
		if err != nil {
			return err
		}
		logged := map[logrows.ID]struct{}{}
		for _, at := range found {
			logged[logrows.IDOf(at.Kind, r.RequestID)] = struct{}{}
		}
		v.unknown(translog.Certificate, []uuid.UUID{r.RequestID}, logged)
		deliveries, err := v.Queries.ErasedDeliveries(ctx, v.log.Conn, r.RequestID)
		if err != nil {
			return err
		}
		ids := make([]uuid.UUID, len(deliveries))
		for i, d := range deliveries {
			ids[i] = d.DeliveryID
		}
		if sum := logrows.SumOfDeliveries(ids); !strings.Contains(r.Statement, hex.EncodeToString(sum[:])) {
			v.found(Finding{Class: Tampered, What: "certificate", RequestID: &r.RequestID, Detail: "the request did not erase the deliveries of which its statement speaks"})
		}
	}
	return nil
}

// unknown tells which ids the log does not know.
func (v *verification) unknown(kind translog.Kind, ids []uuid.UUID, logged map[logrows.ID]struct{}) {
	for _, id := range ids {
		if f := v.unlogged(kind, id, logged); f != nil {
			v.found(*f)
		}
	}
}

// unlogged is nil if the log knows of an id, or its leaf has not waited for long.
func (v *verification) unlogged(kind translog.Kind, id uuid.UUID, logged map[logrows.ID]struct{}) *Finding {
	if _, ok := logged[logrows.IDOf(kind, id)]; ok {
		return nil
	}
	since, ok := v.waiting[logrows.IDOf(kind, id)]
	if ok && v.Now.Sub(since.at) < waitsTooLong {
		return nil
	}
	f := Finding{Class: Unsequenced, What: kind.String(), Detail: "it has no leaf: it came before the log, or past this program"}.about(kind, id)
	if ok {
		f.Detail = "its leaf waits in the queue since " + since.at.UTC().Format(time.RFC3339)
	}
	return &f
}
