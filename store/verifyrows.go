package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// waitsTooLong is when a leaf that waits in the queue is a finding.
const waitsTooLong = time.Minute

// rows looks for rows that the log does not know, and for rows by which search finds
// others that are gone.
func (v *verification) rows(ctx context.Context) error {
	if err := v.unsequenced(ctx); err != nil {
		return err
	}
	if err := v.certificates(ctx); err != nil {
		return err
	}
	since := v.Since
	orphans, err := v.queries.UnstatedEvents(ctx, v.log.conn, since)
	if err != nil {
		return err
	}
	for _, id := range orphans {
		v.found(Finding{Class: Tampered, What: "event", DeliveryID: &id, Detail: "the delivery that it names does not state it"})
	}
	lists, err := v.queries.MissingListEntries(ctx, v.log.conn, since)
	if err != nil {
		return err
	}
	for _, l := range lists {
		v.found(Finding{Class: Missing, What: l.List, DeliveryID: &l.DeliveryID, Detail: fmt.Sprintf("search cannot find the event by %q", l.Value)})
	}
	quarantine, err := v.queries.MissingQuarantine(ctx, v.log.conn, since)
	if err != nil {
		return err
	}
	for _, id := range quarantine {
		v.found(Finding{Class: Missing, What: "quarantine", DeliveryID: &id, Detail: "it states nothing, and is not in quarantine"})
	}
	return nil
}

// unsequenced finds deliveries and entries of the access log without a leaf, a day at
// a time.
func (v *verification) unsequenced(ctx context.Context) error {
	span, err := v.queries.LoggedSpan(ctx, v.log.conn, v.Since)
	if err != nil || span.LastAt.IsZero() {
		return err
	}
	const day = 24 * time.Hour
	for from := span.FirstAt.Truncate(day); !from.After(span.LastAt); from = from.Add(day) {
		period := db.DeliveryIDsParams{FromTime: from, ToTime: from.Add(day)}
		deliveries, err := v.queries.DeliveryIDs(ctx, v.log.conn, period)
		if err != nil {
			return err
		}
		entries, err := v.queries.AccessIDs(ctx, v.log.conn, db.AccessIDsParams(period))
		if err != nil {
			return err
		}
		if len(deliveries)+len(entries) == 0 {
			continue
		}
		rows, err := v.queries.LeafIDsBetween(ctx, v.log.conn, db.LeafIDsBetweenParams(period))
		if err != nil {
			return err
		}
		logged := make(map[leafID]struct{}, len(deliveries)+len(entries))
		for _, row := range rows {
			for i := 0; i+idSize <= len(row); i += idSize {
				logged[leafID(row[i:i+idSize])] = struct{}{}
			}
		}
		v.unknown(translog.Delivery, deliveries, logged)
		v.unknown(translog.Access, entries, logged)
	}
	return nil
}

// certificates finds statements of erasures that the log does not know.
func (v *verification) certificates(ctx context.Context) error {
	results, err := v.queries.ErasureResults(ctx, v.log.conn)
	if err != nil {
		return err
	}
	for _, r := range results {
		found, err := v.log.locate(ctx, r.ExecutedAt, r.RequestID)
		if err != nil {
			return err
		}
		logged := map[leafID]struct{}{}
		for _, at := range found {
			logged[leafIDOf(at.kind, r.RequestID)] = struct{}{}
		}
		v.unknown(translog.Certificate, []uuid.UUID{r.RequestID}, logged)
	}
	return nil
}

// leafID names what a leaf is about, as log_leaves does: its kind, and its id.
type leafID [idSize]byte

func leafIDOf(kind translog.Kind, id uuid.UUID) leafID {
	return leafID(append([]byte{byte(kind)}, id[:]...))
}

// unknown tells which ids the log does not know.
func (v *verification) unknown(kind translog.Kind, ids []uuid.UUID, logged map[leafID]struct{}) {
	for _, id := range ids {
		if _, ok := logged[leafIDOf(kind, id)]; ok {
			continue
		}
		since, ok := v.waiting[leafIDOf(kind, id)]
		if ok && v.now.Sub(since) < waitsTooLong {
			continue
		}
		f := Finding{Class: Unsequenced, What: kind.String(), Detail: "it has no leaf: it came before the log, or past this program"}.about(kind, id)
		if ok {
			f.Detail = "its leaf waits in the queue since " + since.UTC().Format(time.RFC3339)
		}
		v.found(f)
	}
}

// queue notes which leaves wait, and since when.
func (v *verification) queue(ctx context.Context) error {
	queued, err := v.queries.QueuedLeaves(ctx, v.log.conn)
	if err != nil {
		return err
	}
	v.waiting = map[leafID]time.Time{}
	for _, q := range queued {
		for _, record := range q.Leaves {
			v.result.Waiting++
			l, err := translog.ParseLeaf(record)
			if err != nil {
				v.found(Finding{Class: Tampered, What: "queue", Detail: "it holds what is no leaf"})
				continue
			}
			v.waiting[leafIDOf(l.Kind, l.ID)] = q.QueuedAt
		}
	}
	return nil
}
