package store

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"aifi-audit/store/aifi"
)

const (
	mostFlushers    = 4
	coresOfAFlusher = 4
	mostQueued      = 16384 // deliveries that wait for all flushers
	batchSize       = 512
	retryFor        = 10 * time.Second
	retryPause      = 50 * time.Millisecond
	mostMistaken    = 5 // tries: then it is no other transaction's doing
)

// flushers is how many there are: one on few cores. What waits for one flusher makes
// larger batches, and each batch costs PostgreSQL twenty statements and a commit.
func flushers() int { return min(max(1, runtime.GOMAXPROCS(0)/coresOfAFlusher), mostFlushers) }

// recorder queues deliveries for a few flushers. Those of one store go to one
// flusher, so that flushers of a process never wait for each other's rows.
type recorder struct {
	mu     sync.RWMutex // guards closed, and the channels against sends after it
	closed bool
	queues []chan *pending
	done   sync.WaitGroup
}

// enqueue fails with ErrOverloaded if the queue is full.
func (r *recorder) enqueue(p *pending) error {
	p.prepare()
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return ErrUnavailable
	}
	select {
	case r.queueOf(p) <- p:
		return nil
	default:
		return ErrOverloaded
	}
}

// enqueueWaiting waits for room in the queue.
func (r *recorder) enqueueWaiting(ctx context.Context, p *pending) error {
	p.prepare()
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return ErrUnavailable
	}
	select {
	case r.queueOf(p) <- p:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *recorder) queueOf(p *pending) chan<- *pending {
	return r.queues[uint64(p.storeID())%uint64(len(r.queues))] //nolint:gosec // any mapping will do
}

func (r *recorder) start(s *Store) {
	n := flushers()
	for range n {
		queue := make(chan *pending, mostQueued/n)
		r.queues = append(r.queues, queue)
		f := flusher{store: s, seen: newSeen()}
		r.done.Go(func() { f.run(queue) })
	}
}

// close lets the flushers finish what is queued.
func (r *recorder) close() {
	r.mu.Lock()
	r.closed = true
	for _, q := range r.queues {
		close(q)
	}
	r.mu.Unlock()
	r.done.Wait()
}

// flusher commits batches: whatever waits while it commits is its next batch.
type flusher struct {
	store *Store
	seen  *seen     // what it has written
	in    database  // where
	since time.Time // when it began to remember that
}

func (f *flusher) run(queue <-chan *pending) {
	batch := make([]*pending, 0, batchSize)
	for first := range queue {
		batch = append(batch[:0], first)
	fill:
		for len(batch) < batchSize {
			select {
			case p, ok := <-queue:
				if !ok {
					break fill
				}
				batch = append(batch, p)
			default:
				break fill
			}
		}
		batch = slices.DeleteFunc(batch, func(p *pending) bool { return p.spooled.Load() })
		if len(batch) > 0 {
			f.flush(batch)
		}
	}
}

// flush commits a batch. If a row of it is at fault, the batch is halved until that
// row stands alone, and goes to quarantine.
func (f *flusher) flush(batch []*pending) {
	receipts, err := f.commitRetrying(batch)
	switch {
	case err == nil:
		for i, p := range batch {
			f.store.kept(p.watched(), receipts[i].Status)
			p.answer <- answer{receipt: receipts[i]}
		}
	case !ownFault(err):
		f.seen = newSeen() // who mends the database may leave it without what was written
		f.store.health.failed(err)
		f.fail(batch, fmt.Errorf("%w: %w", ErrUnavailable, err))
	case len(batch) > 1:
		half := len(batch) / 2
		f.flush(batch[:half])
		f.flush(batch[half:])
	case (batch[0].replayed != nil || batch[0].wasRefused) && missed(err):
		f.fail(batch, ErrNotFound) // it was erased or retired meanwhile
	case batch[0].statement != nil:
		f.store.log.Warn("a delivery cannot be stored and goes to quarantine", "deliveryId", batch[0].delivery.ID, "error", err)
		batch[0].statement = nil
		batch[0].problem = &aifi.Problem{Reason: Unstorable, Detail: "the database cannot hold what the body states"}
		batch[0].prepare()
		f.flush(batch)
	default:
		f.store.log.Error("a delivery cannot be kept", "deliveryId", batch[0].delivery.ID, "error", err)
		f.fail(batch, fmt.Errorf("keeping a delivery: %w", err))
	}
}

func (f *flusher) fail(batch []*pending, err error) {
	for _, p := range batch {
		p.answer <- answer{err: err}
	}
}

// commitRetrying outlasts what passes: with a spool, only a broken connection and
// transactions that met; without one, a short absence of the database too. A key that
// is taken was kept before, or meanwhile, and what was expected may be gone: so all that
// the batch has is asked for.
func (f *flusher) commitRetrying(batch []*pending) ([]Receipt, error) {
	ctx, cancel := context.WithTimeout(context.Background(), retryFor)
	defer cancel()
	for try := 1; ; try++ {
		start := time.Now()
		receipts, err := f.commit(ctx, batch, try > 1)
		if err == nil {
			f.store.health.committed()
			f.store.metrics.batchSize.Observe(float64(len(batch)))
			f.store.metrics.commitSeconds.Observe(time.Since(start).Seconds())
			return receipts, nil
		}
		if mistaken(err) && try < mostMistaken {
			f.seen.stated = newStated()
			continue
		}
		if ownFault(err) || ctx.Err() != nil || f.store.spool != nil && try > 1 && !met(err) {
			return nil, err
		}
		if try == 1 {
			continue
		}
		if !pause(ctx, retryPause) {
			return nil, err
		}
	}
}
