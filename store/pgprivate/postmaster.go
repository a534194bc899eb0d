package pgprivate

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// postmaster is what a server says about itself in postmaster.pid.
type postmaster struct {
	pid       int
	port      int
	socketDir string
	ready     bool // it says that it takes connections
}

// readPostmaster returns the zero value if there is no such file, or if the server
// is still writing it.
func readPostmaster(path string) (postmaster, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return postmaster{}, nil
		}
		return postmaster{}, err
	}
	lines := strings.Split(string(b), "\n")
	line := func(n int) string { // counted from 1, as in PostgreSQL's own list
		if n > len(lines) {
			return ""
		}
		return strings.TrimSpace(lines[n-1])
	}
	pid, err := strconv.Atoi(line(1))
	if err != nil {
		return postmaster{}, nil //nolint:nilerr // incomplete
	}
	port, _ := strconv.Atoi(line(4))
	return postmaster{
		pid:       max(pid, -pid), // a single-user server writes its id negated
		port:      port,
		socketDir: line(5),
		ready:     line(8) == "ready",
	}, nil
}

// exists reports whether any process has this id, be it only a dead one that
// nobody has waited for.
func exists(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
