//go:build linux

package crash

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"aifi-audit/store"
	"aifi-audit/store/pgprivate"
	"aifi-audit/store/storetest"
)

// world is a program with its database, that faults happen to. All that it needs to
// be whole again is in heal.
type world struct {
	t   *testing.T
	rnd *rand.Rand

	program     string // the program, or what starts it
	dataDir     string // of the program
	pgDir       string // the data directory below which PostgreSQL lies
	url         string // where the program listens
	databaseURL string // straight to PostgreSQL
	ingest      string // tokens
	staff       string
	tokens      int // for ingest, so far

	server   *exec.Cmd         // nil while it is down
	ended    chan error        // of server
	external *pgprivate.Server // nil if the program runs its own
	proxy    *storetest.Proxy  // before external
	log      *os.File

	struck                                 map[string]int // faults, by name
	signals                                map[string]int // sent, by what and to whom
	answers                                map[string]int
	unanswered                             int
	acknowledged, verified, unsure, events int
}

// options of a world.
type options struct {
	external bool   // PostgreSQL is not the program's own
	small    string // "data" or "pg": the directory that lies on a file system of 256 MB; "" is none
}

func newWorld(t *testing.T, o options, rnd *rand.Rand) *world {
	t.Helper()
	parent, err := os.MkdirTemp("", "crash-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	// As root, PostgreSQL runs as another user, who must pass through.
	if err := os.Chmod(parent, 0o711); err != nil {
		t.Fatal(err)
	}
	if o.small != "" {
		mountSmall(t, filepath.Join(parent, o.small))
	}
	w := &world{t: t, rnd: rnd, program: binary, dataDir: parent + "/data/data", pgDir: parent + "/data/data", struck: map[string]int{}, signals: map[string]int{}, answers: map[string]int{}}
	if w.log, err = os.Create(parent + "/server.log"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	address := freeAddress(t)
	w.url = "http://" + address
	if o.external {
		w.pgDir = parent + "/pg/data"
		w.startExternal()
		w.databaseURL = w.external.URL()
		if _, err := store.Migrate(t.Context(), w.databaseURL); err != nil {
			t.Fatal(err)
		}
		w.proxy = storetest.NewProxy(t, w.databaseURL)
	}
	w.startServer()
	w.until("the server is ready", w.ready)
	if !o.external {
		attached, err := pgprivate.Start(t.Context(), pgprivate.Options{DataDir: w.dataDir})
		if err != nil || !attached.Attached() {
			t.Fatalf("attaching to the server's PostgreSQL: %v", err)
		}
		w.databaseURL = attached.URL()
		_ = attached.Close(t.Context())
	}
	w.newToken()
	w.staff = w.token("--name=staff", "--scope=read")
	return w
}

// freeAddress lies below the ports that the system gives to clients, so that it stays
// free while the server is down. It is not of the seed: several worlds may have one.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000))
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

func (w *world) token(args ...string) string {
	w.t.Helper()
	cmd := exec.Command(binary, append([]string{"token", "create", "--database-url=" + w.databaseURL}, args...)...)
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		w.t.Fatalf("%v: %s", err, failed.Stderr)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// newToken makes the token that webhooks come with from now on.
func (w *world) newToken() {
	w.t.Helper()
	w.tokens++
	w.ingest = w.token(fmt.Sprintf("--name=AiFi %d", w.tokens), "--scope=ingest")
}

// startServer starts the program with limits that hurt now and then, unless told
// others.
func (w *world) startServer(limits ...string) {
	w.t.Helper()
	args := []string{
		"serve", "--listen=" + strings.TrimPrefix(w.url, "http://"), "--data-dir=" + w.dataDir,
		"--spool-max-bytes=" + oneOf(w.rnd, "50000", "500000", "1000000000", "1000000000", "1000000000"),
		"--commit-deadline=" + oneOf(w.rnd, "50ms", "200ms", "1s"),
	}
	cmd := exec.Command(w.program, append(args, limits...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "DATABASE_URL=") })
	if w.proxy != nil {
		cmd.Env = append(cmd.Env, "DATABASE_URL="+w.proxy.URL)
	}
	cmd.Stdout, cmd.Stderr = w.log, w.log
	// A test that dies must leave nothing behind. The kernel tells the child of the end of
	// the thread that started it, so that thread is kept.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		w.t.Fatal(err)
	}
	w.server, w.ended = cmd, ended
}

// endServer ends the program with a signal, and waits until it is gone.
func (w *world) endServer(sig os.Signal) {
	w.t.Helper()
	if w.alive(); w.server == nil {
		return
	}
	_ = w.server.Process.Signal(sig)
	w.signals[sig.String()+" the server"]++
	select {
	case err := <-w.ended:
		if sig == syscall.SIGTERM && err != nil && w.external != nil { // else it may tell of its PostgreSQL
			w.fail("the server was told to stop, and ended with %v", err)
		}
	case <-time.After(*patience):
		w.fail("the server does not end")
	}
	w.server = nil
}

// alive checks that the program has not ended by itself.
func (w *world) alive() {
	w.t.Helper()
	if w.server == nil {
		return
	}
	select {
	case err := <-w.ended:
		w.server = nil
		w.fail("the server ended by itself: %v", err)
	default:
	}
}

func (w *world) startExternal() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), *patience)
	defer cancel()
	var err error
	if w.external, err = pgprivate.Start(ctx, pgprivate.Options{DataDir: w.pgDir}); err != nil {
		w.t.Fatal(err)
	}
}

// heal brings back what is down.
func (w *world) heal() {
	w.t.Helper()
	w.thaw()
	if w.external != nil {
		w.proxy.Mend()
		select {
		case <-w.external.Done():
			w.startExternal()
		default:
		}
	}
	if w.server == nil {
		w.startServer()
	}
}

// ready asks whether the program keeps and reads.
func (w *world) ready() bool {
	w.alive()
	if w.external != nil {
		w.heal() // a killed PostgreSQL takes a moment to be gone
	}
	r, err := http.Get(w.url + "/readyz")
	if err != nil {
		return false
	}
	defer func() { _ = r.Body.Close() }()
	return r.StatusCode == http.StatusOK
}

func (w *world) spoolIsEmpty() bool {
	w.alive()
	r, err := store.InspectSpool(w.t.Context(), store.Local{Dir: w.dataDir}, nil, nil)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.fail("%v", err)
	}
	if r.Damage() {
		w.fail("the spool is damaged: %+v", r)
	}
	return r.Records == 0
}

// until waits for a condition.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(*patience)
	for !holds() {
		if w.t.Failed() {
			w.t.FailNow()
		}
		if time.Now().After(deadline) {
			w.fail("not in time: %s", what)
		}
		w.wait(20 * time.Millisecond)
	}
}

// fail says what is wrong, and what there is to know about it.
func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf(format+"\nprocesses of PostgreSQL:\n%s\nserver.log ends with:\n%s\npostgres.log ends with:\n%s",
		append(args, w.states(), tail(w.log.Name()), tail(filepath.Join(w.pgDir, "postgres.log")))...)
}

// tail is the end of a log, but for what is said of each refused delivery.
func tail(name string) string {
	text, _ := os.ReadFile(name) // what cannot be read is missing in the message
	lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool {
		return strings.Contains(line, "the spool is full")
	})
	const most = 60
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

func (w *world) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-w.t.Context().Done():
	}
}

// pause lets a random time pass.
func (w *world) pause(most time.Duration) { w.wait(time.Duration(w.rnd.Int64N(int64(most)))) }

func oneOf[T any](rnd *rand.Rand, choices ...T) T { return choices[rnd.IntN(len(choices))] }

func (w *world) close() {
	w.thaw()
	if w.server != nil {
		_ = w.server.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-w.ended:
			w.t.Logf("at the end the server ended with %v", err)
		case <-time.After(*patience):
			_ = w.server.Process.Kill()
		}
	}
	if w.external != nil {
		_ = w.external.Close(context.Background())
	}
	for _, pid := range w.postgres() { // of a test that has failed
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = w.log.Close()
}

func (w *world) report() string {
	var b strings.Builder
	list := func(what string, counts map[string]int) {
		fmt.Fprintf(&b, "%s:\n", what)
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&b, "  %6d %s\n", counts[name], name)
		}
	}
	list("faults", w.struck)
	list("signals", w.signals)
	list("answers", w.answers)
	fmt.Fprintf(&b, "  %6d without an answer\n", w.unanswered)
	fmt.Fprintf(&b, "%d deliveries acknowledged, %d of them there as they were sent, %d events found; %d more kept without an answer",
		w.acknowledged, w.verified, w.events, w.unsure)
	return b.String()
}
