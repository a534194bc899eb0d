package store

import (
	"context"
	"errors"
	"time"

	"aifi-audit/store/spool"
)

const (
	drainRecords = 256 // in the queues of live traffic at a time: a live delivery waits behind no more
	drainBytes   = 16 << 20
	drainPause   = 250 * time.Millisecond // between tries while the database is away
)

// drain records what is in the spool, oldest first, through the queues that live
// deliveries go through. It ends with ctx.
func (s *Store) drain(ctx context.Context) {
	for {
		// While the database is away one record at a time tries it.
		most := drainRecords
		if s.health.away.Load() {
			most = 1
		}
		batch, err := s.spool.Next(ctx, most, drainBytes)
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

// drainBatch reports whether the batch is recorded. If not, all of it comes again:
// recording a delivery twice is harmless.
func (s *Store) drainBatch(ctx context.Context, batch *spool.Batch) bool {
	waiting := make(map[int]*pending, len(batch.Records))
	whole := true
	for i, record := range batch.Records {
		p, err := s.pendingOf(record.Payload)
		if err != nil {
			batch.SetAside(i, err.Error())
			continue
		}
		if err := s.recorder.enqueueWaiting(ctx, p); err != nil {
			whole = false
			break
		}
		waiting[i] = p
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
	return true
}

func (s *Store) pendingOf(record []byte) (*pending, error) {
	d, err := decodeSpooled(record)
	if err != nil {
		return nil, err
	}
	p, err := s.newPending(d)
	if err == nil {
		p.fromSpool = true
	}
	return p, err
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
