//go:build linux

package crash

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mountSmall makes a directory that is a file system of its own, which can be filled.
func mountSmall(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256m,mode=0711"); err != nil {
		t.Fatalf("a small file system is needed, which root can mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill takes all the room that a file system has left. empty gives it back.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	for piece := make([]byte, 1<<20); len(piece) > 0; {
		n, err := f.Write(piece)
		if errors.Is(err, syscall.ENOSPC) {
			piece = piece[:min(n, len(piece)/2)]
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			t.Error(err)
		}
	}
}

// A disk that is full costs nothing that was acknowledged, is told to the sender when
// nothing more can be kept, and needs no restart of the program when there is room.
func TestDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can mount a small file system; the tests of full disks of package spool need none")
		return
	}
	for name, c := range map[string]struct {
		options options
		cut     bool // the database is away too
		enough  func(spooled, refused int) bool
	}{
		"of PostgreSQL": {options{external: true, small: "pg"}, false, func(spooled, _ int) bool { return spooled > 300 }},
		"of the spool":  {options{external: true, small: "data"}, true, func(_, refused int) bool { return refused > 300 }},
		"of both":       {options{small: "data"}, false, func(_, refused int) bool { return refused > 100 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.options, rand.New(rand.NewPCG(*seed, 3)))
			w.endServer(os.Interrupt)
			w.startServer("--spool-max-bytes=1000000000")
			w.until("the server is ready", w.ready)
			pid := w.server.Process.Pid
			l, stop := w.load()
			w.until("some deliveries are kept", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return len(l.kept) > 100 })
			empty := fill(t, filepath.Join(filepath.Dir(filepath.Dir(w.dataDir)), c.options.small))
			if c.cut {
				w.proxy.Cut()
			}
			w.until("the disk is full", func() bool { w.alive(); return c.enough(l.answered()) })
			if _, refused := l.answered(); refused > 0 {
				w.until("a refusal says when to try again", w.refused)
			}
			empty()
			w.heal()
			w.until("the server is ready", w.ready)
			stop()
			w.until("the spool is empty", w.spoolIsEmpty)
			w.check(l)
			if w.server.Process.Pid != pid {
				t.Error("the server was started anew")
			}
			t.Log(w.report())
		})
	}
}

// refused reports whether a webhook is answered 503, with a time to try again.
func (w *world) refused() bool {
	r, err := http.NewRequest(http.MethodPost, w.url+"/api/push/tracking", strings.NewReader(`{"storeId":1}`))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.ingest)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != ""
}
