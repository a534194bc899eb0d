package pgprivate

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const patience = 60 * time.Second

func testOptions(dir string) Options {
	return Options{DataDir: dir, Settings: map[string]string{"fsync": "off", "shared_buffers": "16MB"}}
}

// newDir returns the path of a data directory to be. The server's user can reach
// it, unlike what t.TempDir gives to root. When the test is over, no process may be
// left there.
func newDir(t *testing.T) string {
	t.Helper()
	parent, err := os.MkdirTemp("", "pgp")
	must(t, err)
	must(t, os.Chmod(parent, 0o711))
	dir := filepath.Join(parent, "data")
	t.Cleanup(func() {
		if pids := processes(dir); len(pids) > 0 && !t.Failed() {
			until(t, "all PostgreSQL processes have ended", func() bool { return len(processes(dir)) == 0 })
		}
		for _, pid := range processes(dir) { // of a test that has failed
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		must(t, os.RemoveAll(parent))
	})
	return dir
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// mustStart also closes the server when the test is over.
func mustStart(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(testContext(t), o)
	must(t, err)
	t.Cleanup(func() { mustClose(t, s) })
	return s
}

func mustClose(t *testing.T, s *Server) {
	t.Helper()
	must(t, s.Close(testContext(t)))
}

// waitsFor expects that Start waits for a reason that it logs, gives it up then,
// and returns its error.
func waitsFor(t *testing.T, dir, reason string) error {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	var log logBuffer
	o := testOptions(dir)
	o.Logger = log.logger()
	result := make(chan error, 1)
	go func() {
		s, err := Start(ctx, o)
		if err == nil {
			err = errors.Join(s.Close(testContext(t)), errors.New("it started"))
		}
		result <- err
	}()
	until(t, "Start waits: "+reason, func() bool { return len(result) > 0 || strings.Contains(log.String(), reason) })
	cancel()
	return <-result
}

// makeTestCluster makes a cluster, without a server.
func makeTestCluster(t *testing.T, dir string) (*starter, binaries) {
	t.Helper()
	st := &starter{layout: layout{dir}, where: defaultSearch()}
	var err error
	st.who, err = chooseIdentity(st.cluster())
	must(t, err)
	must(t, st.prepare(st.who))
	bins, err := st.where.find(testContext(t), st.who, 0)
	must(t, err)
	must(t, st.makeCluster(testContext(t), st.who, bins, false))
	return st, bins
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(testContext(t), url)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn := connect(t, url)
	var v string
	must(t, conn.QueryRow(testContext(t), sql).Scan(&v))
	must(t, conn.Close(testContext(t)))
	return v
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn := connect(t, url)
	_, err := conn.Exec(testContext(t), sql)
	must(t, err)
	must(t, conn.Close(testContext(t)))
}

func postmasterPID(t *testing.T, dir string) int {
	t.Helper()
	pm, err := readPostmaster(layout{dir}.pidFile())
	must(t, err)
	if pm.pid == 0 || !isPostmaster(pm.pid, layout{dir}.cluster()) {
		t.Fatalf("no server of %s, but %+v", dir, pm)
	}
	return pm.pid
}

// processes lists the living processes that work in a data directory. Elsewhere
// than on Linux it knows of the first process only.
func processes(dir string) []int {
	var pids []int
	if pm, err := readPostmaster(layout{dir}.pidFile()); err == nil && pm.pid != 0 && isPostmaster(pm.pid, layout{dir}.cluster()) {
		pids = append(pids, pm.pid)
	}
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(target, dir+"/") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// until waits for a condition that nothing tells of.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	poll := newPoll()
	defer poll.stop()
	for !condition() {
		if err := poll.wait(ctx); err != nil {
			t.Fatalf("waiting until %s: %v", what, err)
		}
	}
}

func matches(t *testing.T, pattern string) int {
	t.Helper()
	files, err := filepath.Glob(pattern)
	must(t, err)
	return len(files)
}

func within(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("not in time: %s", what)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// contains fails the test if err is nil or lacks one of the words.
func contains(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}

// logBuffer is a log to look into.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
