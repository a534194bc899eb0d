package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"
)

const (
	writeConnections = mostFlushers + 2 // the flushers, the partitions, the tokens
	// officeConnections are for what staff write. They wait for each other, and never
	// before a webhook: each look at the data is a row in the access log.
	officeConnections = 4
	readConnections   = 8
	pageTimeout       = 30 * time.Second
	connectTimeout    = 5 * time.Second // unless the URL says otherwise
)

var errNotConnected = errors.New("not connected yet")

// pool is a pool of connections that may not be there yet: then all fails with
// errNotConnected.
type pool struct{ ready atomic.Pointer[pgxpool.Pool] }

// Exec implements db.DBTX.
func (p *pool) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if ready := p.ready.Load(); ready != nil {
		return ready.Exec(ctx, sql, args...)
	}
	return pgconn.CommandTag{}, errNotConnected
}

// Query implements db.DBTX.
func (p *pool) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if ready := p.ready.Load(); ready != nil {
		return ready.Query(ctx, sql, args...)
	}
	return nil, errNotConnected
}

// QueryRow implements db.DBTX.
func (p *pool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if ready := p.ready.Load(); ready != nil {
		return ready.QueryRow(ctx, sql, args...)
	}
	return notConnectedRow{}
}

// Acquire takes a connection, to be released.
func (p *pool) Acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if ready := p.ready.Load(); ready != nil {
		return ready.Acquire(ctx)
	}
	return nil, errNotConnected
}

// Begin starts a transaction.
func (p *pool) Begin(ctx context.Context) (pgx.Tx, error) { return p.BeginTx(ctx, pgx.TxOptions{}) }

// BeginTx starts a transaction.
func (p *pool) BeginTx(ctx context.Context, o pgx.TxOptions) (pgx.Tx, error) {
	if ready := p.ready.Load(); ready != nil {
		return ready.BeginTx(ctx, o)
	}
	return nil, errNotConnected
}

// connConfig is how to connect outside of the pool.
func (p *pool) connConfig() (*pgx.ConnConfig, error) {
	if ready := p.ready.Load(); ready != nil {
		return ready.Config().ConnConfig, nil
	}
	return nil, errNotConnected
}

// Ping reports whether the database answers.
func (p *pool) Ping(ctx context.Context) error {
	if ready := p.ready.Load(); ready != nil {
		return ready.Ping(ctx)
	}
	return errNotConnected
}

// Close waits for the connections that are in use.
func (p *pool) Close() {
	if ready := p.ready.Load(); ready != nil {
		ready.Close()
	}
}

type notConnectedRow struct{}

func (notConnectedRow) Scan(...any) error { return errNotConnected }

// recordConfig has plans made once. They look up the keys of a batch, one by one by an
// index: what a planner makes of tables while they are small would scan them when they
// are large.
func recordConfig(url string) (*pgxpool.Config, error) {
	config, err := writeConfig(url, writeConnections, map[string]string{
		"plan_cache_mode": "force_generic_plan", "enable_hashjoin": "off", "enable_mergejoin": "off", "enable_seqscan": "off", "jit": "off",
	})
	if err != nil {
		return nil, err
	}
	prepare := config.AfterConnect
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		return errors.Join(prepare(ctx, conn), identify(ctx, conn))
	}
	return config, nil
}

// writeConfig takes the settings that are none of all who write.
func writeConfig(url string, connections int32, settings map[string]string) (*pgxpool.Config, error) {
	wanted := map[string]string{"application_name": "aifi-audit"}
	maps.Copy(wanted, settings)
	config, err := poolConfig(url, wanted)
	if err != nil {
		return nil, err
	}
	config.MaxConns = connections
	return config, nil
}

// identity is the key of what identify notes.
const identity = "aifi-audit database"

// database is what a connection leads to: one that is restored is another, its server was
// started anew, or its tables were made anew.
type database struct {
	name   string // by its number, and the start of its server
	tables int64  // the number of the table deliveries
}

// identify notes which database a connection leads to. Its tables may be others later.
func identify(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var found database
	err := conn.QueryRow(ctx, `SELECT oid || ' ' || pg_postmaster_start_time(), coalesce(to_regclass('deliveries')::oid::bigint, 0)
		FROM pg_database WHERE datname = current_database()`).Scan(&found.name, &found.tables)
	conn.PgConn().CustomData()[identity] = found
	return err
}

// databaseOf is the database that a connection of recordConfig leads to.
func databaseOf(conn *pgxpool.Conn) database {
	found, _ := conn.Conn().PgConn().CustomData()[identity].(database)
	return found
}

// readConfig has plans made for the very parameters of each query, and each query
// run by one process: to start more takes longer than a page, and takes the cores that
// webhooks are recorded with. Nor is a table read whole and kept for a join, which the
// planner takes to cost little if a page ends early.
func readConfig(url string) (*pgxpool.Config, error) {
	config, err := poolConfig(url, map[string]string{
		"application_name":                "aifi-audit read",
		"plan_cache_mode":                 "force_custom_plan",
		"jit":                             "off",
		"max_parallel_workers_per_gather": "0",
		"enable_material":                 "off",
		"default_transaction_read_only":   "on",
		"statement_timeout":               fmt.Sprint(pageTimeout.Milliseconds()),
	})
	if err != nil {
		return nil, err
	}
	config.MaxConns = readConnections
	return config, nil
}

func poolConfig(url string, settings map[string]string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("reading the database URL: %w", err)
	}
	settle(config.ConnConfig, settings)
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		pgxuuid.Register(conn.TypeMap())
		return nil
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	return config, nil
}

// open replaces the pool by one that has connected.
func (p *pool) open(ctx context.Context, config *pgxpool.Config) error {
	opened, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connecting to the database: %w", err)
	}
	if err := opened.Ping(ctx); err != nil {
		opened.Close()
		return fmt.Errorf("connecting to the database: %w", err)
	}
	if before := p.ready.Swap(opened); before != nil {
		before.Close()
	}
	return nil
}
