package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"aifi-audit/store/internal/db"
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

var (
	// ErrReindexing says that another process builds indexes anew already.
	ErrReindexing = errors.New("indexes are being built anew already")
	// ErrNotOwner says that the role of the database's URL does not own the tables.
	ErrNotOwner = errors.New("the indexes can be built anew by the owner of the tables only")
)

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
	err = reindex(ctx, config, over, each)
	if errors.Is(err, ErrNotOwner) || errors.Is(err, ErrReindexing) {
		return err
	}
	return known(err)
}

// reindex has the server stop too when the context is done.
func reindex(ctx context.Context, config *pgx.ConnConfig, over time.Time, each func(Rebuilt)) error {
	config = config.Copy()
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelGrace}
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connecting to the database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	locked, err := db.New().TryLock(ctx, conn, reindexLock)
	if err != nil {
		return err
	}
	if !locked {
		return ErrReindexing
	}
	var owner bool
	err = conn.QueryRow(ctx, "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'events'::regclass").Scan(&owner)
	if err != nil {
		return fmt.Errorf("looking for the owner of the tables: %w", err)
	}
	if !owner {
		return ErrNotOwner
	}
	indexes, err := indexesOver(ctx, conn, over)
	if err != nil {
		return fmt.Errorf("listing the indexes: %w", err)
	}
	for _, index := range indexes {
		rebuilt, err := index.rebuild(ctx, conn)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("building %s anew: %w", index.Name, err)
		}
		if rebuilt != nil {
			each(*rebuilt)
		}
	}
	return nil
}

// monthIndex is an index of a month's partition.
type monthIndex struct {
	Name  string // quoted as SQL wants it
	Valid bool   // else it is what an interrupted REINDEX has left
	Bytes int64
}

// indexesOver gives the indexes to be built anew, the oldest first, and before them what
// was left half built. sqlc knows no catalogue.
func indexesOver(ctx context.Context, conn *pgx.Conn, over time.Time) ([]monthIndex, error) {
	rows, err := conn.Query(ctx, `
SELECT i.indexrelid::regclass::text AS name, i.indisvalid AS valid, pg_relation_size(i.indexrelid) AS bytes
FROM pg_partitioned_table divided
JOIN pg_class whole ON whole.oid = divided.partrelid AND whole.relnamespace = current_schema()::regnamespace
JOIN pg_inherits inherited ON inherited.inhparent = whole.oid
JOIN pg_class part ON part.oid = inherited.inhrelid AND part.relname ~ '_[0-9]{6}$'
JOIN pg_index i ON i.indrelid = part.oid
JOIN pg_class index ON index.oid = i.indexrelid AND index.relam = (SELECT oid FROM pg_am WHERE amname = 'btree')
LEFT JOIN pg_attribute first ON first.attrelid = part.oid AND first.attnum = i.indkey[0]
WHERE (to_date(right(part.relname, 6), 'YYYYMM') + interval '1 month') AT TIME ZONE 'UTC' <= $1
    AND CASE WHEN i.indisvalid
        THEN pg_relation_size(i.indexrelid) >= $3
            AND obj_description(i.indexrelid, 'pg_class') IS DISTINCT FROM $2
            AND first.attname IS DISTINCT FROM (SELECT attname FROM pg_attribute WHERE attrelid = whole.oid AND attnum = divided.partattrs[0])
        ELSE index.relname ~ '_cc(new|old)[0-9]*$' END
ORDER BY i.indisvalid, right(part.relname, 6), name`, over, rebuiltMark, worthwhile)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[monthIndex])
}

// rebuild builds an index anew, or removes it if it was left half built: then there is
// nothing to be told.
func (i monthIndex) rebuild(ctx context.Context, conn *pgx.Conn) (*Rebuilt, error) {
	if !i.Valid {
		_, err := conn.Exec(ctx, "DROP INDEX CONCURRENTLY IF EXISTS "+i.Name)
		return nil, err
	}
	for _, sql := range []string{
		"ALTER INDEX " + i.Name + " SET (fillfactor = 100)",
		"REINDEX INDEX CONCURRENTLY " + i.Name,
		"COMMENT ON INDEX " + i.Name + " IS '" + rebuiltMark + "'",
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	r := &Rebuilt{Index: i.Name, Before: i.Bytes}
	return r, conn.QueryRow(ctx, "SELECT pg_relation_size($1::text::regclass)", i.Name).Scan(&r.After)
}
