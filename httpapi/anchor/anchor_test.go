package anchor_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/httpapi/anchor"
	"aifi-audit/store/storetest"
	"aifi-audit/store/translog"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// keys are those of a log.
type keys struct {
	signer   *translog.Signer
	verifier *translog.Verifier
	public   string
}

func newKeys(t testing.TB) keys {
	t.Helper()
	key, public, err := translog.NewKey(rand.Reader, "audit.example.com/log")
	if err != nil {
		t.Fatal(err)
	}
	k := keys{public: public}
	if k.signer, err = translog.NewSigner(key); err != nil {
		t.Fatal(err)
	}
	if k.verifier, err = translog.NewVerifier(public); err != nil {
		t.Fatal(err)
	}
	return k
}

// sign signs some tree of a size.
func (k keys) sign(t testing.TB, size int64) translog.Checkpoint {
	t.Helper()
	c, err := k.signer.Sign(tlog.Tree{N: size, Hash: tlog.RecordHash([]byte(fmt.Sprint(size)))})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func start(t testing.TB, c anchor.Config) *anchor.Anchors {
	t.Helper()
	c.Every = time.Millisecond
	a, err := anchor.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Start(t.Context(), nil))
	return a
}

// until waits for a status of the one place.
func until(t testing.TB, a *anchor.Anchors, what string, is func(anchor.Status) bool) anchor.Status {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if s := a.Status()[0]; is(s) {
			return s
		}
		select {
		case <-tick.C:
		case <-time.After(time.Minute):
			t.Fatalf("%s: the status is %+v", what, a.Status()[0])
		}
	}
}

// anchored publishes a checkpoint and waits until it is anchored.
func anchored(t testing.TB, a *anchor.Anchors, c translog.Checkpoint) {
	t.Helper()
	a.Published(t.Context(), c)
	until(t, a, fmt.Sprint("anchoring ", c.N), func(s anchor.Status) bool { return s.Size == c.N && s.WaitingSince.IsZero() && s.Error == "" })
}

// sizes are those of the checkpoints in a file; those that are broken are -1.
func (k keys) sizes(t testing.TB, file string) (sizes []int64) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range translog.SplitNotes(text) {
		c, err := k.verifier.Open(n.Note)
		if err != nil {
			c.N = -1
		}
		if n.Broken != (err != nil) {
			t.Errorf("line %d is broken: %v, and %v", n.Line, n.Broken, err)
		}
		sizes = append(sizes, c.N)
	}
	return sizes
}

func TestAFileIsAppendedTo(t *testing.T) {
	k := newKeys(t)
	file := filepath.Join(t.TempDir(), "anchors")
	a := start(t, anchor.Config{File: file})
	anchored(t, a, k.sign(t, 1))
	anchored(t, a, k.sign(t, 2))
	if diff := cmp.Diff([]int64{1, 2}, k.sizes(t, file)); diff != "" {
		t.Error(diff)
	}
	// Whoever rotates it renames it.
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	anchored(t, a, k.sign(t, 3))
	if diff := cmp.Diff([]int64{3}, k.sizes(t, file)); diff != "" {
		t.Error(diff)
	}
	// The next process begins with what this one ended with.
	next := start(t, anchor.Config{File: file})
	anchored(t, next, k.sign(t, 3))
	// A crash, or another program, left a part of a note.
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, cut := range []int{len(text) + 10, len(text) + 60, len(text) + 100} {
		if err := os.WriteFile(file, append(bytes.Clone(text), text...)[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		size := int64(4 + i)
		anchored(t, next, k.sign(t, size))
		if diff := cmp.Diff([]int64{3, -1, size}, k.sizes(t, file)); diff != "" {
			t.Errorf("cut at %d: %s", cut, diff)
		}
	}
}

func TestAFileThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	k := newKeys(t)
	dir := filepath.Join(t.TempDir(), "disk")
	registry := prometheus.NewRegistry()
	var logged bytes.Buffer
	a := start(t, anchor.Config{File: filepath.Join(dir, "anchors"), Registry: registry, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	a.Published(t.Context(), k.sign(t, 5))
	s := until(t, a, "failing", func(s anchor.Status) bool { return s.Error != "" })
	if s.WaitingSince.IsZero() || s.Size != 0 || strings.Contains(s.Error, dir) {
		t.Errorf("the status is %+v", s)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	until(t, a, "mended", func(s anchor.Status) bool { return s.Size == 5 && s.Error == "" })
	for name, want := range map[string]string{
		"aifi_audit_log_anchored_size": "5", "aifi_audit_log_anchor_behind_seconds": "0", "aifi_audit_log_anchor_contradicts": "0",
	} {
		if err := testutil.GatherAndCompare(registry, strings.NewReader(fmt.Sprintf("# HELP %[1]s x\n# TYPE %[1]s gauge\n%[1]s{to=\"file\"} %[2]s\n", name, want)), name); err != nil && !strings.Contains(err.Error(), "HELP") {
			t.Error(err)
		}
	}
	if text := logged.String(); !strings.Contains(text, "IS NOT ANCHORED") || !strings.Contains(text, "anchored again") {
		t.Error(text)
	}
}

func TestAPipeIsNoAnchor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	a := start(t, anchor.Config{File: file})
	a.Published(t.Context(), newKeys(t).sign(t, 1))
	until(t, a, "failing", func(s anchor.Status) bool { return strings.Contains(s.Error, "not a regular file") })
}

// receiver is somebody else's server.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	answers  []func(http.ResponseWriter, *http.Request) // to the first requests; guarded by mu
	received []string                                   // what was posted, with its token; guarded by mu
}

func newReceiver(t testing.TB, answers ...func(http.ResponseWriter, *http.Request)) *receiver {
	t.Helper()
	r := &receiver{answers: answers}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil || req.Method != http.MethodPost {
			t.Errorf("%s: %v", req.Method, err)
		}
		r.mu.Lock()
		r.received = append(r.received, req.Header.Get("Authorization")+"\n"+string(body))
		var answer func(http.ResponseWriter, *http.Request)
		if len(r.answers) > 0 {
			answer, r.answers = r.answers[0], r.answers[1:]
		}
		r.mu.Unlock()
		if answer != nil {
			answer(w, req)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.received
}

func (r *receiver) config(t testing.TB, path string) anchor.Config {
	t.Helper()
	return anchor.Config{URL: parse(t, r.URL+path), Client: r.Client()}
}

func parse(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAURLIsPostedTo(t *testing.T) {
	k := newKeys(t)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		func(w http.ResponseWriter, req *http.Request) {
			http.Redirect(w, req, "/elsewhere", http.StatusTemporaryRedirect)
		})
	c := r.config(t, "/log")
	c.Token = func() (string, error) { return "secret", nil }
	a := start(t, c)
	anchored(t, a, k.sign(t, 7))
	want := "Bearer secret\n" + string(k.sign(t, 7).Note)
	if diff := cmp.Diff([]string{want, want, want}, r.all()); diff != "" {
		t.Error(diff)
	}
}

func TestWhatComesMeanwhileIsPostedOnce(t *testing.T) {
	k := newKeys(t)
	came, answer := make(chan struct{}), make(chan struct{})
	r := newReceiver(t, func(http.ResponseWriter, *http.Request) { close(came); <-answer })
	a := start(t, r.config(t, ""))
	a.Published(t.Context(), k.sign(t, 1))
	<-came
	for i := range int64(100) {
		a.Published(t.Context(), k.sign(t, i+2))
	}
	if s := a.Status()[0]; s.WaitingSince.IsZero() {
		t.Errorf("the status is %+v", s)
	}
	close(answer)
	until(t, a, "all", func(s anchor.Status) bool { return s.Size == 101 })
	if all := r.all(); len(all) > 3 || !strings.Contains(all[len(all)-1], "\n101\n") {
		t.Errorf("posted %q", all)
	}
}

func TestRedirectsElsewhereAreNotFollowed(t *testing.T) {
	k := newKeys(t)
	other := newReceiver(t)
	for name, redirect := range map[string]func(http.ResponseWriter, *http.Request){
		"to another host": func(w http.ResponseWriter, req *http.Request) {
			http.Redirect(w, req, other.URL, http.StatusTemporaryRedirect)
		},
		"without TLS": func(w http.ResponseWriter, req *http.Request) {
			http.Redirect(w, req, "http://"+req.Host+"/", http.StatusPermanentRedirect)
		},
		"to be fetched": func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, "/", http.StatusSeeOther) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t, redirect)
			a := start(t, r.config(t, ""))
			a.Published(t.Context(), k.sign(t, 1))
			until(t, a, name, func(s anchor.Status) bool { return strings.Contains(s.Error, "not followed") })
		})
	}
	if all := other.all(); len(all) > 0 {
		t.Errorf("the other host got %q", all)
	}
}

func TestACertificateThatIsNotTrusted(t *testing.T) {
	r := newReceiver(t)
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	c := r.config(t, "")
	c.Client = nil
	a := start(t, c)
	a.Published(t.Context(), newKeys(t).sign(t, 1))
	until(t, a, "failing", func(s anchor.Status) bool { return strings.Contains(s.Error, "certificate") })
	if len(r.all()) > 0 {
		t.Error("it was posted")
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	for _, bad := range []string{"http://anchors.example.com/", "ftp://anchors.example.com/", "anchors.example.com", "https://", "https://u:p@anchors.example.com/", "/x"} {
		if _, err := anchor.New(anchor.Config{URL: parse(t, bad)}); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	for _, good := range []string{"https://anchors.example.com/x", "http://127.0.0.1:9/", "http://[::1]/", "http://localhost/x"} {
		if _, err := anchor.New(anchor.Config{URL: parse(t, good)}); err != nil {
			t.Error(err)
		}
	}
}

// What is published last is anchored also when the program ends.
func TestFlush(t *testing.T) {
	k := newKeys(t)
	file := filepath.Join(t.TempDir(), "anchors")
	a, err := anchor.New(anchor.Config{File: file, Every: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	stop := a.Start(t.Context(), nil)
	anchored(t, a, k.sign(t, 1))
	a.Published(t.Context(), k.sign(t, 2)) // too early
	stop()
	a.Published(t.Context(), k.sign(t, 3))
	a.Flush()
	if diff := cmp.Diff([]int64{1, 3}, k.sizes(t, file)); diff != "" {
		t.Error(diff)
	}
}
