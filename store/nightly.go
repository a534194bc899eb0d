package store

import (
	"context"
	"errors"
	"time"
)

// Nightly is what is done each night, between 2 and 5 UTC. Of several processes one
// does it.
type Nightly struct {
	Retention bool // remove what is older than its policy
	Reindex   bool // build indexes of months that are over anew, if the role owns the tables
}

const (
	nightBegins, nightEnds = 2, 5 // hours, UTC
	nightlyLook            = 10 * time.Minute
	nightlyActor           = "aifi-audit serve"
	nightlyReason          = "retention policy"
)

// keepNights does at night what is to be done. What others do, or what failed, is looked
// at again in the same night.
func (s *Store) keepNights(ctx context.Context, n Nightly) {
	type job struct {
		do   func(context.Context) (done bool)
		done time.Time // the end of the night
	}
	var jobs []job
	if n.Retention { // first: what is removed needs no index
		jobs = append(jobs, job{do: s.retireNightly})
	}
	if n.Reindex {
		jobs = append(jobs, job{do: s.reindexNightly})
	}
	select {
	case <-s.connected:
	case <-ctx.Done():
		return
	}
	tick := time.NewTicker(nightlyLook)
	defer tick.Stop()
	for {
		end, is := night(s.now())
		for i := range jobs {
			if is && !jobs[i].done.Equal(end) && jobs[i].do(ctx) {
				jobs[i].done = end
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// night gives the end of that day's night, and whether it is night.
func night(now time.Time) (end time.Time, is bool) {
	now = now.UTC()
	end = time.Date(now.Year(), now.Month(), now.Day(), nightEnds, 0, 0, 0, time.UTC)
	return end, now.Hour() >= nightBegins && now.Before(end)
}

// retireNightly reports whether all that was due is gone.
func (s *Store) retireNightly(ctx context.Context) bool {
	run, err := s.Retire(ctx, RetentionOrder{Actor: nightlyActor, Reason: nightlyReason})
	s.metrics.retired.Add(float64(run.Deliveries))
	if errors.Is(err, ErrRetiring) {
		return false // and looks again whether that one got to its end
	}
	failing := err != nil || len(run.Busy) > 0
	if ctx.Err() == nil {
		s.metrics.retentionFailing.Set(number(failing))
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("what is older than its policy could not all be removed; it is tried again", "error", err)
	}
	if run.Deliveries > 0 || run.Events > 0 {
		s.log.Info("what was older than its policy was removed", "deliveries", run.Deliveries, "months", run.Partitions, "events", run.Events)
	}
	return !failing
}

// reindexNightly reports whether no more is to be done in this night.
func (s *Store) reindexNightly(ctx context.Context) bool {
	config, err := s.office.connConfig()
	if err != nil {
		return false
	}
	// Who reads for a long time must not keep it from ending: retention comes the next night.
	now := s.now()
	end, _ := night(now)
	untilThen, cancel := context.WithTimeout(ctx, end.Sub(now))
	defer cancel()
	var indexes, before, after int64
	err = reindex(untilThen, config, now.Add(-SettledAfter), func(r Rebuilt) {
		indexes, before, after = indexes+1, before+r.Before, after+r.After
	})
	if indexes > 0 {
		s.log.Info("indexes of months that are over were built anew", "indexes", indexes, "bytes_before", before, "bytes_after", after)
	}
	switch {
	case errors.Is(err, ErrReindexing):
		return false
	case errors.Is(err, ErrNotOwner):
		s.log.Info("this role does not own the tables: run `aifi-audit migrate reindex` as their owner each month, so that indexes of months that are over take no more room than they need")
	case err != nil && ctx.Err() == nil:
		s.log.Warn("indexes of months that are over could not all be built anew; the next night goes on", "error", err)
	}
	return true
}
