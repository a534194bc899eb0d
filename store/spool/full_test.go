package spool

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// MaxBytes holds, and there is room again when records are done, without opening anew.
func TestMaxBytes(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Config{Dir: dir, MaxBytes: 2 * (headerBytes + 6)})
	mustAppend(t, s, "first.", "second")
	if err := s.Append(t.Context(), []byte("third.")); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	b := mustNext(t, s, 9, 100)
	wantTexts(t, b, "first.", "second")
	b.SetAside(0, "a test") // no room for a copy: the segment is kept whole
	b.Done()
	if err := s.Append(t.Context(), []byte("third.")); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	st := s.Stats()
	if st.Segments != 0 || st.Damaged != 1 || st.DamagedBytes != 60 || st.DiskBytes != 60 || st.Drained != 1 {
		t.Errorf("got %+v", st)
	}
	aside := names(t, filepath.Join(dir, damagedDir))
	if len(aside) != 1 {
		t.Fatalf("got %v", aside)
	}
	must(t, os.Remove(filepath.Join(dir, damagedDir, aside[0]))) // by an operator
	mustAppend(t, s, "third.")
	wantTexts(t, mustNext(t, s, 9, 100), "third.")
}

// A write that the disk cuts short is taken back, and the next one goes on behind the
// last whole record when there is room.
func TestDiskFull(t *testing.T) {
	files := newMemFS()
	s := mustOpen(t, testConfig(files))
	<-s.surveyed
	mustAppend(t, s, "first")
	files.room = 40
	err := s.Append(t.Context(), []byte("second"))
	if !errors.Is(err, ErrFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v", err)
	}
	if st := s.Stats(); st.DiskBytes != 29 || !errors.Is(st.LastError, ErrFull) {
		t.Errorf("got %+v", st)
	}
	for name, b := range files.files(testDir, ".spool") {
		if len(b) != 29 {
			t.Errorf("%s has %d bytes", name, len(b))
		}
	}
	files.room = -1
	mustAppend(t, s, "third")
	wantTexts(t, mustNext(t, s, 9, 100), "first", "third")
	if len(files.files(testDir, ".spool")) != 1 {
		t.Error("another segment was made")
	}
}
