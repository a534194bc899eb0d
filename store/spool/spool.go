package spool

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Errors of a spool. They come wrapped.
var (
	// ErrLocked: another process, or another Spool, has the directory open.
	ErrLocked = errors.New("the spool is in use by another process")
	// ErrFull: there is no room, by Config.MaxBytes or on the disk.
	ErrFull = errors.New("the spool is full")
	// ErrTooLarge: a payload is longer than MaxPayload.
	ErrTooLarge = fmt.Errorf("a payload must not be longer than %d bytes", MaxPayload)
	// ErrClosed: the spool was closed.
	ErrClosed = errors.New("the spool is closed")
)

// Config says where a spool lies and how much it may hold. Only Dir is required.
type Config struct {
	// Dir is the spool's directory. It is made if it is missing, and must hold nothing
	// of anybody else.
	Dir string
	// MaxBytes is the most that all files may take, damaged/ included; 0 means 10 GiB.
	MaxBytes int64
	// SegmentBytes is the length from which on a segment is followed by another; 0
	// means 16 MiB. As much may come again after a crash. A segment is longer only if
	// its single record is.
	SegmentBytes int64
	// Logger hears of damage and of what fails; nil means nobody does.
	Logger *slog.Logger
	// FS is the file system; nil means the operating system's.
	FS FS
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Random gives salts; nil means crypto/rand.
	Random io.Reader
}

func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" || c.MaxBytes < 0 || c.SegmentBytes < 0 {
		return c, errors.New("a spool needs a directory, and limits that are not negative")
	}
	c.MaxBytes = cmp.Or(c.MaxBytes, 10<<30)
	c.SegmentBytes = cmp.Or(c.SegmentBytes, 16<<20)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.FS == nil {
		c.FS = osFS{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return c, nil
}

// repeatLog is how often an error that stays is logged.
const repeatLog = time.Minute

// Spool is an open spool. Its methods may be called from several goroutines.
type Spool struct {
	config Config
	lock   io.Closer // replaced by the writer

	mu         sync.Mutex
	wake       sync.Cond     // tells the writer of pending appends, or of the end
	changed    chan struct{} // closed, and replaced, when Next should look again
	closed     bool
	segments   []*segment // oldest first; the active one is the last
	active     *segment   // what is being written; nil if the next append makes one
	nextNumber uint64
	pending    []*appending
	committing bool  // the writer is at work on the active segment
	aside      int64 // bytes in damaged/
	returned   []entry
	batches    map[*Batch]struct{} // handed out
	totals     totals

	reader reader

	calls    sync.WaitGroup // that may touch the disk, other than the goroutines below
	written  chan struct{}  // closed when the writer has ended
	surveyed chan struct{}  // closed when the survey has ended
	stop     context.CancelFunc
	released chan struct{} // closed when Close is through
}

// Open opens the spool in a directory, which no one else may have open (ErrLocked). It
// takes no longer for a spool that is full or damaged.
func Open(config Config) (*Spool, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := config.FS.MakeDir(config.Dir); err != nil {
		return nil, fmt.Errorf("make the spool's directory: %w", err)
	}
	lock, err := config.FS.Lock(filepath.Join(config.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("open spool %s: %w", config.Dir, err)
	}
	s := &Spool{
		config:   config,
		lock:     lock,
		changed:  make(chan struct{}),
		batches:  map[*Batch]struct{}{},
		written:  make(chan struct{}),
		surveyed: make(chan struct{}),
		released: make(chan struct{}),
	}
	s.wake.L = &s.mu
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open spool %s: %w", config.Dir, err), lock.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	left := append([]*segment(nil), s.segments...)
	go s.write()
	go s.survey(ctx, left)
	return s, nil
}

// load lists what is there.
func (s *Spool) load() error {
	files, err := s.config.FS.List(s.config.Dir)
	if err != nil {
		return err
	}
	s.segments = segmentsOf(files)
	kept, err := s.listAside()
	if err != nil {
		return err
	}
	s.nextNumber = 1
	for _, g := range s.segments {
		s.nextNumber = max(s.nextNumber, g.number+1)
	}
	for _, f := range kept {
		s.aside += f.Size
		if number, ok := asideNumber(f.Name); ok {
			s.nextNumber = max(s.nextNumber, number+1)
		}
	}
	return nil
}

// Close waits for the appends under way and for what else touches the disk, and gives
// the directory free. A Next that waits ends with ErrClosed. Batches that are not done
// come again when the spool is opened next, so stop who drains first.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.released
		return nil
	}
	s.closed = true
	s.wake.Broadcast()
	s.tell()
	s.mu.Unlock()

	defer close(s.released)
	s.stop()
	<-s.written
	<-s.surveyed
	s.calls.Wait()
	s.mu.Lock()
	s.sealDrained()
	if s.active != nil {
		s.seal(s.active)
	}
	s.mu.Unlock()
	s.retire()
	s.reader.close()
	if err := s.lock.Close(); err != nil {
		return fmt.Errorf("release the spool: %w", err)
	}
	return nil
}

// begin says whether the disk may still be touched; if so s.calls.Done ends it.
func (s *Spool) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.calls.Add(1)
	return true
}

// tell has every Next that waits look again. The caller holds mu.
func (s *Spool) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// used is what all files take. The caller holds mu.
func (s *Spool) used() int64 {
	sum := s.aside
	for _, g := range s.segments {
		sum += g.size
	}
	return sum
}

// fault notes what failed, and logs it unless it did a moment ago. The caller holds mu.
func (s *Spool) fault(err error) {
	now, last := s.config.Now(), s.totals.lastError
	if last == nil || faultOf(last) != faultOf(err) || now.Sub(s.totals.loggedAt).Abs() > repeatLog {
		s.totals.loggedAt = now
		s.config.Logger.Warn("spool", "error", err)
	}
	s.totals.lastError, s.totals.lastErrorAt = err, now
}

// faultOf is an error without the path: each new segment has another.
func faultOf(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return strings.ReplaceAll(err.Error(), at.Path, "")
	}
	return err.Error()
}

// report notes what failed. The caller does not hold mu.
func (s *Spool) report(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault(err)
}
