package store

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/spool"
)

// WaryFor is for how many batches all events are asked for.
const WaryFor = waryFor

// ActsVersion is the version of the schema since which acts have leaves.
const ActsVersion = actsVersion

// NewDeliveryIDAt is NewDeliveryID by a clock that shows now.
func NewDeliveryIDAt(now time.Time) (uuid.UUID, error) {
	return newDeliveryID(func() time.Time { return now })
}

// Unbatched commits each delivery in a transaction of its own, with the statements
// of Record: what a server would do that batches nothing.
type Unbatched struct {
	store *Store
	free  chan *flusher
}

// NewUnbatched replaces the pool of s by one with so many connections.
func NewUnbatched(ctx context.Context, s *Store, databaseURL string, connections int) (*Unbatched, error) {
	config, err := recordConfig(databaseURL)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(connections)
	if err := s.writes.open(ctx, config); err != nil {
		return nil, err
	}
	u := &Unbatched{store: s, free: make(chan *flusher, connections)}
	for range connections {
		u.free <- &flusher{store: s, seen: newSeen()}
	}
	return u, nil
}

// Record keeps a delivery. Two transactions may meet in a row that both touch, as
// deadlocks or not, and are then tried again.
func (u *Unbatched) Record(d Delivery) error {
	p, err := u.store.newPending(d)
	if err != nil {
		return err
	}
	if p.problem != nil {
		return fmt.Errorf("the benchmark's body is at fault: %w", p.problem)
	}
	p.prepare()
	f := <-u.free
	defer func() { u.free <- f }()
	_, err = f.commitRetrying([]*pending{p})
	return err
}

// Batches commits deliveries together, as one flusher would.
type Batches struct{ flusher flusher }

// NewBatches writes to s.
func NewBatches(s *Store) *Batches { return &Batches{flusher{store: s, seen: newSeen()}} }

// Record keeps deliveries in one transaction.
func (b *Batches) Record(t testing.TB, deliveries ...Delivery) {
	t.Helper()
	var batch []*pending
	for _, d := range deliveries {
		p, err := b.flusher.store.newPending(d)
		if err != nil {
			t.Fatal(err)
		}
		p.prepare()
		batch = append(batch, p)
	}
	if _, err := b.flusher.commitRetrying(batch); err != nil {
		t.Fatal(err)
	}
}

// Statements notes what is read from a Store.
type Statements struct {
	mu  sync.Mutex
	all []pgx.TraceQueryStartData // guarded by mu
}

// TraceReads replaces the pool of s for reading by one of a single connection, whose
// statements are noted.
func TraceReads(ctx context.Context, s *Store, databaseURL string) (*Statements, error) {
	noted := new(Statements)
	config, err := readConfig(databaseURL)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 1
	config.ConnConfig.Tracer = noted
	return noted, s.reads.open(ctx, config)
}

// TraceWrites replaces the pool of s for writing by one whose statements are noted.
func TraceWrites(ctx context.Context, s *Store, databaseURL string) (*Statements, error) {
	noted := new(Statements)
	config, err := recordConfig(databaseURL)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.Tracer = noted
	return noted, s.writes.open(ctx, config)
}

// Texts gives the statements since it was last called.
func (n *Statements) Texts() (texts []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, q := range n.all {
		texts = append(texts, q.SQL)
	}
	n.all = nil
	return texts
}

// TraceQueryStart implements pgx.QueryTracer.
func (n *Statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, data)
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*Statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Explain runs again what was read since it was last called, and gives the plans as
// PostgreSQL's JSON.
func (n *Statements) Explain(ctx context.Context, s *Store) ([]string, error) {
	n.mu.Lock()
	all := slices.Clone(n.all)
	n.mu.Unlock()
	var plans []string
	for _, q := range all {
		if !strings.Contains(q.SQL, "-- name:") {
			continue
		}
		var plan string
		if err := s.reads.QueryRow(ctx, "EXPLAIN (ANALYZE, FORMAT JSON) "+q.SQL, q.Args...).Scan(&plan); err != nil {
			return nil, err
		}
		plans = append(plans, plan)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = nil
	return plans, nil
}

// WriteSetting is a setting of the connections that Record writes with.
func WriteSetting(ctx context.Context, s *Store, name string) (value string, err error) {
	err = s.writes.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value)
	return value, err
}

// SpoolForTest puts deliveries, and bytes as they are, into the spool of a Store that
// is not open.
func SpoolForTest(t testing.TB, dir string, records ...any) {
	t.Helper()
	q, err := spool.Open(spool.Config{Dir: filepath.Join(dir, "spool")})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		payload, ok := r.([]byte)
		if d, isDelivery := r.(Delivery); isDelivery {
			if payload, err = encodeSpooled(d, nil); err != nil {
				t.Fatal(err)
			}
		} else if !ok {
			t.Fatalf("cannot spool a %T", r)
		}
		if err := q.Append(t.Context(), payload); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
}

// ReadText gives the text that a query has, read as lists are.
func ReadText(ctx context.Context, s *Store, sql string) (text string, err error) {
	return read(ctx, s, func(ctx context.Context, tx db.DBTX, sql string) (text string, err error) {
		err = tx.QueryRow(ctx, sql).Scan(&text)
		return text, err
	}, sql)
}

// SharedRows is how many rows of each scan a page reads.
func SharedRows(limit, scans int) float64 {
	return float64(defaultPaging.share(int64(limit), scans))
}

// SetPaging says when stores are merged, and how.
func SetPaging(s *Store, looksThrough int64, mergesGladly int, sparesEach int64, neverMerges bool) {
	s.paging = paging{looksThrough, mergesGladly, sparesEach, neverMerges}
}

// StoreTables is the query for the tables that belong to a store.
const StoreTables = storeTables
