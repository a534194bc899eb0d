package pgprivate

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

const (
	maxLogSize   = 10 << 20
	tailLines    = 20
	maxTailBytes = 4 << 10
)

// serverLog is what the PostgreSQL programs have written since it was opened.
type serverLog struct {
	path  string
	file  *os.File // for a child; closed by close
	start int64
}

// openLog opens the log to append to it; one that has grown too long gives way
// first, and its predecessor is dropped.
func openLog(path string) (*serverLog, error) {
	if info, err := os.Lstat(path); err == nil && info.Size() > maxLogSize {
		if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("server log: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("server log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("server log: %w", err)
	}
	return &serverLog{path: path, file: f, start: info.Size()}, nil
}

// close leaves the file to the child; tail works on.
func (l *serverLog) close() { _ = l.file.Close() }

// tail returns the last lines since the log was opened.
func (l *serverLog) tail() string {
	f, err := os.Open(l.path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	from := max(l.start, info.Size()-maxTailBytes)
	b, err := io.ReadAll(io.NewSectionReader(f, from, maxTailBytes))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

// explain adds the log's last lines to an error.
func (l *serverLog) explain(err error) error {
	if tail := l.tail(); tail != "" {
		return fmt.Errorf("%w; the end of %s:\n%s", err, l.path, tail)
	}
	return fmt.Errorf("%w; %s says nothing", err, l.path)
}
