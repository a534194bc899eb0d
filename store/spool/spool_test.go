package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOldestFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	s := mustOpen(t, Config{Dir: dir, SegmentBytes: 60, Now: testNow})
	mustAppend(t, s, "a", "", "c", "d", "e")
	b := mustNext(t, s, 3, 100)
	wantTexts(t, b, "a", "", "c")
	if !b.Records[0].AppendedAt.Equal(testNow()) || b.Records[1].Offset != headerBytes+1 {
		t.Errorf("got %+v", b.Records)
	}
	second := mustNext(t, s, 100, 100)
	wantTexts(t, second, "d", "e")
	second.Done()
	b.Retry()
	wantTexts(t, mustNext(t, s, 2, 100), "a", "")
	must(t, s.Close())

	s = mustOpen(t, Config{Dir: dir}) // what was not done, and its segment, come again
	b = mustNext(t, s, 100, 100)
	wantTexts(t, b, "a", "", "c", "d")
	b.Done()
	mustAppend(t, s, "f")
	b = mustNext(t, s, 100, 100)
	wantTexts(t, b, "f")
	b.Done()
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := s.Next(ctx, 1, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left := names(t, dir); left != nil {
		t.Errorf("an idle spool has files: %v", left)
	}
	info, err := os.Stat(dir)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestBatchLimits(t *testing.T) {
	s := mustOpen(t, Config{Dir: t.TempDir()})
	mustAppend(t, s, "four", "four", "a long one", "x", "y")
	for _, c := range []struct {
		records, size int
		want          []string
	}{
		{2, 1000, []string{"four", "four"}},
		{1000, 3, []string{"a long one"}}, // at least one
		{0, 0, []string{"x"}},
		{-1, -1, []string{"y"}},
	} {
		wantTexts(t, mustNext(t, s, c.records, c.size), c.want...)
	}
	mustAppend(t, s, "1", "22", "333")
	wantTexts(t, mustNext(t, s, 10, 3), "1", "22")
	wantTexts(t, mustNext(t, s, 10, 3), "333")
}

func TestPayloadLimit(t *testing.T) {
	s := mustOpen(t, Config{Dir: t.TempDir()})
	big := bytes.Repeat([]byte{0}, MaxPayload+1)
	if err := s.Append(t.Context(), big); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	must(t, s.Append(t.Context(), big[1:]))
	if b := mustNext(t, s, 1, 1); !bytes.Equal(b.Records[0].Payload, big[1:]) {
		t.Error("the largest payload comes back changed")
	}
}

func TestBadConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]Config{
		"no directory":     {},
		"negative limit":   {Dir: t.TempDir(), MaxBytes: -1},
		"negative segment": {Dir: t.TempDir(), SegmentBytes: -1},
		"a file":           {Dir: file},
		"below a file":     {Dir: filepath.Join(file, "spool")},
	} {
		if _, err := Open(c); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Config{Dir: dir})
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v", err)
	}
	must(t, s.Close())
	mustOpen(t, Config{Dir: dir})
}

func TestClosed(t *testing.T) {
	s := mustOpen(t, Config{Dir: t.TempDir()})
	mustAppend(t, s, "a")
	b := mustNext(t, s, 1, 1)
	waits := make(chan error)
	go func() {
		_, err := s.Next(context.Background(), 1, 1)
		waits <- err
	}()
	must(t, s.Close())
	must(t, s.Close())
	if err := <-waits; !errors.Is(err, ErrClosed) {
		t.Errorf("Next that waits: %v", err)
	}
	if err := s.Append(t.Context(), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Append: %v", err)
	}
	b.Done()
	b.Retry()
	b.SetAside(0, "late")
	s = mustOpen(t, Config{Dir: s.config.Dir})
	wantTexts(t, mustNext(t, s, 9, 9), "a")
}

func TestCancelled(t *testing.T) {
	s := mustOpen(t, Config{Dir: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ctx, []byte("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if st := s.Stats(); st.Records != 0 {
		t.Errorf("got %+v", st)
	}
}

// An idle spool holds no file open: a deleted one would still take its room.
func TestIdle(t *testing.T) {
	files := newMemFS()
	s := mustOpen(t, testConfig(files))
	mustAppend(t, s, "a", "b")
	mustNext(t, s, 9, 9).Done()
	if b, err := s.fill(t.Context(), 1, 1); b != nil || err != nil {
		t.Fatal(b, err)
	}
	open := 0
	for _, op := range files.ops {
		switch kind, _, _ := strings.Cut(op, " "); kind {
		case "create", "open":
			open++
		case "close":
			open--
		}
	}
	if open != 0 || len(files.files(testDir, "")) != 0 {
		t.Errorf("%d files are open", open)
	}
}

// What an earlier process was writing when it ended is left out without alarm. What is
// before it comes, and then what is appended now.
func TestTornTail(t *testing.T) {
	whole := segmentOf(someSegment, []byte("first"), []byte("second"))
	for cut := range len(whole) {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, someSegment), whole[:cut], 0o600))
		s := mustOpen(t, Config{Dir: dir})
		mustAppend(t, s, "new")
		var want []string
		if cut >= 29 {
			want = append(want, "first")
		}
		b := mustNext(t, s, 9, 100)
		wantTexts(t, b, append(want, "new")...)
		b.Done()
		must(t, s.Close())
		if st := s.Stats(); st.Damaged != 0 || st.Records != 0 || st.Bytes != 0 || len(names(t, dir)) != 0 {
			t.Errorf("cut at %d: %+v, %v", cut, st, names(t, dir))
		}
	}
}

func TestStats(t *testing.T) {
	dir := t.TempDir()
	var now time.Time
	clock := func() time.Time { return now }
	at := func(minute int) time.Time { return testNow().Add(time.Duration(minute) * time.Minute) }
	s := mustOpen(t, Config{Dir: dir, MaxBytes: 1000, SegmentBytes: 80, Now: clock})
	for i := range 5 {
		now = at(i)
		mustAppend(t, s, strings.Repeat("x", 16))
	}
	want := Stats{Records: 5, Bytes: 200, Oldest: at(0), Segments: 3, DiskBytes: 200, MaxBytes: 1000, Appended: 5, Syncs: 5}
	check := func() {
		t.Helper()
		if diff := cmp.Diff(want, s.Stats()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
	}
	check()
	b := mustNext(t, s, 3, 1000)
	check()
	b.Done()
	want.Records, want.Bytes, want.Drained, want.Oldest = 2, 80, 3, at(2) // it was the last
	want.Segments, want.DiskBytes = 2, 120
	check()
	must(t, s.Close())
	s = mustOpen(t, Config{Dir: dir, MaxBytes: 1000})
	<-s.surveyed
	want = Stats{Records: 3, Bytes: 120, Oldest: at(2), Segments: 2, DiskBytes: 120, MaxBytes: 1000}
	check()
}

// Many append and many drain at once: each record comes once, and groups share fsyncs.
func TestConcurrency(t *testing.T) {
	s := mustOpen(t, Config{Dir: t.TempDir(), SegmentBytes: 4 << 10})
	const writers, each = 8, 60
	var appends, drains sync.WaitGroup
	for w := range writers {
		appends.Go(func() {
			for i := range each {
				if err := s.Append(t.Context(), fmt.Appendf(nil, "%d-%d", w, i)); err != nil {
					t.Error(err)
				}
				_ = s.Stats()
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	got := map[string]int{}
	for d := range 3 {
		drains.Go(func() {
			for round := 0; ; round++ {
				b, err := s.Next(ctx, 7, 1000)
				if err != nil {
					return
				}
				if (round+d)%4 == 0 {
					b.Retry()
					continue
				}
				mu.Lock()
				for _, r := range b.Records {
					got[string(r.Payload)]++
				}
				if len(got) == writers*each {
					cancel()
				}
				mu.Unlock()
				b.Done()
			}
		})
	}
	appends.Wait()
	drains.Wait()
	for id, n := range got {
		if n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
	must(t, s.Close())
	if left := names(t, s.config.Dir); left != nil {
		t.Errorf("left: %v", left)
	}
	if st := s.Stats(); st.Appended != writers*each || st.Drained != writers*each || st.Records != 0 {
		t.Errorf("got %+v", st)
	}
}
