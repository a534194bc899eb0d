package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/aifi"
	"aifi-audit/store/bodycodec"
	"aifi-audit/store/spool"
)

const (
	mostFlushers    = 4
	coresOfAFlusher = 4
	mostQueued      = 16384 // deliveries that wait for all flushers
	batchSize       = 512
	retryFor        = 10 * time.Second
	retryPause      = 50 * time.Millisecond
	mostTaken       = 5 // tries: then it is no other transaction's key
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

// pending is a delivery on its way to a commit. Its flusher owns it until it is
// answered.
type pending struct {
	delivery     Delivery
	receivedAt   time.Time
	statement    *aifi.Statement // nil if it goes to quarantine
	problem      *aifi.Problem
	replayed     *quarantined // not nil: it is kept already, and only to be understood
	stored       []byte       // the body as it is to be kept
	encoding     bodycodec.Encoding
	evidence     *evidence   // nil: a replay of what was received before there was a log
	answer       chan answer // room for one
	spooled      atomic.Bool // it is safe in the spool, and need not be committed now
	fromSpool    bool        // it may have been kept before it was spooled, or drained once
	wasUndecided bool        // its token was looked up only when it was drained
}

// quarantined names a row of quarantine.
type quarantined struct {
	storeID    int64
	receivedAt time.Time
	deliveryID uuid.UUID
}

type answer struct {
	receipt Receipt
	err     error
}

// newPending decodes a delivery, draws what its leaf needs, and compresses the body. It
// runs where many deliveries do so at once, so that flushers need not.
func (s *Store) newPending(d Delivery) (*pending, error) {
	// What the database cannot hold must not make two deliveries differ.
	d.Webhook, d.RemoteAddr = aifi.Webhook(cleanText(string(d.Webhook))), cleanText(d.RemoteAddr)
	d.Path, d.Headers = cleanText(d.Path), cleanHeaders(d.Headers)
	p := &pending{delivery: d, receivedAt: ReceivedAt(d.ID), answer: make(chan answer, 1)}
	if p.receivedAt.IsZero() {
		return nil, fmt.Errorf("delivery id %s is not a UUIDv7", d.ID)
	}
	var err error
	if p.evidence, err = s.commitToBody(d.Body); err != nil {
		return nil, fmt.Errorf("drawing a delivery's secret: %w", err)
	}
	p.stored, p.encoding = bodycodec.Encode(d.Body)
	p.understand()
	return p, nil
}

// Record keeps a delivery and what it states. It returns after the commit; or, if the
// database is away or slow and there is a spool, after the fsync of the spool, which
// is drained by itself. Errors are ErrOverloaded, ErrUnavailable and ErrSpoolFull:
// nothing was kept, or (if the connection broke at the commit) possibly all of it;
// recording again is harmless. If ctx ends while the delivery is queued it may still
// be kept.
func (s *Store) Record(ctx context.Context, d Delivery) (Receipt, error) {
	p, err := s.newPending(d)
	if err != nil {
		return Receipt{}, err
	}
	s.metrics.received(p)
	if s.spool == nil {
		return s.commitPending(ctx, p)
	}
	problem := p.problem // the flusher's, once p is queued
	queued := false
	if !s.health.away.Load() && s.recorder.enqueue(p) == nil {
		queued = true
		deadline := time.NewTimer(s.commitDeadline)
		defer deadline.Stop()
		select {
		case a := <-p.answer:
			if a.err == nil {
				return a.receipt, nil
			}
			queued = false
		case <-deadline.C:
			s.health.late(s.commitDeadline)
		}
	}
	err = s.spoolPending(ctx, p)
	switch {
	case err == nil:
		return Receipt{Status: Spooled, Problem: problem}, nil
	case queued:
		return p.await(ctx)
	}
	// With no room in the spool, the database is the last hope.
	if receipt, lastErr := s.commitPending(ctx, p); lastErr == nil {
		return receipt, nil
	}
	return Receipt{}, err
}

func (s *Store) spoolPending(ctx context.Context, p *pending) error {
	record, err := encodeSpooled(p.delivery, nil)
	if err == nil {
		err = s.spool.Append(ctx, record)
	}
	if err != nil {
		if errors.Is(err, spool.ErrFull) {
			s.health.spoolFull(err)
			return fmt.Errorf("%w: %w", ErrSpoolFull, err)
		}
		s.log.Error("a delivery cannot be spooled", "deliveryId", p.delivery.ID, "error", err)
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	p.spooled.Store(true)
	s.health.spooled()
	s.kept(p, Spooled)
	return nil
}

// kept notes what became of a delivery, for those who watch.
func (s *Store) kept(p *pending, status Status) {
	s.metrics.kept(p, status)
	s.arrivals.note(p)
}

// commitPending queues a delivery and waits for its commit.
func (s *Store) commitPending(ctx context.Context, p *pending) (Receipt, error) {
	if err := s.recorder.enqueue(p); err != nil {
		return Receipt{}, err
	}
	return p.await(ctx)
}

func (p *pending) await(ctx context.Context) (Receipt, error) {
	select {
	case a := <-p.answer:
		return a.receipt, a.err
	case <-ctx.Done():
		return Receipt{}, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

// understand decodes the body, or says why not.
func (p *pending) understand() {
	d := &p.delivery
	if d.Truncated {
		p.problem = &aifi.Problem{Reason: Truncated, Detail: "the body is longer than the limit; its first part was kept"}
		return
	}
	p.statement, p.problem = aifi.Decode(d.Webhook, d.Body)
	if p.statement != nil && !d.TokenScope.Allows(p.statement.StoreID) {
		p.statement, p.problem = nil, &aifi.Problem{Reason: StoreNotAllowed, Pointer: "/storeId", Detail: "the token may not speak for this store"}
	}
}

func (p *pending) storeID() int64 {
	if p.statement == nil {
		return 0
	}
	return p.statement.StoreID
}

// enqueue fails with ErrOverloaded if the queue is full.
func (r *recorder) enqueue(p *pending) error {
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
	seen  *seen  // what it has written
	in    string // which database
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
			f.store.kept(p, receipts[i].Status)
			p.answer <- answer{receipt: receipts[i]}
		}
	case !ownFault(err):
		f.store.health.failed(err)
		f.fail(batch, fmt.Errorf("%w: %w", ErrUnavailable, err))
	case len(batch) > 1:
		half := len(batch) / 2
		f.flush(batch[:half])
		f.flush(batch[half:])
	case batch[0].statement != nil:
		f.store.log.Warn("a delivery cannot be stored and goes to quarantine", "deliveryId", batch[0].delivery.ID, "error", err)
		batch[0].statement = nil
		batch[0].problem = &aifi.Problem{Reason: Unstorable, Detail: "the database cannot hold what the body states"}
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
// is taken was kept before, or meanwhile: so the batch is asked for again.
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
		if keyTaken(err) && try < mostTaken {
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
