package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// arrivals are the instants, from a start, at which independent senders would send at a
// rate on average: their gaps are exponential.
func arrivals(seed uint64, rate float64, duration time.Duration) []time.Duration {
	rnd := rand.New(rand.NewPCG(seed, 0xa221)) //nolint:gosec // no secret
	var all []time.Duration
	at := 0.0
	for {
		at += rnd.ExpFloat64() / rate
		if at >= duration.Seconds() {
			return all
		}
		all = append(all, time.Duration(at*float64(time.Second)))
	}
}

// opened is what came of an open loop.
type opened struct {
	load
	late []time.Duration // from the instant at which a webhook was to be sent until it was, sorted
}

// openLoop sends each webhook at its instant, whatever became of those before it. Times
// are counted from the instant that was planned: whoever is kept waiting for a
// connection that another occupies has waited all the same.
func openLoop(ctx context.Context, senders []sender, webhooks []webhook, at []time.Duration) (opened, error) {
	parent := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	due := make(chan int, len(at))
	parts := make([]opened, len(senders))
	errs := make([]error, len(senders))
	var done sync.WaitGroup
	start := time.Now()
	for i, s := range senders {
		p := &parts[i]
		p.answers = map[int]int{}
		done.Go(func() {
			for n := range due {
				p.late = append(p.late, time.Since(start)-at[n])
				answer, err := s.send(ctx, webhooks[n])
				if err != nil {
					errs[i] = err
					cancel()
					return
				}
				p.times = append(p.times, time.Since(start)-at[n])
				p.answers[answer]++
			}
		})
	}
	wait := time.NewTimer(0)
	defer wait.Stop()
plan:
	for n, instant := range at {
		wait.Reset(instant - time.Since(start))
		select {
		case <-wait.C:
			due <- n
		case <-ctx.Done():
			break plan
		}
	}
	close(due)
	done.Wait()
	all := opened{load: load{took: time.Since(start), answers: map[int]int{}}}
	for _, p := range parts {
		all.times = append(all.times, p.times...)
		all.late = append(all.late, p.late...)
		for status, n := range p.answers {
			all.answers[status] += n
		}
	}
	slices.Sort(all.times)
	slices.Sort(all.late)
	all.sent = webhooks[:len(all.times)]
	return all, errors.Join(append(errs, parent.Err())...)
}
