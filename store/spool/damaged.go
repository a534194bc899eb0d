package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
)

// setAside keeps a piece of a segment in damaged/ and counts it. If it cannot be copied,
// for lack of room or since it cannot be read, the whole segment goes to damaged/ when
// the rest of it is done. It never fails for the caller.
func (s *Spool) setAside(g *segment, offset, size int64, why string) {
	err := s.copyAside(g, offset, size)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.totals.damaged++
	s.config.Logger.Error("spool: a record is set aside", "segment", g.name, "offset", offset, "bytes", size, "reason", why)
	if err != nil {
		g.keep = true
		s.fault(fmt.Errorf("the damaged segment will be kept whole: %w", err))
	}
}

func (s *Spool) copyAside(g *segment, offset, size int64) error {
	s.mu.Lock()
	room := s.used()+size <= s.config.MaxBytes
	s.mu.Unlock()
	if !room {
		return ErrFull
	}
	dir := filepath.Join(s.config.Dir, damagedDir)
	if err := s.config.FS.MakeDir(dir); err != nil {
		return err
	}
	path := filepath.Join(dir, asideName(g.name, offset))
	// One that is there is of an earlier process, which may have died before it was whole.
	if err := s.config.FS.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := s.copyPiece(g, path, offset, size)
	if err != nil {
		_ = s.config.FS.Remove(path) // the next attempt or the whole segment replaces it
	}
	s.recount()
	return err
}

func (s *Spool) copyPiece(g *segment, path string, offset, size int64) error {
	from, err := s.config.FS.Open(s.path(g))
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // it is only read
	to, err := s.config.FS.Create(path)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.NewOffsetWriter(to, 0), io.NewSectionReader(from, offset, size))
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = to.Sync()
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	return s.config.FS.SyncDir(filepath.Dir(path))
}

func asideName(segment string, offset int64) string {
	return fmt.Sprintf("%s-%d.bin", strings.TrimSuffix(segment, ".spool"), offset)
}

// asideNumber is the number of the segment that a file in damaged/ comes from.
func asideNumber(name string) (uint64, bool) {
	const prefix = 37 // number and salt
	if len(name) < prefix {
		return 0, false
	}
	return segmentNumber(name[:prefix] + ".spool")
}

// listAside has the files in damaged/.
func (s *Spool) listAside() ([]FileInfo, error) {
	files, err := s.config.FS.List(filepath.Join(s.config.Dir, damagedDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return files, err
}

// recount finds out how much lies in damaged/.
func (s *Spool) recount() {
	files, err := s.listAside()
	if err != nil {
		s.report(fmt.Errorf("list damaged records: %w", err))
		return
	}
	var sum int64
	for _, f := range files {
		sum += f.Size
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aside = sum
}
