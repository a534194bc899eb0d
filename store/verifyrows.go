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

// unsequenced finds deliveries without a leaf, a day of deliveries at a time.
func (v *verification) unsequenced(ctx context.Context) error {
	waiting, err := v.waiting(ctx)
	if err != nil {
		return err
	}
	span, err := v.queries.DeliverySpan(ctx, v.log.conn, v.Since)
	if err != nil || span.Deliveries == 0 {
		return err
	}
	const day = 24 * time.Hour
	for from := span.FirstAt.Truncate(day); !from.After(span.LastAt); from = from.Add(day) {
		period := db.DeliveryIDsParams{FromTime: from, ToTime: from.Add(day)}
		ids, err := v.queries.DeliveryIDs(ctx, v.log.conn, period)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			continue
		}
		rows, err := v.queries.LeafIDsBetween(ctx, v.log.conn, db.LeafIDsBetweenParams(period))
		if err != nil {
			return err
		}
		logged := make(map[uuid.UUID]struct{}, len(ids))
		for _, row := range rows {
			for i := 0; i+idSize <= len(row); i += idSize {
				if translog.Kind(row[i]) == translog.Delivery {
					logged[uuid.UUID(row[i+1:i+idSize])] = struct{}{}
				}
			}
		}
		for _, id := range ids {
			if _, ok := logged[id]; ok {
				continue
			}
			since, ok := waiting[id]
			if ok && v.now.Sub(since) < waitsTooLong {
				continue
			}
			f := Finding{Class: Unsequenced, What: "delivery", DeliveryID: &id, Detail: "it has no leaf: it came before the log, or past this program"}
			if ok {
				f.Detail = "its leaf waits in the queue since " + since.UTC().Format(time.RFC3339)
			}
			v.found(f)
		}
	}
	return nil
}

// waiting are the deliveries whose leaves are in the queue, and since when.
func (v *verification) waiting(ctx context.Context) (map[uuid.UUID]time.Time, error) {
	queued, err := v.queries.QueuedLeaves(ctx, v.log.conn)
	if err != nil {
		return nil, err
	}
	waiting := map[uuid.UUID]time.Time{}
	for _, q := range queued {
		for _, record := range q.Leaves {
			v.result.Waiting++
			l, err := translog.ParseLeaf(record)
			if err != nil {
				v.found(Finding{Class: Tampered, What: "queue", Detail: "it holds what is no leaf"})
				continue
			}
			if l.Kind == translog.Delivery {
				waiting[l.ID] = q.QueuedAt
			}
		}
	}
	return waiting, nil
}
