package store

import (
	"context"
	"fmt"
	"time"

	"aifi-audit/store/internal/db"
)

const (
	monthsBehind    = 3 // late arrivals and backfills find a partition
	monthsAhead     = 2
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

// ensurePartition makes a partition, unless it is there. The database does it as the
// tables' owner, who this program need not be.
func (s *Store) ensurePartition(ctx context.Context, table, column string, month time.Time) error {
	return s.queries.MakePartition(ctx, s.writes, db.MakePartitionParams{Parent: table, ByColumn: column, FirstDay: month.Format(time.DateOnly)})
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
