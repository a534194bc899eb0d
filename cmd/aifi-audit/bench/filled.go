package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store"
	"aifi-audit/store/storefill"
)

// filled is a database that holds what years of webhooks would leave in it, with the
// servers that are asked about it.
type filled struct {
	events int
	stores int
	from   time.Time
	span   time.Duration
	name   string
	url    string

	server     *process
	peer       *process
	toServer   *connection
	toPeer     *connection
	toDatabase *pgx.Conn
	keys       []eventKey // of some events, to look up
}

// eventKey is the primary key of an event.
type eventKey struct {
	storeID    int64
	kind       string
	occurredAt time.Time
	id         [16]byte
}

const keysToLookUp = 1000

// fill makes the databases of all sizes, unless they are there, and starts servers.
func (r *run) fill(ctx context.Context) error {
	if r.filled != nil {
		return nil
	}
	if err := r.checkRoom(); err != nil {
		return err
	}
	if err := r.postgres.watchStatements(ctx, r.Config); err != nil {
		return err
	}
	for _, events := range r.Events {
		f, err := r.fillOne(ctx, events)
		if err != nil {
			return fmt.Errorf("filling a database with %d events: %w", events, err)
		}
		r.filled = append(r.filled, f)
	}
	// Only now: a server does not keep a connection that says nothing.
	for _, f := range r.filled {
		if err := r.openFilled(ctx, f); err != nil {
			return fmt.Errorf("starting what answers from a database: %w", err)
		}
	}
	return nil
}

// bytesAnEvent is what a filled database takes, with the log that is written meanwhile.
const bytesAnEvent = 1500

// checkRoom refuses to fill a disk, if it is known which it would be.
func (r *run) checkRoom() error {
	events := 0
	for _, n := range r.Events {
		events += n
	}
	free, known := freeBytes(r.postgres.dir)
	if need := int64(events) * bytesAnEvent; known && r.postgres.private != nil && need > free {
		return fmt.Errorf("databases with %d events take about %d MB, and there is room for %d: name another directory with --dir, or fewer --events", events, need>>20, free>>20)
	}
	return nil
}

func (r *run) fillOne(ctx context.Context, events int) (f *filled, err error) {
	to := r.Start.UTC().Truncate(time.Second)
	f = &filled{events: events, stores: r.Stores, from: to.AddDate(0, -r.Months, 0)}
	f.span = to.Sub(f.from)
	if f.name, f.url, err = r.postgres.fresh(ctx); err != nil {
		return f, err
	}
	s, err := store.Open(ctx, store.Config{DatabaseURL: f.url, Logger: r.Logger})
	if err != nil {
		return f, err
	}
	r.doing("filling a database with %d events", events)
	err = storefill.Fill(ctx, f.url, s, storefill.Options{
		Events: events, Stores: r.Stores, From: f.from, Span: f.span, Reviewed: true,
		Progress: func(n int) { r.doing("filling a database with %d events: %d", events, n) },
	})
	s.Close()
	return f, err
}

func (r *run) openFilled(ctx context.Context, f *filled) (err error) {
	if f.server, err = r.serve(ctx, f.url); err != nil {
		return err
	}
	if f.peer, err = r.start(ctx, "bench-peer", "--database-url="+f.url); err != nil {
		return err
	}
	f.toServer, f.toPeer = connectionTo(f.server.url), connectionTo(f.peer.url)
	if _, err := f.toServer.get("/livez", ""); err != nil {
		return err
	}
	if f.toDatabase, err = pgx.Connect(ctx, f.url); err != nil {
		return fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	f.keys, err = someKeys(ctx, f)
	return err
}

// someKeys draws events from all over the table.
func someKeys(ctx context.Context, f *filled) ([]eventKey, error) {
	// The pages that are drawn hold some twenty events each.
	share := min(100, 100*20*float64(keysToLookUp)/float64(f.events))
	rows, err := f.toDatabase.Query(ctx, `SELECT store_id, kind, occurred_at, id FROM events TABLESAMPLE SYSTEM ($1) REPEATABLE (1) ORDER BY md5(id::text) LIMIT $2`,
		share, keysToLookUp)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (k eventKey, err error) {
		return k, row.Scan(&k.storeID, &k.kind, &k.occurredAt, &k.id)
	})
}

// closeFilled stops the servers; the databases go with the others.
func (r *run) closeFilled() (err error) {
	for _, f := range r.filled {
		for _, c := range []*connection{f.toServer, f.toPeer} {
			if c != nil {
				c.close()
			}
		}
		for _, p := range []*process{f.server, f.peer} {
			if p != nil {
				err = errors.Join(err, p.stop())
			}
		}
		if f.toDatabase != nil {
			err = errors.Join(err, f.toDatabase.Close(context.Background()))
		}
	}
	return err
}
