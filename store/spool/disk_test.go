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
