package store

import (
	"context"
	"errors"
	"time"
)

const (
	// nightBegins and nightEnds are the hours, UTC, between which retention runs by itself.
	nightBegins, nightEnds = 2, 5
	nightlyLook            = 10 * time.Minute
	nightlyActor           = "aifi-audit serve"
	nightlyReason          = "retention policy"
)

// keepRetention removes each night what is due. Of several processes one does so.
func (s *Store) keepRetention(ctx context.Context) {
	select {
	case <-s.connected:
	case <-ctx.Done():
		return
	}
	tick := time.NewTicker(nightlyLook)
	defer tick.Stop()
	done := ""
	for {
		now := s.now().UTC()
		if day := now.Format(time.DateOnly); day != done && now.Hour() >= nightBegins && now.Hour() < nightEnds && s.retireNightly(ctx) {
			done = day
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// retireNightly reports whether all that was due is gone, or another process sees to it.
func (s *Store) retireNightly(ctx context.Context) bool {
	run, err := s.Retire(ctx, nightlyActor, nightlyReason)
	s.metrics.retired.Add(float64(run.Deliveries))
	if errors.Is(err, ErrRetiring) {
		return false // and looks again whether that one got to its end
	}
	failing := err != nil || len(run.Busy) > 0
	if ctx.Err() == nil {
		s.metrics.retentionFailing.Set(map[bool]float64{true: 1}[failing])
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("what is older than its policy could not all be removed; it is tried again", "error", err)
	}
	if run.Deliveries > 0 || run.Events > 0 {
		s.log.Info("what was older than its policy was removed", "deliveries", run.Deliveries, "months", run.Partitions, "events", run.Events)
	}
	return !failing
}
