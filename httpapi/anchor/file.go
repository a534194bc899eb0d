package anchor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"aifi-audit/store/translog"
)

// appender appends notes to a file, one after another with an empty line behind each.
// It opens the file anew each time: whoever renames it gets a new one.
type appender struct {
	path string
	busy sync.Mutex // held while a write is under way, be it one that nobody waits for any more
}

var errHangs = errors.New("the disk does not answer")

// send does not wait longer than ctx: the file may be on a network that hangs.
func (a *appender) send(ctx context.Context, c translog.Checkpoint) error {
	if !a.busy.TryLock() {
		return errHangs
	}
	done := make(chan error, 1)
	go func() {
		defer a.busy.Unlock()
		done <- a.append(c)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errHangs
	}
}

func (a *appender) append(c translog.Checkpoint) (err error) {
	if err := regular(a.path); err != nil {
		return err
	}
	f, err := os.OpenFile(a.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644) //nolint:gosec // it is to be read by others
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	note := append(bytes.Clone(c.Note), '\n')
	before := info.Size()
	tail := make([]byte, min(before, int64(len(note))))
	if _, err := f.ReadAt(tail, before-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if bytes.Equal(tail, note) {
		return nil // this process, or the one before, did so
	}
	if before > 0 && !bytes.HasSuffix(tail, []byte("\n\n")) {
		note = append([]byte("\n\n"), note...) // away from what a crash broke off
	}
	if _, err := f.Write(note); err != nil {
		return errors.Join(err, f.Truncate(before))
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if before == 0 {
		return syncDir(filepath.Dir(a.path))
	}
	return nil
}

// regular refuses what is not a file: opening a pipe would wait for a reader.
func regular(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	return err
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
