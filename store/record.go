package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"aifi-audit/store/aifi"
	"aifi-audit/store/bodycodec"
	"aifi-audit/store/spool"
)

// pending is a delivery on its way to a commit. Its flusher owns it until it is
// answered.
type pending struct {
	delivery     Delivery
	receivedAt   time.Time
	statement    *aifi.Statement // nil if it goes to quarantine
	problem      *aifi.Problem
	replayed     *quarantined // not nil: it is kept already, and only to be understood
	wasRefused   bool         // it is recorded from among the refused, as long as it is there
	stored       []byte       // the body as it is to be kept
	encoding     bodycodec.Encoding
	evidence     *evidence   // nil: a replay of what was received before there was a log
	prepared     prepared    // before it is queued
	answer       chan answer // room for one
	spooled      atomic.Bool // it is safe in the spool, and need not be committed now
	fromSpool    bool        // it may have been kept before it was spooled, or drained once
	wasUndecided bool        // its token was looked up only when it was drained
}

type answer struct {
	receipt Receipt
	err     error
}

// newPending decodes a delivery, draws what its leaf needs, and compresses the body. It
// runs where many deliveries do so at once, so that flushers need not.
func (s *Store) newPending(d Delivery) (*pending, error) {
	// What the database cannot hold must not make two deliveries differ.
	d.Webhook, d.RemoteAddr = aifi.Webhook(aifi.CleanText(string(d.Webhook))), aifi.CleanText(d.RemoteAddr)
	d.Path, d.Headers = aifi.CleanText(d.Path), cleanHeaders(d.Headers)
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
// is drained by itself. Errors are ErrOverloaded, ErrUnavailable, ErrSpoolFull and ErrSpoolFails:
// nothing was kept, or (if the connection broke at the commit) possibly all of it;
// recording again is harmless. If ctx ends while the delivery is queued it may still
// be kept.
func (s *Store) Record(ctx context.Context, d Delivery) (Receipt, error) {
	p, err := s.newPending(d)
	if err != nil {
		return Receipt{}, err
	}
	problem, seen := p.problem, p.watched() // the flusher's, once p is queued
	s.metrics.received(seen)
	if s.spool == nil {
		return s.commitPending(ctx, p)
	}
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
	err = s.spoolPending(ctx, p, seen)
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

// spoolPending reads of a delivery only what its flusher, which may have it still, does
// not change.
func (s *Store) spoolPending(ctx context.Context, p *pending, w watched) error {
	record, err := encodeSpooled(p.delivery, nil)
	if err == nil {
		err = s.spool.Append(ctx, record)
	}
	switch {
	case err == nil:
	case errors.Is(err, spool.ErrTooLarge):
		s.log.Error("a delivery cannot be spooled", "deliveryId", p.delivery.ID, "error", err)
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	default:
		why := ErrSpoolFails
		if errors.Is(err, spool.ErrFull) {
			why = ErrSpoolFull
		}
		err = fmt.Errorf("%w: %w", why, err)
		s.health.notSpooled(err)
		return err
	}
	p.spooled.Store(true)
	s.health.spooled()
	s.kept(w, Spooled)
	return nil
}

// kept notes what became of a delivery, for those who watch.
func (s *Store) kept(w watched, status Status) {
	s.metrics.kept(w, status)
	s.arrivals.note(w)
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

// mostValues is how many flags, products and gondolas a webhook may state: each is a row
// or two, and all others wait for the transaction that writes them.
const mostValues = 10_000

// understand decodes the body, or says why not.
func (p *pending) understand() {
	d := &p.delivery
	if d.Truncated {
		p.problem = &aifi.Problem{Reason: Truncated, Detail: "the body is not whole: it was longer than the limit, or ended early; its first part was kept"}
		return
	}
	p.statement, p.problem = aifi.Decode(d.Webhook, d.Body)
	if coding := d.Headers["Content-Encoding"]; p.problem != nil && p.problem.Reason == aifi.NotJSON && coding != "" && !strings.EqualFold(coding, "identity") {
		p.problem.Detail += fmt.Sprintf("; it came with Content-Encoding: %.40s, and is kept as it came, since bodies are not decoded", coding)
	}
	if s := p.statement; s != nil && len(s.ShopperFlags)+len(s.SessionFlags)+len(s.WebhookFlags)+len(s.ProductIDs)+len(s.GondolaIDs) > mostValues {
		p.statement, p.problem = nil, &aifi.Problem{Reason: Unstorable, Detail: fmt.Sprintf("it has more than %d flags, products and gondolas", mostValues)}
	}
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
