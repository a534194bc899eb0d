package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aifi-audit/store/internal/db"
)

const (
	monthsBehind    = 3 // late arrivals and backfills find a partition
	monthsAhead     = 2
	partitionsEvery = time.Hour
	partitionsRetry = time.Minute // while somebody reads the DEFAULT partition
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
// to that do not exist. Rows that wait in a DEFAULT partition move into them, for which
// nobody may be reading that one: then the others are made, and this one is told.
func (s *Store) EnsurePartitions(ctx context.Context, from, to time.Time) (failed error) {
	for month := monthOf(from); !month.After(to); month = month.AddDate(0, 1, 0) {
		for _, t := range partitioned {
			err := s.ensurePartition(ctx, t.table, t.column, month)
			if err == nil {
				continue
			}
			failed = errors.Join(failed, fmt.Errorf("making the partition of %s for %s: %w", t.table, month.Format("2006-01"), known(err)))
			if !lockedOut(err) {
				return failed
			}
		}
	}
	return failed
}

// ensurePartition makes a partition, unless it is there. The database does it as the
// tables' owner, who this program need not be.
func (s *Store) ensurePartition(ctx context.Context, table, column string, month time.Time) error {
	return s.queries.MakePartition(ctx, s.writes, db.MakePartitionParams{Parent: table, ByColumn: column, FirstDay: month.Format(time.DateOnly)})
}

// keepPartitions makes partitions ahead of time, and raises the alarm of rows that have
// none.
func (s *Store) keepPartitions(ctx context.Context) {
	select {
	case <-s.connected:
	case <-ctx.Done():
		return
	}
	wait := partitionsEvery
	if s.unmade {
		wait = partitionsRetry
	}
	for s.countDefaultRows(ctx); pause(ctx, wait); s.countDefaultRows(ctx) {
		wait = partitionsEvery
		err := s.EnsurePartitions(ctx, s.now(), s.now().AddDate(0, monthsAhead, 0))
		switch {
		case err == nil, ctx.Err() != nil:
		case lockedOut(err):
			wait = partitionsRetry
			s.log.Warn("partitions could not be made while others read; it is tried again each minute, and rows go to the DEFAULT partition until then", "error", err)
		default:
			s.log.Error("partitions could not be made; rows go to the DEFAULT partition until they can", "error", err)
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
