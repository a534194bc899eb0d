package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store"
)

// Storage is what deliveries take on disk, after all was written and cleaned up. What
// the same tables take while they are empty is not counted.
type Storage struct {
	Deliveries int64        `json:"deliveries"`
	BodyBytes  float64      `json:"bodyBytes"` // of one delivery, as are the next
	WALBytes   float64      `json:"walBytes"`
	Written    StorageSize  `json:"written"`
	Rebuilt    StorageSize  `json:"rebuilt"` // once the month is over, and its indexes are built anew
	Target     Target       `json:"target"`  // of the ratio then, which is what is kept for ever
	Tables     []*TableSize `json:"tables"`  // the largest first
}

// StorageSize is the bytes of all tables and indexes for one delivery.
type StorageSize struct {
	Bytes float64 `json:"bytes"`
	Ratio float64 `json:"ratio"` // to those of the body
}

// TableSize is the bytes of a table, with those of its partitions, for one delivery.
type TableSize struct {
	Name    string      `json:"name"`
	Rows    float64     `json:"rows"`
	Toast   float64     `json:"toast"` // values that were moved out of their rows
	Indexes []IndexSize `json:"indexes"`
}

// IndexSize is the bytes of an index for one delivery.
type IndexSize struct {
	Name    string  `json:"name"`
	Written float64 `json:"written"`
	Rebuilt float64 `json:"rebuilt"`
}

// written is the bytes of it all before indexes are built anew.
func (t TableSize) written() float64 {
	sum := t.Rows + t.Toast
	for _, i := range t.Indexes {
		sum += i.Written
	}
	return sum
}

// relationSizes are the bytes of what a table is made of; index is empty for its rows,
// and a dash for what was moved out of them.
const relationSizes = `
SELECT coalesce(pg_partition_root(c.oid), c.oid)::regclass::text AS name, part.index, sum(part.bytes)::float8
FROM pg_class c
CROSS JOIN LATERAL (
    SELECT '' AS index, pg_table_size(c.oid) - coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0) AS bytes
    UNION ALL
    SELECT '-', coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0)
    UNION ALL
    SELECT coalesce(pg_partition_root(i.indexrelid), i.indexrelid)::regclass::text, pg_table_size(i.indexrelid) FROM pg_index i WHERE i.indrelid = c.oid
) part
WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
GROUP BY 1, 2`

const enoughStored = 10_000 // deliveries

// storage has a server take webhooks, and looks at what they take, and what they will
// take once their month is over.
func (r *run) storage(ctx context.Context) error {
	r.doing("storage")
	var m Ingest
	t, err := r.ingestTurn(ctx, 0, &m)
	if err != nil {
		return err
	}
	if t.deliveries < enoughStored {
		r.warn("storage is that of %d deliveries: pages that are not full yet count for much", t.deliveries)
	}
	s := &Storage{Deliveries: t.deliveries, WALBytes: m.WALBytes.Median, Target: Target{AtMost: 1.2}}
	before, err := r.sizes(ctx, r.postgres.database(r.postgres.template), func(*pgx.Conn) error { return nil })
	if err != nil {
		return err
	}
	written, err := r.sizes(ctx, t.url, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "VACUUM (ANALYZE)"); err != nil {
			return fmt.Errorf("cleaning up: %w", err)
		}
		return conn.QueryRow(ctx, "SELECT sum(body_size) / $1::float8 FROM deliveries", t.deliveries).Scan(&s.BodyBytes)
	})
	if err != nil {
		return err
	}
	rebuilt, err := r.sizes(ctx, t.url, func(*pgx.Conn) error {
		return store.Reindex(ctx, t.url, time.Now().AddDate(1, 0, 0), func(store.Rebuilt) {})
	})
	if err != nil {
		return err
	}
	s.compare(before, written, rebuilt)
	r.report.Storage = s
	return r.postgres.drop(ctx, t.database)
}

// compare fills in what deliveries have added to the sizes before them.
func (s *Storage) compare(before, written, rebuilt map[relationPart]float64) {
	tables := map[string]*TableSize{}
	for part, bytes := range written {
		one := (bytes - before[part]) / float64(s.Deliveries)
		if one <= 0 {
			continue
		}
		then := (rebuilt[part] - before[part]) / float64(s.Deliveries)
		s.Written.Bytes += one
		s.Rebuilt.Bytes += then
		table := tables[part.table]
		if table == nil {
			table = &TableSize{Name: part.table}
			tables[part.table] = table
			s.Tables = append(s.Tables, table)
		}
		switch part.index {
		case "":
			table.Rows = one
		case "-":
			table.Toast = one
		default:
			table.Indexes = append(table.Indexes, IndexSize{Name: part.index, Written: one, Rebuilt: then})
		}
	}
	s.Written.Ratio, s.Rebuilt.Ratio = s.Written.Bytes/s.BodyBytes, s.Rebuilt.Bytes/s.BodyBytes
	for _, table := range s.Tables {
		slices.SortFunc(table.Indexes, func(a, b IndexSize) int { return strings.Compare(a.Name, b.Name) })
	}
	slices.SortFunc(s.Tables, func(a, b *TableSize) int {
		return cmp.Or(cmp.Compare(b.written(), a.written()), strings.Compare(a.Name, b.Name))
	})
}

// relationPart is what relationSizes tells the bytes of.
type relationPart struct{ table, index string }

// sizes prepares a database, and tells what its tables take.
func (r *run) sizes(ctx context.Context, databaseURL string, prepare func(*pgx.Conn) error) (map[relationPart]float64, error) {
	sizes := map[relationPart]float64{}
	err := r.connected(ctx, databaseURL, func(conn *pgx.Conn) error {
		if err := prepare(conn); err != nil {
			return err
		}
		rows, err := conn.Query(ctx, relationSizes)
		if err != nil {
			return err
		}
		var part relationPart
		var bytes float64
		_, err = pgx.ForEachRow(rows, []any{&part.table, &part.index, &bytes}, func() error { sizes[part] = bytes; return nil })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading what tables take: %w", err)
	}
	return sizes, nil
}
