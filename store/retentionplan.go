package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
)

// RetentionPlan is what retention would remove now.
type RetentionPlan struct {
	Months []RetentionMonth // of receipt, the oldest first; those of which nothing is due are left out
	// Unfinished says that a run before did not get to its end: what it left is removed
	// by the next.
	Unfinished bool
	// Doubt says why nothing of it is removed: a clock may be wrong. "" if there is no doubt,
	// or nothing to remove.
	Doubt string
}

// nothing reports whether there is nothing to remove.
func (p RetentionPlan) nothing() bool { return len(p.Months) == 0 && !p.Unfinished }

// RetentionMonth is a calendar month of receipt.
type RetentionMonth struct {
	Month  time.Time // its first instant, UTC
	Whole  bool      // all of it goes, by dropping its partitions
	Bytes  int64     // that the partitions take; 0 if the month has none
	Groups []RetentionGroup
}

// RetentionGroup is what a month has of a store and webhook.
type RetentionGroup struct {
	StoreID    int64
	Webhook    string
	Due        bool  // its time is over; else it stays
	Deliveries int64 // that are there
	Held       int64 // of them, by holds in force or lifted less than a RetentionPause ago
	BodyBytes  int64 // of all of them
	Events     int64 // that one of them stated first
	Holds      []Hold
}

// Going is how many deliveries of the group are to go.
func (g RetentionGroup) Going() int64 {
	if !g.Due {
		return 0
	}
	return g.Deliveries - g.Held
}

// Going is how many deliveries of the month are to go.
func (m RetentionMonth) Going() (n int64) {
	for _, g := range m.Groups {
		n += g.Going()
	}
	return n
}

// PlanRetention says what retention would remove now, and what holds keep. It reads all
// that is old enough for some policy. today is as in RetentionOrder.
func (s *Store) PlanRetention(ctx context.Context, today time.Time) (RetentionPlan, error) {
	plan, err := s.planRetention(ctx, s.reads, today)
	return plan, known(err)
}

func (s *Store) planRetention(ctx context.Context, conn db.DBTX, today time.Time) (plan RetentionPlan, err error) {
	span, err := s.queries.RetentionSpan(ctx, conn)
	if err != nil {
		return plan, err
	}
	plan.Unfinished = span.Unfinished
	first := monthOf(span.FirstAt)
	oldest, err := s.queries.OldestPartition(ctx, conn)
	if err != nil {
		return plan, err
	}
	if oldest != "" {
		if m, err := time.Parse("200601", oldest); err == nil && m.Before(first) {
			first = m
		}
	}
	for month := first; month.Before(span.EndAt); month = month.AddDate(0, 1, 0) {
		m, err := s.planMonth(ctx, conn, month)
		if err != nil {
			return plan, fmt.Errorf("planning %s: %w", month.Format("2006-01"), err)
		}
		if m.Whole || slices.ContainsFunc(m.Groups, func(g RetentionGroup) bool { return g.Due }) {
			plan.Months = append(plan.Months, m)
		}
	}
	if !plan.nothing() {
		plan.Doubt, err = s.clockDoubt(ctx, conn, today)
	}
	return plan, err
}

func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

func (s *Store) planMonth(ctx context.Context, conn db.DBTX, month time.Time) (RetentionMonth, error) {
	m := RetentionMonth{Month: month}
	end := month.AddDate(0, 1, 0)
	rows, err := s.queries.RetentionOf(ctx, conn, db.RetentionOfParams{FromTime: month, ToTime: end})
	if err != nil {
		return m, err
	}
	bytes, err := s.queries.PartitionBytes(ctx, conn, partitionsOf(month))
	if err != nil {
		return m, err
	}
	whole := bytes >= 0 // there are partitions to drop
	m.Bytes = max(0, bytes)
	if len(rows) == 0 {
		// Those that a start may need again soon stay, although they are empty.
		m.Whole = whole && month.Before(monthOf(s.now()).AddDate(0, -monthsBehind, 0))
		return m, nil
	}
	held, err := s.heldOf(ctx, conn, month, end)
	if err != nil {
		return m, err
	}
	for _, r := range rows {
		g := RetentionGroup{
			StoreID: r.StoreID, Webhook: r.Webhook, Due: !r.Cutoff.Before(end), Deliveries: r.Deliveries, BodyBytes: r.BodyBytes, Events: r.Events,
		}
		h := held[groupKey{r.StoreID, r.Webhook}]
		g.Held, g.Holds = h.deliveries, h.holds
		whole = whole && g.Due && g.Held == 0
		m.Groups = append(m.Groups, g)
	}
	m.Whole = whole
	return m, nil
}

// partitionsOf are the partitions that have what was received in a month.
func partitionsOf(month time.Time) []string {
	suffix := month.Format("_200601")
	return []string{"deliveries" + suffix, "delivery_bodies" + suffix}
}

type groupKey struct {
	storeID int64
	webhook string
}

type heldGroup struct {
	deliveries int64
	holds      []Hold
}

func (s *Store) heldOf(ctx context.Context, conn db.DBTX, from, to time.Time) (map[groupKey]heldGroup, error) {
	rows, err := s.queries.HeldOf(ctx, conn, db.HeldOfParams{FromTime: from, ToTime: to})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	names := map[uuid.UUID]Hold{}
	for _, r := range rows {
		names[r.HoldID] = Hold{}
	}
	holds, err := s.holdsByID(ctx, conn, slices.Collect(maps.Keys(names)))
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		names[h.ID] = h
	}
	held := map[groupKey]heldGroup{}
	for _, r := range rows {
		k := groupKey{r.StoreID, r.Webhook}
		g := held[k]
		g.deliveries, g.holds = r.Held, append(g.holds, names[r.HoldID])
		held[k] = g
	}
	return held, nil
}
