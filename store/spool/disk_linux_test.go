package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// A real file system that is really full.
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=128k"); err != nil {
		t.Logf("no small file system to be had (%v); the other tests of a full disk do not need one", err)
		return
	}
	defer func() { must(t, syscall.Unmount(dir, 0)) }()
	s := mustOpen(t, Config{Dir: dir, SegmentBytes: 32 << 10})
	payload := bytes.Repeat([]byte("p"), 1000)
	var kept []byte // the first byte of each
	fill := func() {
		t.Helper()
		for {
			payload[0]++
			err := s.Append(t.Context(), payload)
			if errors.Is(err, ErrFull) {
				return
			}
			must(t, err)
			kept = append(kept, payload[0])
		}
	}
	for round := range 4 {
		before := len(kept)
		fill()
		if round > 0 && len(kept) == before {
			t.Fatal("no room again after draining")
		}
		for range 80 {
			if len(kept) == 0 {
				break
			}
			b := mustNext(t, s, 1, 1)
			if got := b.Records[0].Payload; got[0] != kept[0] || !bytes.Equal(got[1:], payload[1:]) {
				t.Fatalf("record %d instead of %d", got[0], kept[0])
			}
			kept = kept[1:]
			b.Done()
		}
	}
	if st := s.Stats(); st.Damaged != 0 || st.Records != int64(len(kept)) {
		t.Errorf("%d records: %+v", len(kept), st)
	}
	must(t, s.Close())
}

// A limit to the size of a file, which cuts writes short without the disk being full.
func TestFileSizeLimit(t *testing.T) {
	must(t, child(t, "limited", t.TempDir(), 0).Run())
}

func beLimited(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: 4096}); err != nil {
		return err
	}
	s, err := Open(Config{Dir: dir})
	if err != nil {
		return err
	}
	var kept []byte
	refused := 0
	for i := range byte(100) {
		err := s.Append(context.Background(), bytes.Repeat([]byte{i}, 500))
		switch {
		case errors.Is(err, syscall.EFBIG) && !errors.Is(err, ErrFull):
			refused++
		case err != nil:
			return err
		default:
			kept = append(kept, i)
		}
	}
	if refused == 0 || refused > 20 {
		return fmt.Errorf("%d of 100 were refused", refused)
	}
	b, err := s.Next(context.Background(), 1000, 1<<20)
	if err != nil {
		return err
	}
	for i, r := range b.Records {
		if !bytes.Equal(r.Payload, bytes.Repeat(kept[i:i+1], 500)) {
			return fmt.Errorf("record %d is %q", i, r.Payload)
		}
	}
	if len(b.Records) != len(kept) {
		return fmt.Errorf("%d of %d records", len(b.Records), len(kept))
	}
	b.Done()
	files, err := os.ReadDir(dir)
	if err == nil && len(files) > 2 { // the lock and the segment that was being written
		err = fmt.Errorf("left: %v", files)
	}
	return errors.Join(err, s.Close())
}
