package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// SettledAfter is for how long a month must be over before its indexes are built anew:
// what comes late has come by then.
const SettledAfter = 7 * 24 * time.Hour

const (
	// reindexLock is the advisory lock of the one that builds indexes anew: "AiFI" in ASCII.
	reindexLock = 0x41694649
	// rebuiltMark is the comment of an index that was built anew. It goes where the index
	// goes, into a dump and out of the world.
	rebuiltMark = "built anew when its month was over"
	worthwhile  = 256 << 10   // bytes of an index that make it worth the while
	cancelGrace = time.Second // for the server to say that it has stopped
)

// ErrReindexing says that another process builds indexes anew already.
var ErrReindexing = errors.New("indexes are being built anew already")

// Rebuilt is an index that was built anew, with what it took before and after.
type Rebuilt struct {
	Index         string
	Before, After int64 // bytes
}

// Reindex builds the indexes anew of all months that were over before a time, each once,
// and tells of each. Rows of many stores come by turns, and PostgreSQL splits the pages
// of an index in their middle when rows come between others: most pages stay half empty.
// Built anew they are full, which is best for months that hardly get a row any more.
// Indexes in the order in which rows come are left alone, as they are full already, and
// so are those of less than 256 KiB.
//
// Nobody waits for it: rows can be read and written meanwhile. It waits itself until
// transactions end that began before. When it is interrupted, the next run goes on, and
// removes what is left half built. ErrNotOwner, before anything is done; ErrReindexing.
func Reindex(ctx context.Context, databaseURL string, over time.Time, each func(Rebuilt)) error {
	if err := CheckSchema(ctx, databaseURL); err != nil {
		return err
	}
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return fmt.Errorf("reading the database URL: %w", err)
	}
	return reindex(ctx, config, over, each)
}

// reindex has the server stop too when the context is done.
func reindex(ctx context.Context, config *pgx.ConnConfig, over time.Time, each func(Rebuilt)) error {
	config = config.Copy()
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelGrace}
	}
	locked, err := alone(ctx, config, reindexLock, func(conn *pgx.Conn) error { return rebuildOver(ctx, conn, over, each) })
	switch {
	case ctx.Err() != nil:
		return err
	case !locked && err == nil:
		return ErrReindexing
	}
	return known(err)
}

// rebuildOver goes on after an index that fails.
func rebuildOver(ctx context.Context, conn *pgx.Conn, over time.Time, each func(Rebuilt)) error {
	if err := asOwner(ctx, conn); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout')"); err != nil {
		return err
	}
	if err := dropHalfBuilt(ctx, conn); err != nil {
		return fmt.Errorf("removing indexes that are half built: %w", err)
	}
	indexes, err := indexesOver(ctx, conn, over)
	if err != nil {
		return fmt.Errorf("listing the indexes: %w", err)
	}
	var failed error
	for _, index := range indexes {
		rebuilt, err := index.rebuild(ctx, conn)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("building %s anew: %w", index.Name, err))
			continue
		}
		each(rebuilt)
	}
	return failed
}

// indexesOfMonths are the indexes of the partitions of our tables, with what the table is
// divided by. sqlc knows no catalogue.
const indexesOfMonths = `
FROM unnest($1::text[], $2::text[]) ours (name, by_column)
JOIN pg_class whole ON whole.relname = ours.name AND whole.relnamespace = current_schema()::regnamespace
JOIN pg_inherits inherited ON inherited.inhparent = whole.oid
JOIN pg_class part ON part.oid = inherited.inhrelid AND part.relname ~ '_[0-9]{6}$'
JOIN pg_index i ON i.indrelid = part.oid
JOIN pg_class index ON index.oid = i.indexrelid`

// dividedBy are the tables with a partition a month, and the column of each.
func dividedBy() (tables, columns []string) {
	for _, t := range partitioned {
		tables, columns = append(tables, t.table), append(columns, t.column)
	}
	return tables, columns
}

// dropHalfBuilt removes what an interrupted REINDEX has left.
func dropHalfBuilt(ctx context.Context, conn *pgx.Conn) error {
	tables, columns := dividedBy()
	rows, err := conn.Query(ctx, "SELECT i.indexrelid::regclass::text"+indexesOfMonths+` WHERE NOT i.indisvalid AND index.relname ~ '_cc(new|old)[0-9]*$'`, tables, columns)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := conn.Exec(ctx, "DROP INDEX CONCURRENTLY IF EXISTS "+name); err != nil {
			return err
		}
	}
	return nil
}

// monthIndex is an index of a month's partition.
type monthIndex struct {
	Name  string // quoted as SQL wants it
	Bytes int64
}

// indexesOver gives the indexes to be built anew, the oldest first.
func indexesOver(ctx context.Context, conn *pgx.Conn, over time.Time) ([]monthIndex, error) {
	tables, columns := dividedBy()
	rows, err := conn.Query(ctx, "SELECT i.indexrelid::regclass::text AS name, pg_relation_size(i.indexrelid) AS bytes"+indexesOfMonths+`
LEFT JOIN pg_attribute first ON first.attrelid = part.oid AND first.attnum = i.indkey[0]
WHERE i.indisvalid AND index.relam = (SELECT oid FROM pg_am WHERE amname = 'btree') AND pg_relation_size(i.indexrelid) >= $3
    AND first.attname IS DISTINCT FROM ours.by_column AND obj_description(i.indexrelid, 'pg_class') IS DISTINCT FROM $4
    AND (to_date(right(part.relname, 6), 'YYYYMM') + interval '1 month') AT TIME ZONE 'UTC' <= $5
ORDER BY right(part.relname, 6), name`, tables, columns, worthwhile, rebuiltMark, over)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[monthIndex])
}

// rebuild builds an index anew.
func (i monthIndex) rebuild(ctx context.Context, conn *pgx.Conn) (Rebuilt, error) {
	r := Rebuilt{Index: i.Name, Before: i.Bytes}
	for _, sql := range []string{
		"ALTER INDEX " + i.Name + " SET (fillfactor = 100)",
		"REINDEX INDEX CONCURRENTLY " + i.Name,
		"COMMENT ON INDEX " + i.Name + " IS '" + rebuiltMark + "'",
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return r, err
		}
	}
	return r, conn.QueryRow(ctx, "SELECT pg_relation_size($1::text::regclass)", i.Name).Scan(&r.After)
}
