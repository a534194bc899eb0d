// Package store keeps AiFi's webhooks and finds them again.
//
// Its invariants:
//
//   - [Store.Record] is the only way into deliveries and events. It returns after
//     the commit, or says that nothing was kept.
//   - A delivery keeps the id and the time of its receipt, however often it is
//     recorded; recording it twice changes nothing.
//   - A delivery that cannot be stored as it should is quarantined, and its
//     neighbours in the batch do not notice.
//   - Every read takes a [Scope], and sees no row outside of it.
//   - No type of the database driver appears in the API.
package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"aifi-audit/store/internal/db"
)

// Config of a Store.
type Config struct {
	DatabaseURL string           // of a PostgreSQL >= 15 whose schema is current
	Logger      *slog.Logger     // nil discards
	Metrics     *Metrics         // nil counts into nothing
	Now         func() time.Time // nil is time.Now
	TimeZone    *time.Location   // of stores without one of their own: UTC, or one of the IANA database; nil is UTC
}

// Store is safe for concurrent use.
type Store struct {
	writes  *pgxpool.Pool
	reads   *pgxpool.Pool // with plans made for the very parameters
	queries *db.Queries
	log     *slog.Logger
	metrics *Metrics
	now     func() time.Time
	zone    *time.Location // of stores without one of their own
	tokens  tokenCache

	recorder recorder
	stop     context.CancelFunc // of the background work
	work     sync.WaitGroup
}

const (
	writeConnections = flushers + 2 // the flushers, the partitions, the tokens
	readConnections  = 8
	pageTimeout      = 30 * time.Second
)

// Open connects, checks the schema, and starts the background work. Close it.
func Open(ctx context.Context, c Config) (*Store, error) {
	s := &Store{queries: db.New(), log: c.Logger, metrics: c.Metrics, now: c.Now, zone: c.TimeZone}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.metrics == nil {
		s.metrics = NewMetrics(nil)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.zone == nil {
		s.zone = time.UTC
	}
	if err := CheckSchema(ctx, c.DatabaseURL); err != nil {
		return nil, err
	}
	var err error
	if s.writes, err = connect(ctx, c.DatabaseURL, writeConnections, map[string]string{"application_name": "aifi-audit"}); err != nil {
		return nil, err
	}
	s.reads, err = connect(ctx, c.DatabaseURL, readConnections, map[string]string{
		"application_name":              "aifi-audit read",
		"plan_cache_mode":               "force_custom_plan",
		"jit":                           "off",
		"default_transaction_read_only": "on",
		"statement_timeout":             fmt.Sprint(pageTimeout.Milliseconds()),
	})
	if err != nil {
		s.writes.Close()
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		s.writes.Close()
		s.reads.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) start(ctx context.Context) error {
	if err := s.checkZone(ctx, s.zone.String()); err != nil {
		return err
	}
	if err := s.EnsurePartitions(ctx, s.now().AddDate(0, -monthsBehind, 0), s.now().AddDate(0, monthsAhead, 0)); err != nil {
		return err
	}
	if err := s.tokens.reload(ctx, s); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.work.Go(func() { s.keepTokens(background) })
	s.work.Go(func() { s.keepPartitions(background) })
	s.recorder.start(s)
	return nil
}

func connect(ctx context.Context, url string, size int32, settings map[string]string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("reading the database URL: %w", err)
	}
	config.MaxConns = size
	for name, value := range settings {
		config.ConnConfig.RuntimeParams[name] = value
	}
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connecting to the database: %w", err)
	}
	return pool, nil
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return known(s.reads.Ping(ctx)) }

// Close records what is queued, then stops. Nobody may call the Store afterwards.
func (s *Store) Close() {
	s.recorder.close()
	s.stop()
	s.work.Wait()
	s.flushTokenUse(context.Background())
	s.writes.Close()
	s.reads.Close()
}
