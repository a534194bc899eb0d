package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"aifi-audit/store/internal/db"
)

const (
	// SilentAfter is how many deliveries must be missed before a series counts as
	// silent: by chance alone, five of five stay away once in 150 times.
	SilentAfter = 5
	// mournFor is how long silence is told. A store that has closed for good then no
	// longer raises an alarm.
	mournFor = 28 * 24 * time.Hour
	// countsKept are the counts of deliveries that are of use: four weeks before the
	// last delivery of a series that was silent so long. And a week.
	countsKept = 63 * 24 * time.Hour

	trafficEvery   = time.Minute
	trafficTimeout = 10 * time.Second
	pruneEvery     = time.Hour
)

// Traffic is what came of one webhook of one store, and what usually comes. Counts
// are of whole quarters of an hour.
type Traffic struct {
	StoreID int64
	Webhook string    // one that AiFi documents, or other
	LastAt  time.Time // when the last delivery came
	// Lag is from AiFi's timeOfIssue to the receipt of that delivery; nil if it states
	// none, or came to another process or an earlier one.
	Lag      *time.Duration
	LastHour int64 // since the quarter in which the last 60 minutes began
	LastDay  int64 // since the quarter in which the last 24 hours began
	// UsualPerHour is what came in this hour of the week, on the store's clock, on
	// average of the last four weeks, or of as many as the series has; nil if it has
	// not one.
	UsualPerHour *float64
	// Missed is how many deliveries came, on the same average of the weeks before the
	// last delivery, in the time that has passed since it.
	Missed float64
}

// Silent reports whether nothing came for much longer than usual.
func (t Traffic) Silent() bool { return t.Missed >= SilentAfter }

// Traffic gives the traffic of the stores in scope, of at most 2000 series: first those
// that are silent, and then those with the newest deliveries. Its cost is a few probes for
// each series, and at most the quarters of an hour of five weeks.
func (s *Store) Traffic(ctx context.Context, scope Scope, storeIDs []int64) ([]Traffic, error) {
	stores, err := s.orAllStores(ctx, scope.restrict(storeIDs))
	if err != nil {
		return nil, known(err)
	}
	now := s.now().UTC()
	rows, err := s.queries.ListTraffic(ctx, s.reads, db.ListTrafficParams{
		AsOf: now, HourFrom: now.Add(-time.Hour).Truncate(quarter), DayFrom: now.Add(-24 * time.Hour).Truncate(quarter),
		ThisHour: now.Truncate(time.Hour), ThisQuarter: now.Truncate(quarter), MissedFrom: now.Add(-mournFor), Until: now.Add(arrivalSkew),
		TimeZone: s.zone.String(), StoreIds: stores, SilentAfter: SilentAfter, RowLimit: maxSeries,
	})
	if err != nil {
		return nil, known(err)
	}
	here := s.arrivals.all()
	found := make([]Traffic, len(rows))
	for i, r := range rows {
		t := Traffic{StoreID: r.StoreID, Webhook: r.Webhook, LastAt: r.LastAt.UTC(), LastHour: r.LastHour, LastDay: r.LastDay}
		if r.UsualWeeks > 0 {
			usual := float64(r.Usual) / float64(r.UsualWeeks)
			t.UsualPerHour = &usual
		}
		if r.MissedWeeks > 0 {
			t.Missed = float64(r.Missed) / float64(r.MissedWeeks)
		}
		found[i] = t.including(here[series{storeID: t.StoreID, webhook: t.Webhook}])
	}
	return found, nil
}

// including takes over what this process knows, which may be in the spool only.
func (t Traffic) including(a arrival) Traffic {
	if a.last.After(t.LastAt) {
		t.LastAt, t.Missed = a.last, 0
	}
	if a.last.Equal(t.LastAt) {
		t.Lag = a.lag
	}
	return t
}

// trafficKnown is what of Traffic is known without the database: when the last
// deliveries came, and what was missed when it answered last.
func (s *Store) trafficKnown(scope Scope, storeIDs []int64) []Traffic {
	found := []Traffic{}
	for k, a := range s.arrivals.all() {
		if !k.rest && scope.Allows(k.storeID) && (storeIDs == nil || slices.Contains(storeIDs, k.storeID)) {
			found = append(found, Traffic{StoreID: k.storeID, Webhook: k.webhook, LastAt: a.last, Lag: a.lag, Missed: a.missed})
		}
	}
	slices.SortFunc(found, func(a, b Traffic) int {
		return cmp.Or(cmp.Compare(a.StoreID, b.StoreID), cmp.Compare(a.Webhook, b.Webhook))
	})
	return found
}

// keepTraffic keeps what is known without the database, and forgets old counts.
func (s *Store) keepTraffic(ctx context.Context) {
	select {
	case <-s.connected:
	case <-ctx.Done():
		return
	}
	tick := time.NewTicker(trafficEvery)
	defer tick.Stop()
	var pruned time.Time
	for {
		s.noteTraffic(ctx)
		if now := s.now(); now.Sub(pruned) >= pruneEvery && s.pruneCounts(ctx, now.Add(-countsKept)) {
			pruned = now
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Store) noteTraffic(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, trafficTimeout)
	defer cancel()
	found, err := s.Traffic(ctx, Scope{}, nil)
	if err != nil {
		if ctx.Err() != nil && !s.health.away.Load() { // else the pool's other users will tell
			s.log.Warn("what is silent cannot be told: the database took too long to answer", "error", err)
		}
		return
	}
	s.arrivals.seed(found)
}

func (s *Store) pruneCounts(ctx context.Context, before time.Time) bool {
	stores, err := s.orAllStores(ctx, nil)
	if err == nil {
		err = s.queries.PruneDeliveryCounts(ctx, s.writes, db.PruneDeliveryCountsParams{StoreIds: stores, Webhooks: webhookLabels(), Before: before})
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("old counts of deliveries could not be deleted", "error", err)
	}
	return err == nil
}
