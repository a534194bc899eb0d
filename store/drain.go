package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aifi-audit/store/spool"
)

const (
	drainRecords = 256 // in the queues of live traffic at a time: a live delivery waits behind no more
	drainBytes   = 16 << 20
	drainPause   = 250 * time.Millisecond // between tries while the database is away
)

// drain records what is in a spool, oldest first, through the queues that live
// deliveries go through. It ends with ctx.
func (s *Store) drain(ctx context.Context, q *spool.Spool) {
	for {
		// While the database is away one record at a time tries it.
		most := drainRecords
		if s.health.away.Load() {
			most = 1
		}
		batch, err := q.Next(ctx, most, drainBytes)
		if err == nil && s.drainBatch(ctx, batch) {
			continue
		}
		if ctx.Err() != nil || errors.Is(err, spool.ErrClosed) {
			return
		}
		if err != nil {
			s.log.Error("the spool cannot be read", "error", err)
		}
		if !pause(ctx, drainPause) {
			return
		}
	}
}

// drainBatch reports whether the batch is recorded, or refused. If not, all of it comes
// again: recording a delivery twice is harmless.
func (s *Store) drainBatch(ctx context.Context, batch *spool.Batch) bool {
	began := time.Now()
	waiting := make(map[int]*pending, len(batch.Records))
	refused := map[int]refusal{}
	whole := true
	for i, record := range batch.Records {
		p, no, err := s.pendingOf(ctx, record.Payload, began)
		switch {
		case errors.Is(err, ErrUnavailable):
			whole = false
		case err != nil:
			batch.SetAside(i, err.Error())
		case p == nil:
			refused[i] = no
		default:
			if whole = s.recorder.enqueueWaiting(ctx, p) == nil; whole {
				waiting[i] = p
			}
		}
		if !whole {
			break
		}
	}
	if err := s.refuseLater(ctx, batch, refused); err != nil {
		whole = false
	}
	for i, p := range waiting {
		switch a := <-p.answer; {
		case a.err == nil:
		case errors.Is(a.err, ErrUnavailable):
			whole = false
		default:
			batch.SetAside(i, a.err.Error())
		}
	}
	if !whole {
		batch.Retry()
		return false
	}
	batch.Done()
	s.decided(waiting, refused)
	return true
}

// pendingOf makes a record of a spool a delivery that can be recorded; or, if its token
// has been looked up only now, one that is refused. Of the tokens it is content with what
// was read since a moment. ErrUnavailable: they cannot be read.
func (s *Store) pendingOf(ctx context.Context, record []byte, since time.Time) (*pending, refusal, error) {
	d, tokenHash, err := decodeSpooled(record)
	if err != nil {
		return nil, refusal{}, err
	}
	if tokenHash != nil {
		t, why, err := s.tokenThen(ctx, tokenHash, ReceivedAt(d.ID), since)
		if err != nil {
			return nil, refusal{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		if why != "" {
			return nil, refusalOf(d, tokenHash, why), nil
		}
		d.TokenID, d.TokenScope = t.ID, t.Scope()
	}
	p, err := s.newPending(d)
	if err != nil {
		return nil, refusal{}, err
	}
	p.fromSpool, p.wasUndecided = true, tokenHash != nil
	return p, refusal{}, nil
}

// SpoolStats is the state of the spool.
type SpoolStats = spool.Stats

// Spool is the state of the spool; zero if there is none.
func (s *Store) Spool() SpoolStats {
	if s.spool == nil {
		return SpoolStats{}
	}
	return s.spool.Stats()
}
