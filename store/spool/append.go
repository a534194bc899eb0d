package spool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"
)

// maxCommit is how many bytes are written with one fsync, unless one record is longer.
const maxCommit = 4 << 20

// appending is an append that waits for the disk.
type appending struct {
	frame []byte
	done  chan error // holds one
}

// Append adds a record. It returns nil only when the record is on disk, once. After an
// error, also that of ctx, it may be there or not. The errors are ErrFull, ErrTooLarge,
// ErrClosed, that of ctx, and what the disk says. After ErrFull the next call may well
// succeed: nothing needs to be opened again. The payload may be empty, and is the
// caller's again after the call.
func (s *Spool) Append(ctx context.Context, payload []byte) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("append to spool: %w", err)
	}
	if len(payload) > MaxPayload {
		return fmt.Errorf("append to spool: %w", ErrTooLarge)
	}
	a := &appending{frame: newFrame(payload, s.config.Now()), done: make(chan error, 1)}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fmt.Errorf("append to spool: %w", ErrClosed)
	}
	s.pending = append(s.pending, a)
	s.wake.Signal()
	s.mu.Unlock()

	var err error
	select {
	case err = <-a.done:
	case <-ctx.Done():
		s.mu.Lock()
		if i := slices.Index(s.pending, a); i >= 0 {
			s.pending = slices.Delete(s.pending, i, i+1)
		}
		s.mu.Unlock()
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("append to spool: %w", err)
	}
	return nil
}

// write is the one goroutine that writes segments.
func (s *Spool) write() {
	defer close(s.written)
	var buf []byte
	for {
		group := s.take()
		if group == nil {
			return
		}
		buf = buf[:0]
		for _, a := range group {
			buf = append(buf, a.frame...)
		}
		err := s.commit(group, buf)
		for _, a := range group {
			a.done <- err
		}
		if cap(buf) > 2*maxCommit {
			buf = nil
		}
	}
}

// take waits for appends and returns those that are written next, or nil at the end. It
// refuses those for which there is no room.
func (s *Spool) take() []*appending {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for len(s.pending) == 0 && !s.closed {
			s.wake.Wait()
		}
		if len(s.pending) == 0 {
			return nil
		}
		group, refused := s.choose()
		if len(refused) > 0 {
			s.makeRoom()
			group, refused = s.choose()
		}
		s.pending = slices.Delete(s.pending, 0, len(group)+len(refused))
		for _, a := range refused {
			a.done <- fmt.Errorf("%w: %d bytes are the limit", ErrFull, s.config.MaxBytes)
		}
		if len(group) > 0 {
			s.committing = true
			return group
		}
	}
}

// choose says which of the first that wait can be written with one fsync, and for which
// of them there is no room. The caller holds mu.
func (s *Spool) choose() (group, refused []*appending) {
	limit := min(maxCommit, s.config.SegmentBytes)
	room := s.config.MaxBytes - s.used()
	var size int64
	for _, a := range s.pending {
		next := size + int64(len(a.frame))
		switch {
		case size > 0 && next > limit:
			return group, refused
		case next > room:
			refused = append(refused, a)
		default:
			group, size = append(group, a), next
		}
	}
	return group, refused
}

// makeRoom deletes what is drained, and looks whether somebody has cleared damaged/. The
// caller is the writer and holds mu, which is released meanwhile.
func (s *Spool) makeRoom() {
	s.sealDrained()
	look := s.aside > 0
	s.mu.Unlock()
	s.retire()
	if look {
		s.recount()
	}
	s.mu.Lock()
}

// commit makes a group of records durable.
func (s *Spool) commit(group []*appending, buf []byte) error {
	n, err := s.persist(group, buf)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committing = false
	s.tell() // also after an error: what is drained can be deleted now
	if err != nil {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		s.fault(err)
		s.makeRoom()
		return err
	}
	s.totals.appended += int64(n)
	s.totals.syncs++
	return nil
}

// persist writes a group to a segment, and returns when it is on disk. If somebody has
// taken the segment away, it goes to another.
func (s *Spool) persist(group []*appending, buf []byte) (int, error) {
	n, err := s.persistOnce(group, buf)
	if errors.Is(err, fs.ErrNotExist) {
		s.report(err)
		n, err = s.persistOnce(group, buf)
	}
	return n, err
}

func (s *Spool) persistOnce(group []*appending, buf []byte) (int, error) {
	g, err := s.writable(int64(len(buf)))
	if err != nil {
		return 0, err
	}
	seed, at := checksum([]byte(g.name)), 0
	for _, a := range group {
		place(buf[at:], seed, g.end+int64(at))
		at += len(a.frame)
	}
	if err := s.writeGroup(g, buf); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.records == 0 {
		h, _ := parseHeader(buf, seed, g.end)
		g.first = h.at
	}
	g.end += int64(len(buf))
	g.size = g.end
	g.records += int64(len(group))
	return len(group), nil
}

// writeGroup writes at the end of a segment. If it fails, nothing of it is left, or the
// segment is not written again.
func (s *Spool) writeGroup(g *segment, buf []byte) error {
	s.mu.Lock()
	g.size = g.end + int64(len(buf))
	s.mu.Unlock()
	n, err := g.file.WriteAt(buf, g.end)
	if err == nil && n < len(buf) {
		err = io.ErrShortWrite
	}
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	if err != nil {
		err = fmt.Errorf("write: %w", err)
		if cut := g.file.Truncate(g.end); cut == nil {
			s.mu.Lock()
			g.size = g.end
			s.mu.Unlock()
			if full {
				return err // it goes on in the same segment when there is room
			}
		}
	} else if err = g.file.Sync(); err != nil {
		err = fmt.Errorf("fsync: %w", err)
	} else if err = s.config.FS.Holds(s.path(g), g.file); err != nil {
		err = fmt.Errorf("the segment was taken away: %w", err)
	}
	if err != nil {
		s.mu.Lock()
		s.seal(g)
		s.mu.Unlock()
	}
	return err
}

// writable is the active segment if size more bytes fit, or else a new one.
func (s *Spool) writable(size int64) (*segment, error) {
	s.mu.Lock()
	g := s.active
	if g != nil && (g.end == 0 || g.end+size <= s.config.SegmentBytes) {
		s.mu.Unlock()
		return g, nil
	}
	if g != nil {
		s.seal(g)
	}
	number := s.nextNumber
	s.nextNumber++
	s.mu.Unlock()

	var salt [8]byte
	if _, err := io.ReadFull(s.config.Random, salt[:]); err != nil {
		return nil, fmt.Errorf("new segment: %w", err)
	}
	g = &segment{name: segmentName(number, binary.LittleEndian.Uint64(salt[:])), number: number, counted: true}
	file, err := s.config.FS.Create(s.path(g))
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.remake(); err == nil {
			file, err = s.config.FS.Create(s.path(g))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("new segment: %w", err)
	}
	g.file = file
	err = s.config.FS.SyncDir(s.config.Dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments = append(s.segments, g)
	if err != nil {
		s.seal(g) // nothing is in it: it will be deleted
		return nil, fmt.Errorf("new segment: %w", err)
	}
	s.active = g
	return g, nil
}

// remake makes the directory again, which somebody has taken away, and with it the lock.
func (s *Spool) remake() error {
	if err := s.config.FS.MakeDir(s.config.Dir); err != nil {
		return err
	}
	lock, err := s.config.FS.Lock(filepath.Join(s.config.Dir, "lock"))
	if err != nil {
		return err
	}
	_ = s.lock.Close() // of a file that is gone
	s.lock = lock
	s.recount()
	s.config.Logger.Error("spool: the directory was gone, and is made again; what lay in it is lost, unless it was read already", "dir", s.config.Dir)
	return nil
}
