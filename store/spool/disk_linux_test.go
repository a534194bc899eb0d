package spool

import (
	"bytes"
	"errors"
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
