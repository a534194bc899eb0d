package verify

import (
	"context"
	"fmt"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// tables says of which tables the tallies differ from those of the leaves.
type tables struct{ received, events, lists, quarantine, replays bool }

// tallyTables reads the keys of all rows that leaves are about.
func (v *verification) tallyTables(ctx context.Context) (differ tables, err error) {
	var have tallies
	tx, q, k := v.log.Conn, v.Queries, tallier{key: v.tallyKey}
	steps := []struct {
		table string
		run   func() error
	}{
		{"deliveries", func() error { return tallyTable(ctx, tx, &k, &have.deliveries, q.AllDeliveries, receivedKey) }},
		{"quarantine", func() error { return tallyTable(ctx, tx, &k, &have.quarantine, q.AllQuarantine, receivedKey) }},
		{"quarantine", func() error { return tallyTable(ctx, tx, &k, &have.replays, q.AllReplays, listKey) }},
		{"access_log", func() error { return tallyTable(ctx, tx, &k, &have.access, q.AllAccess, accessKey) }},
		{"events", func() error { return tallyTable(ctx, tx, &k, &have.events, q.AllEvents, statedKey) }},
		{"event_flags", func() error { return tallyTable(ctx, tx, &k, &have.flags, q.AllFlags, listKey) }},
		{"event_products", func() error { return tallyTable(ctx, tx, &k, &have.products, q.AllProducts, listKey) }},
		{"event_gondolas", func() error { return tallyTable(ctx, tx, &k, &have.gondolas, q.AllGondolas, listKey) }},
	}
	for _, step := range steps {
		if err := step.run(); err != nil {
			return differ, fmt.Errorf("reading the keys of %s: %w", step.table, err)
		}
	}
	return tables{
		received: have.deliveries != v.known.deliveries || have.access != v.known.access,
		events:   have.events != v.known.events,
		// Lists were tallied by the events of the leaves.
		lists:      have.events != v.known.events || have.flags != v.known.flags || have.products != v.known.products || have.gondolas != v.known.gondolas,
		quarantine: have.quarantine != v.known.quarantine,
		replays:    have.replays != v.known.replays,
	}, nil
}

// tallyTable adds all rows of a table to a tally.
func tallyTable[R any](ctx context.Context, tx db.DBTX, k *tallier, t *tally, all func(context.Context, db.DBTX) ([]R, error), key func(*db.RawRow) keyRow) error {
	return db.Each(ctx, tx, all, func(r *db.RawRow) error {
		row := key(r)
		t.add(rowSum(k, row.storeID, row.kind, row.at, row.id, row.value))
		return nil
	})
}

// tallyWaiting adds what leaves are about that wait in the queue, and may: their rows
// are there already. It looks at a few at most, as there are while a sequencer runs;
// if there are more, the rows are looked at one by one.
func (v *verification) tallyWaiting(ctx context.Context) error {
	byKind := map[translog.Kind][]*storedLeaf{}
	for id, since := range v.waiting {
		if v.Now.Sub(since.at) < waitsTooLong {
			l := &storedLeaf{kind: translog.Kind(id[0]), id: [16]byte(id[1:]), hash: since.hash}
			byKind[l.kind] = append(byKind[l.kind], l)
		}
	}
	if len(v.waiting) > mostWaiting {
		return nil
	}
	o, c := opener{verification: v, log: v.log, tallier: tallier{key: v.tallyKey}}, chunk{}
	for kind, leaves := range byKind {
		if err := o.openKind(ctx, &c, kind, leaves); err != nil {
			return err
		}
	}
	v.known.merge(c.tallies)
	return nil
}
