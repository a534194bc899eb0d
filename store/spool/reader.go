package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"syscall"
	"time"
)

// readAttempts is how often in a row reading may fail at one place before the place is
// taken for damaged: a minute, if it is tried four times a second. A disk may be away for
// seconds, and what is set aside is not read again.
const readAttempts = 240

// Record is what was appended, once.
type Record struct {
	Payload    []byte
	AppendedAt time.Time // by Config.Now
	Segment    string    // the name of its file in Dir
	Offset     int64     // of its header there, in bytes
}

// entry is a record that was read and is not done.
type entry struct {
	Record
	segment *segment
	aside   bool // SetAside has dealt with it
}

func (e *entry) size() int64 { return headerBytes + int64(len(e.Payload)) }

// reader is where reading has come to.
type reader struct {
	mu       sync.Mutex // held while reading; taken before Spool.mu
	segment  *segment
	file     File
	scanner  *scanner
	failures int // in a row
}

// Next hands out the oldest records that were not handed out yet, or were given back:
// at most maxRecords, with at most maxBytes of payload, but at least one. It waits if
// there is none, until there is, ctx ends or the spool is closed (ErrClosed). Several
// batches may be out at a time; each must end with [Batch.Done] or [Batch.Retry].
//
// Any other error is of the disk. Call Next again after a while: what cannot be read many
// times in a row is set aside as damaged, and the rest goes on.
func (s *Spool) Next(ctx context.Context, maxRecords, maxBytes int) (*Batch, error) {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if !s.begin() {
			return nil, fmt.Errorf("read from spool: %w", ErrClosed)
		}
		batch, err := s.fill(ctx, maxRecords, maxBytes)
		s.calls.Done()
		if err != nil {
			return nil, fmt.Errorf("read from spool: %w", err)
		}
		if batch != nil {
			return batch, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("read from spool: %w", ctx.Err())
		}
	}
}

// fill makes a batch of what is there, or returns nil, and then has tidied up.
func (s *Spool) fill(ctx context.Context, maxRecords, maxBytes int) (*Batch, error) {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	var entries []entry
	room := maxBytes
	for len(entries) == 0 || len(entries) < maxRecords && room > 0 {
		if err := ctx.Err(); err != nil {
			s.giveBack(entries)
			return nil, err
		}
		e, err := s.read()
		if errors.Is(err, io.EOF) || err != nil && len(entries) > 0 {
			break // an error is met again by the next call
		}
		if err != nil {
			s.report(err)
			return nil, err
		}
		if len(entries) > 0 && len(e.Payload) > room {
			s.giveBack([]entry{e})
			break
		}
		entries = append(entries, e)
		room -= len(e.Payload)
	}
	if len(entries) > 0 {
		return s.handOut(entries), nil
	}
	s.reader.close() // a deleted file takes room as long as it is open
	s.mu.Lock()
	if !s.committing && len(s.pending) == 0 {
		s.sealDrained()
	}
	s.mu.Unlock()
	s.retire()
	return nil, nil //nolint:nilnil // nothing there is neither a batch nor an error
}

// read returns the next record: one that was given back, or else the next in a file. It
// returns io.EOF if there is none.
func (s *Spool) read() (entry, error) {
	s.mu.Lock()
	if len(s.returned) > 0 {
		e := s.returned[0]
		s.returned = s.returned[1:]
		s.mu.Unlock()
		return e, nil
	}
	s.mu.Unlock()
	for {
		g, err := s.follow()
		if err != nil {
			return entry{}, err
		}
		r := &s.reader
		p, err := r.scanner.next(r.failures >= readAttempts)
		if errors.Is(err, io.EOF) {
			return entry{}, err // the active segment, which has no more yet
		}
		if err != nil {
			r.failures++
			return entry{}, fmt.Errorf("%s at %d: %w", g.name, r.scanner.pos, err)
		}
		s.passed(g, p)
		switch p.kind {
		case intact:
			r.failures = 0 // before that, what cannot be read either is not waited for again
			return entry{Record: Record{Payload: p.payload, AppendedAt: p.at, Segment: g.name, Offset: p.offset}, segment: g}, nil
		case damaged:
			s.setAside(g, p.offset, p.size, p.why)
		case torn:
			s.config.Logger.Info("spool: the record being written at a crash is left out", "segment", g.name, "offset", p.offset, "bytes", p.size)
		}
	}
}

// follow has the reader stand where there is more to read, and returns io.EOF if there
// is nothing.
func (s *Spool) follow() (*segment, error) {
	r := &s.reader
	for {
		g, end := s.toRead()
		if g == nil {
			r.close()
			return nil, io.EOF
		}
		if g == r.segment {
			r.scanner.end = end
			return g, nil
		}
		r.close()
		file, err := s.config.FS.Open(s.path(g))
		if err == nil {
			r.segment, r.file, r.scanner, r.failures = g, file, newScanner(file, g.name, end), 0
			r.scanner.pos = g.read
			return g, nil
		}
		if r.failures++; scarce(err) || r.failures <= readAttempts && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("open segment: %w", err)
		}
		r.failures = 0
		s.leave(g, err)
	}
}

// scarce reports whether an error says nothing of the file: the process, or the machine,
// has no room for another open file now.
func scarce(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}

// toRead is the oldest segment that was not read to its end, and where its end is now. It
// is nil if there is none.
func (s *Spool) toRead() (*segment, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.segments {
		if !g.over() {
			return g, g.end
		}
	}
	return nil, 0
}

// passed notes a piece that was read.
func (s *Spool) passed(g *segment, p piece) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.read = p.offset + p.size
	switch p.kind {
	case intact:
		g.open++
		g.seen++
		g.last = p.at
	case damaged, torn:
		g.goneBytes += p.size
	}
}

// leave gives up a segment that cannot be opened: it stays where it is for the next
// process, unless somebody has taken it away.
func (s *Spool) leave(g *segment, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.read = g.end
	g.left = !errors.Is(err, fs.ErrNotExist)
	s.totals.damaged++
	s.fault(fmt.Errorf("segment is left unread: %w", err))
}

func (r *reader) close() {
	if r.file != nil {
		_ = r.file.Close() // it was only read
	}
	r.segment, r.file, r.scanner = nil, nil, nil
}
