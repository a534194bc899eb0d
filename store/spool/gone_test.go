package spool

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever removes the directory removes what is in it, and nothing that is appended later.
func TestTheDirectoryIsRemoved(t *testing.T) {
	for name, before := range map[string][]string{"while a segment is written": {"first"}, "while there is none": nil} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data", "spool")
			s := mustOpen(t, Config{Dir: dir})
			mustAppend(t, s, before...)
			must(t, os.RemoveAll(filepath.Dir(dir)))
			mustAppend(t, s, "second", "third")
			var there []string // as another process would find it
			_, err := Inspect(t.Context(), dir, Inspection{Record: func(r Record) error {
				there = append(there, string(r.Payload))
				return nil
			}})
			must(t, err)
			if got := strings.Join(there, " "); got != "second third" {
				t.Errorf("on disk are %q", got)
			}
			if _, err := Open(Config{Dir: dir}); !errors.Is(err, ErrLocked) {
				t.Errorf("another opens it: %v", err)
			}
			b := mustNext(t, s, 9, 100)
			wantTexts(t, b, "second", "third")
			b.Done()
		})
	}
}

// Another file under the name of a segment is not it.
func TestASegmentIsReplaced(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Config{Dir: dir})
	mustAppend(t, s, "first")
	path := filepath.Join(dir, names(t, dir)[0])
	content, err := os.ReadFile(path)
	must(t, err)
	must(t, os.Remove(path))
	must(t, os.WriteFile(path, content, 0o600)) // restored from a copy
	mustAppend(t, s, "second")
	wantTexts(t, mustNext(t, s, 9, 100), "first", "second")
}

// A fault that stays is logged once, although each attempt is at another file.
func TestAFaultThatStaysIsLoggedOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	var log bytes.Buffer
	s := mustOpen(t, Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, os.RemoveAll(dir))
	must(t, os.WriteFile(dir, nil, 0o600))
	for range 5 {
		if err := s.Append(t.Context(), []byte("lost")); err == nil || errors.Is(err, ErrFull) {
			t.Errorf("got %v", err)
		}
	}
	if n := strings.Count(log.String(), "new segment"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, &log)
	}
	must(t, os.Remove(dir))
	mustAppend(t, s, "first")
	wantTexts(t, mustNext(t, s, 9, 100), "first")
}
