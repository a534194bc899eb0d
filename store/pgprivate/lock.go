package pgprivate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// lock says who owns the server of a data directory. The kernel releases it when
// the owner ends in whatever way; the file stays, since removing it would let two
// processes lock two files of one name. It also keeps the process id of the
// owner's server, by which the next owner knows an orphan from a server that
// somebody started by hand.
type lock struct{ file *os.File }

// tryLock returns nil without an error if another process holds the lock.
func tryLock(path string) (*lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil {
		return &lock{file: f}, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil //nolint:nilnil // a third answer, neither ours nor broken
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// serverPID is that of the server noted last, or 0.
func (l *lock) serverPID() int {
	b, err := io.ReadAll(io.NewSectionReader(l.file, 0, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}

// note keeps the process id of our server; 0 means none.
func (l *lock) note(pid int) error {
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if pid == 0 {
		return nil
	}
	if _, err := l.file.WriteAt([]byte(strconv.Itoa(pid)+"\n"), 0); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	return nil
}

func (l *lock) release() { _ = l.file.Close() }
