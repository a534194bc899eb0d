package bench

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sender sends one webhook at a time, over something that it has to itself, and says
// what came of it.
type sender interface {
	send(ctx context.Context, w webhook) (answer int, err error)
	close()
}

// load is what came of sending.
type load struct {
	sent    []webhook       // of those offered, from the first on
	took    time.Duration   // from the first that was sent to the last answer
	times   []time.Duration // from sending to the answer, sorted
	answers map[int]int     // by status
}

func (l load) rate() float64 { return float64(len(l.sent)) / l.took.Seconds() }

// closedLoop has each of the senders send the next webhook as soon as it has its answer,
// until the time is over or no webhook is left.
func closedLoop(ctx context.Context, senders []sender, webhooks []webhook, duration time.Duration) (load, error) {
	parent := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var next atomic.Int64
	var done sync.WaitGroup
	parts := make([]load, len(senders))
	errs := make([]error, len(senders))
	start := time.Now()
	for i, s := range senders {
		parts[i].answers = map[int]int{}
		done.Go(func() {
			for began := start; began.Sub(start) < duration && ctx.Err() == nil; {
				n := next.Add(1) - 1
				if n >= int64(len(webhooks)) {
					return
				}
				began = time.Now()
				answer, err := s.send(ctx, webhooks[n])
				if err != nil {
					errs[i] = err
					cancel()
					return
				}
				now := time.Now()
				parts[i].times = append(parts[i].times, now.Sub(began))
				parts[i].answers[answer]++
				began = now
			}
		})
	}
	done.Wait()
	all := load{took: time.Since(start), answers: map[int]int{}}
	for _, p := range parts {
		all.times = append(all.times, p.times...)
		for status, n := range p.answers {
			all.answers[status] += n
		}
	}
	slices.Sort(all.times)
	all.sent = webhooks[:len(all.times)]
	return all, errors.Join(append(errs, parent.Err())...)
}

// overHTTP sends to a server.
type overHTTP struct{ *connection }

func (s overHTTP) send(_ context.Context, w webhook) (int, error) {
	return s.connection.send(w.request)
}

// sendersTo are connections to a server.
func sendersTo(url string, n int) []sender {
	senders := make([]sender, n)
	for i := range senders {
		senders[i] = overHTTP{connectionTo(url)}
	}
	return senders
}

func closeAll(senders []sender) {
	for _, s := range senders {
		s.close()
	}
}
