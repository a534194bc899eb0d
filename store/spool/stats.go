package spool

import (
	"context"
	"time"
)

// Stats is the state of a spool.
type Stats struct {
	// Records that are not done: waiting, handed out or given back.
	Records int64
	// Counting: records that an earlier process left are still being counted, so there
	// may be more than Records.
	Counting bool
	// Bytes of these records, with their headers.
	Bytes int64
	// Oldest is when the oldest of them was appended, or one shortly before it. Zero: there is
	// none, or it was not looked at yet.
	Oldest time.Time
	// Segments is the number of files they are in.
	Segments int
	// DiskBytes is what all files take, those in damaged/ included; MaxBytes its limit.
	DiskBytes, MaxBytes int64
	// DamagedBytes lie in damaged/.
	DamagedBytes int64

	// Since the spool was opened: records appended, records done, pieces set aside, and
	// fsyncs for appends. The same damage counts again after a restart if its segment
	// was not deleted.
	Appended, Drained, Damaged, Syncs int64
	// LastError is what failed last, if anything did since the spool was opened.
	LastError   error
	LastErrorAt time.Time
}

// totals are what Stats has since the spool was opened.
type totals struct {
	appended, drained, damaged, syncs int64
	lastError                         error
	lastErrorAt, loggedAt             time.Time
}

// Stats returns the state, without touching the disk.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{
		Segments:     len(s.segments),
		DiskBytes:    s.used(),
		MaxBytes:     s.config.MaxBytes,
		DamagedBytes: s.aside,
		Appended:     s.totals.appended,
		Drained:      s.totals.drained,
		Damaged:      s.totals.damaged,
		Syncs:        s.totals.syncs,
		LastError:    s.totals.lastError,
		LastErrorAt:  s.totals.lastErrorAt,
		Oldest:       s.oldest(),
	}
	for _, g := range s.segments {
		st.Records += g.waiting()
		st.Bytes += g.end - g.goneBytes
		st.Counting = st.Counting || !g.counted
	}
	return st
}

// oldest is the least time of what was read and is not done, and of what is read next.
func (s *Spool) oldest() time.Time {
	var least time.Time
	consider := func(t time.Time) {
		if least.IsZero() || !t.IsZero() && t.Before(least) {
			least = t
		}
	}
	for b := range s.batches {
		consider(b.entries[0].AppendedAt)
	}
	if len(s.returned) > 0 {
		consider(s.returned[0].AppendedAt)
	}
	for _, g := range s.segments {
		if g.read == g.end {
			continue
		}
		if g.read == 0 {
			consider(g.first)
		} else {
			consider(g.last)
		}
		break
	}
	return least
}

// survey counts the records in the segments that an earlier process left, by their
// headers.
func (s *Spool) survey(ctx context.Context, left []*segment) {
	defer close(s.surveyed)
	for _, g := range left {
		s.count(ctx, g)
	}
}

// count stops quietly if the segment cannot be read: the reader will say so.
func (s *Spool) count(ctx context.Context, g *segment) {
	file, err := s.config.FS.Open(s.path(g))
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }() // it is only read
	sc := newScanner(file, g.name, g.end)
	sc.headersOnly = true
	var n int64
	for {
		if ctx.Err() != nil {
			return
		}
		p, err := sc.next(false)
		s.mu.Lock()
		switch {
		case err == nil && p.kind == intact:
			n++
			if n == 1 {
				g.first = p.at
			}
			if !g.counted {
				g.records = n
			}
		case err != nil && sc.pos >= sc.end:
			g.counted = true
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}
