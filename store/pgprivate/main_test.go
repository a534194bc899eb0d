package pgprivate

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// helperVariable makes the test binary another process of ours: it starts the
// server of the data directory that the variable names, says so, and closes it
// when its standard input ends.
const helperVariable = "AIFI_AUDIT_TEST_HELPER"

const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperVariable); dir != "" {
		if err := help(dir); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func help(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := Start(ctx, testOptions(dir))
	if err != nil {
		return err
	}
	fmt.Println("ready", s.Attached())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return s.Close(ctx)
}

func testOptions(dir string) Options {
	return Options{DataDir: dir, Settings: map[string]string{"fsync": "off", "shared_buffers": "16MB"}}
}

// helper is a running helper process.
type helper struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout io.Reader
}

func beginHelper(t *testing.T, dir string) *helper {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperVariable+"="+dir)
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &helper{cmd: cmd, stdin: stdin, stdout: stdout}
}

// ready waits until the helper's server is ready.
func (h *helper) ready(t *testing.T) (attached bool) {
	t.Helper()
	line := make([]byte, 4096)
	n, err := h.stdout.Read(line)
	must(t, err)
	word, rest, _ := strings.Cut(strings.TrimSpace(string(line[:n])), " ")
	if word != "ready" {
		t.Fatalf("helper: %s", line[:n])
	}
	return rest == "true"
}

// beginOwner returns a helper that owns the server.
func beginOwner(t *testing.T, dir string) *helper {
	t.Helper()
	h := beginHelper(t, dir)
	if h.ready(t) {
		t.Fatal("attached to a server that should not run")
	}
	return h
}

// close has the helper end in order.
func (h *helper) close(t *testing.T) {
	t.Helper()
	must(t, h.stdin.Close())
	must(t, h.cmd.Wait())
}

// kill ends the helper at once.
func (h *helper) kill(t *testing.T) {
	t.Helper()
	must(t, h.cmd.Process.Signal(syscall.SIGKILL))
	_ = h.cmd.Wait()
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
		until(t, "all PostgreSQL processes have ended", func() bool { return len(processes(dir)) == 0 })
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

// startsInVain expects that Start waits, and returns its error.
func startsInVain(t *testing.T, dir string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := Start(ctx, testOptions(dir))
	if err == nil {
		mustClose(t, s)
		t.Fatal("it started")
	}
	return err
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
