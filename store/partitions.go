package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	monthsBehind = 3 // late arrivals and backfills find a partition
	monthsAhead  = 2
	// partitionLock is the advisory lock of those who make partitions: "AiFi" in ASCII.
	partitionLock   = 0x41694669
	partitionsEvery = time.Hour
)

// partitioned are the tables with a partition a month, and what they are divided by.
var partitioned = []struct{ table, column string }{
	{"deliveries", "received_at"},
	{"delivery_bodies", "received_at"},
	{"events", "occurred_at"},
	{"event_flags", "occurred_at"},
	{"event_products", "occurred_at"},
	{"event_gondolas", "occurred_at"},
}

// EnsurePartitions makes the partitions of all months from that of from to that of
// to that do not exist. Rows that wait in a DEFAULT partition move into them.
func (s *Store) EnsurePartitions(ctx context.Context, from, to time.Time) error {
	first := time.Date(from.UTC().Year(), from.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	for month := first; !month.After(to); month = month.AddDate(0, 1, 0) {
		for _, t := range partitioned {
			if err := s.ensurePartition(ctx, t.table, t.column, month); err != nil {
				return fmt.Errorf("making the partition of %s for %s: %w", t.table, month.Format("2006-01"), known(err))
			}
		}
	}
	return nil
}

// ensurePartition composes DDL, which takes no parameters: its parts are constants
// of this file and a date.
func (s *Store) ensurePartition(ctx context.Context, table, column string, month time.Time) error {
	name := fmt.Sprintf("%s_%s", table, month.Format("200601"))
	lower, upper := month.Format(time.DateOnly), month.AddDate(0, 1, 0).Format(time.DateOnly)
	var exists bool
	if err := s.writes.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", name).Scan(&exists); err != nil || exists {
		return err
	}
	return pgx.BeginFunc(ctx, s.writes, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", partitionLock); err != nil {
			return err
		}
		// Another may have made it while this one waited. to_regclass asks a cache of the
		// server, which need not have heard of that; the catalogue itself has.
		const made = "SELECT EXISTS (SELECT FROM pg_class WHERE relname = $1 AND relnamespace = current_schema()::regnamespace)"
		if err := tx.QueryRow(ctx, made, name).Scan(&exists); err != nil || exists {
			return err
		}
		// A month whose rows lie in the DEFAULT partition cannot simply be added.
		for _, sql := range []string{
			fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS)", name, table),
			fmt.Sprintf("LOCK TABLE %s_default IN ACCESS EXCLUSIVE MODE", table),
			fmt.Sprintf("INSERT INTO %s SELECT * FROM %s_default WHERE %s >= '%s' AND %s < '%s'", name, table, column, lower, column, upper),
			fmt.Sprintf("DELETE FROM %s_default WHERE %s >= '%s' AND %s < '%s'", table, column, lower, column, upper),
			fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')", table, name, lower, upper),
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) keepPartitions(ctx context.Context) {
	tick := time.NewTicker(partitionsEvery)
	defer tick.Stop()
	for {
		s.countDefaultRows(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.EnsurePartitions(ctx, s.now(), s.now().AddDate(0, monthsAhead, 0)); err != nil && ctx.Err() == nil {
				s.log.Error("partitions could not be made; rows go to the DEFAULT partition until they can", "error", err)
			}
		}
	}
}

// countDefaultRows raises the alarm of rows outside the months with a partition.
func (s *Store) countDefaultRows(ctx context.Context) {
	var rows int64
	err := s.writes.QueryRow(ctx, "SELECT (SELECT count(*) FROM deliveries_default) + (SELECT count(*) FROM events_default)").Scan(&rows)
	if err != nil {
		return // the pool's other users will tell
	}
	s.metrics.defaultRows.Set(float64(rows))
	if rows > 0 {
		s.log.Warn("rows lie outside the months with a partition", "rows", rows)
	}
}
