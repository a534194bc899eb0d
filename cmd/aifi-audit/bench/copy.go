package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// dump is the rows of a database, a file a table, as COPY writes them.
type dump struct {
	dir    string
	tables []dumpedTable
	rows   int64
}

type dumpedTable struct {
	columns string // table (column, ...)
	file    string
}

// dumpRows writes all rows out that a database has, and one that is fresh has not.
func (r *run) dumpRows(ctx context.Context, databaseURL string) (*dump, error) {
	dir, err := os.MkdirTemp(r.postgres.dir, "rows-")
	if err != nil {
		return nil, err
	}
	d := &dump{dir: dir}
	fresh, err := r.tablesWithRows(ctx, r.postgres.database(r.postgres.template))
	if err != nil {
		return nil, err
	}
	filled, err := r.tablesWithRows(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	return d, r.connected(ctx, databaseURL, func(conn *pgx.Conn) error {
		for _, name := range slices.Sorted(maps.Keys(filled)) {
			if _, there := fresh[name]; there {
				continue
			}
			t := dumpedTable{columns: name + " (" + filled[name] + ")", file: filepath.Join(dir, name)}
			tag, err := copyOut(ctx, conn, t)
			if err != nil {
				return fmt.Errorf("reading the rows of %s: %w", name, err)
			}
			d.rows += tag.RowsAffected()
			d.tables = append(d.tables, t)
		}
		return nil
	})
}

// tablesWithRows gives the tables that are not empty, with the columns that can be
// written.
func (r *run) tablesWithRows(ctx context.Context, databaseURL string) (columns map[string]string, err error) {
	columns = map[string]string{}
	err = r.connected(ctx, databaseURL, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
			WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition GROUP BY c.relname`)
		if err != nil {
			return err
		}
		var name, list string
		all := map[string]string{}
		if _, err := pgx.ForEachRow(rows, []any{&name, &list}, func() error { all[name] = list; return nil }); err != nil {
			return err
		}
		for name, list := range all {
			var some bool
			if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+name+")").Scan(&some); err != nil {
				return err
			}
			if some {
				columns[name] = list
			}
		}
		return nil
	})
	return columns, err
}

func copyOut(ctx context.Context, conn *pgx.Conn, t dumpedTable) (tag pgconn.CommandTag, err error) {
	f, err := os.Create(t.file)
	if err != nil {
		return tag, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	table, columns, _ := strings.Cut(t.columns, " ")
	return conn.PgConn().CopyTo(ctx, f, "COPY (SELECT "+strings.Trim(columns, "()")+" FROM "+table+") TO STDOUT (FORMAT binary)")
}

// copyIn writes the rows into a database that has none, over one connection, in one
// transaction, and says how long that took, with its commit.
func (d *dump) copyIn(ctx context.Context, conn *pgx.Conn) (took time.Duration, err error) {
	start := time.Now()
	var rows int64
	err = pgx.BeginFunc(ctx, conn, func(pgx.Tx) error {
		for _, t := range d.tables {
			n, err := copyFrom(ctx, conn, t)
			if err != nil {
				return fmt.Errorf("COPY %s: %w", t.columns, err)
			}
			rows += n
		}
		return nil
	})
	if err == nil && rows != d.rows {
		err = fmt.Errorf("COPY wrote %d rows of %d", rows, d.rows)
	}
	return time.Since(start), err
}

func copyFrom(ctx context.Context, conn *pgx.Conn, t dumpedTable) (int64, error) {
	f, err := os.Open(t.file)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	tag, err := conn.PgConn().CopyFrom(ctx, f, "COPY "+t.columns+" FROM STDIN (FORMAT binary)")
	return tag.RowsAffected(), err
}

func (d *dump) remove() error { return os.RemoveAll(d.dir) }

// connected gives a connection to a database, for as long as the work takes.
func (r *run) connected(ctx context.Context, databaseURL string, work func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return work(conn)
}
