package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

const damagedDir = "damaged"

// segment is a file of records. Its fields are guarded by Spool.mu, except for name and
// number, which do not change, and file.
type segment struct {
	name   string
	number uint64

	// file is used by the writer while it commits, and closed by whoever seals.
	file File

	size int64 // on disk, as far as is known
	end  int64 // what may be read: known to be on disk, or found when opened

	sealed  bool // nothing will be added
	left    bool // could not be opened: it stays for the next process
	keep    bool // parts could not be copied to damaged/: the whole file goes there
	retired bool // is being deleted

	counted   bool      // records is exact
	records   int64     // in it
	first     time.Time // when the first was appended; zero if not known
	last      time.Time // when the last that was read was appended
	read      int64     // bytes that the reader has passed
	seen      int64     // records that the reader has passed
	open      int       // records handed out and not yet done
	gone      int64     // records done or damaged
	goneBytes int64     // bytes done, damaged or torn
}

// over says that the reader is through with the segment.
func (g *segment) over() bool { return g.sealed && g.read >= g.end }

// waiting is how many records are still to be done, as far as is known.
func (g *segment) waiting() int64 {
	known := g.records
	switch {
	case g.over():
		known = g.seen
	case !g.counted:
		known = max(g.records, g.seen)
	}
	return known - g.gone
}

// finished says that nothing of the segment is needed any more.
func (g *segment) finished() bool { return g.over() && g.open == 0 && !g.left && !g.retired }

// drained says that all that may be read was read and is done.
func (g *segment) drained() bool { return g.read == g.end && g.open == 0 }

func segmentName(number, salt uint64) string { return fmt.Sprintf("%020d-%016x.spool", number, salt) }

// segmentNumber is false for names of other files.
func segmentNumber(name string) (uint64, bool) {
	const digits, length = 20, 43
	if len(name) != length || !regexp.MustCompile(`^[0-9]{20}-[0-9a-f]{16}\.spool$`).MatchString(name) {
		return 0, false
	}
	number, err := strconv.ParseUint(name[:digits], 10, 63)
	return number, err == nil
}

// segmentsOf are the segments among files, oldest first.
func segmentsOf(files []FileInfo) []*segment {
	var found []*segment
	for _, f := range files {
		if number, ok := segmentNumber(f.Name); ok {
			found = append(found, &segment{name: f.Name, number: number, size: f.Size, end: f.Size, sealed: true})
		}
	}
	slices.SortFunc(found, func(a, b *segment) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.name, b.name))
	})
	return found
}

func (s *Spool) path(g *segment) string { return filepath.Join(s.config.Dir, g.name) }

// seal ends writing to a segment. The caller holds mu, and nobody is committing.
func (s *Spool) seal(g *segment) {
	g.sealed = true
	if s.active == g {
		s.active = nil
	}
	if err := g.file.Close(); err != nil {
		s.fault(fmt.Errorf("close %s: %w", g.name, err)) // what was answered is on disk
	}
	g.file = nil
}

// sealDrained seals the active segment if nothing of it waits, so that an idle spool
// keeps no file, and a full one gets its room back. The caller holds mu, and nobody is
// committing.
func (s *Spool) sealDrained() {
	if g := s.active; g != nil && g.drained() {
		s.seal(g)
	}
}

// retire deletes the segments that are finished. What cannot be deleted is tried again
// by the next call.
func (s *Spool) retire() {
	s.mu.Lock()
	var finished []*segment
	for _, g := range s.segments {
		if g.finished() {
			g.retired = true
			finished = append(finished, g)
		}
	}
	s.mu.Unlock()
	if len(finished) == 0 {
		return
	}
	for _, g := range finished {
		err := s.discard(g)
		s.mu.Lock()
		if err != nil {
			g.retired = false
			s.fault(err)
		} else {
			s.segments = slices.DeleteFunc(s.segments, func(other *segment) bool { return other == g })
			if g.keep {
				s.aside += g.size
			}
		}
		s.mu.Unlock()
	}
	if err := s.config.FS.SyncDir(s.config.Dir); err != nil {
		s.report(fmt.Errorf("after deleting segments: %w", err)) // they come again, which does no harm
	}
}

// discard deletes the file of a segment, or moves it to damaged/ if it must be kept.
func (s *Spool) discard(g *segment) error {
	if !g.keep {
		if err := s.config.FS.Remove(s.path(g)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete drained segment: %w", err)
		}
		return nil
	}
	dir := filepath.Join(s.config.Dir, damagedDir)
	if err := s.config.FS.MakeDir(dir); err != nil {
		return fmt.Errorf("keep damaged segment: %w", err)
	}
	if err := s.config.FS.Rename(s.path(g), filepath.Join(dir, g.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep damaged segment: %w", err)
	}
	if err := s.config.FS.SyncDir(dir); err != nil {
		s.report(fmt.Errorf("keep damaged segment: %w", err))
	}
	return nil
}
