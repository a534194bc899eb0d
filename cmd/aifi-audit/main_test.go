package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"aifi-audit/store/storetest"
)

// TestMain makes the test binary the program too, for the scripts.
func TestMain(m *testing.M) {
	testscript.Main(withDatabase{m}, map[string]func(){"aifi-audit": main})
}

type withDatabase struct{ *testing.M }

func (m withDatabase) Run() int { return storetest.Main(m.M) }

// command runs the program and returns what it prints.
func command(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), args, &stdout, &stderr); code != 0 {
		t.Fatalf("%q ends with %d: %s", args, code, stderr.String())
	}
	return stdout.String()
}

// started runs the program until the test ends; url is where it listens.
func started(t *testing.T, args ...string) (url string) {
	t.Helper()
	url, stop := startedAndStopped(t, args...)
	t.Cleanup(stop)
	return url
}

// startedAndStopped runs the program until stop is called.
func startedAndStopped(t *testing.T, args ...string) (url string, stop func()) {
	t.Helper()
	if !slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--data-dir=") }) {
		args = append(args, "--data-dir="+t.TempDir())
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, args, in, t.Output())
		_ = in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "listening on ")), func() {
		cancel()
		_, _ = io.Copy(io.Discard, out)
		if got := <-code; got != 0 {
			t.Errorf("%q ends with %d", args, got)
		}
	}
}

func TestServeSimulateExport(t *testing.T) {
	url, database, ingest, staff := served(t)
	db := "--database-url=" + database
	report := command(t, "simulate", "--url="+url, "--token="+ingest, "--rate=0", "--count=400", "--malformed=0.1")
	for _, want := range []string{"sent", "400 deliveries", "answer 200 stored", "answer 200 duplicate", "answer 422"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/alcohol-interactions.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+staff)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	served, err := io.ReadAll(resp.Body)
	if err != nil || bytes.Count(served, []byte("\n")) < 50 {
		t.Fatalf("%v: %s", err, served)
	}
	file := filepath.Join(t.TempDir(), "alcohol.csv")
	command(t, "export", "alcohol-interactions", "-o", file, db)
	if written, err := os.ReadFile(file); err != nil || !bytes.Equal(written, served) {
		t.Errorf("export and the API differ: %v", err)
	}
	if none := command(t, "export", "alcohol-interactions", "--disposition=none", db); none != string(served) {
		t.Error("not all events are without a disposition")
	}
	if notes := command(t, "export", "notes", db); !strings.HasSuffix(notes, ",disposition,comment\r\n") {
		t.Errorf("notes are %q", notes)
	}
	command(t, "store", "set-time-zone", "101", "Asia/Kathmandu", db)
	if list := command(t, "store", "list", db); !strings.Contains(list, "Asia/Kathmandu") {
		t.Error(list)
	}
	command(t, "token", "revoke", "staff", db)
	if list := command(t, "token", "list", db); !strings.Contains(list, "AiFi") {
		t.Error(list)
	}
	if status := command(t, "migrate", "status", db); !strings.Contains(status, "00001_schema.sql") || strings.Contains(status, "pending") {
		t.Error(status)
	}
}

func TestDemo(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"demo", "--listen=127.0.0.1:0"}, in, t.Output())
		_ = in.Close()
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "Ctrl-C") {
	}
	stop()
	_, _ = io.Copy(io.Discard, out)
	if got := <-code; got != 0 {
		t.Errorf("the demo ends with %d", got)
	}
}

// What checks or writes must not look as if it had come to its end.
func TestASignalEndsNoCommandWell(t *testing.T) {
	databaseURL, dir, _ := logged(t, "10")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []string{"verify", "verify --incremental", "export alcohol-interactions", "migrate up", "retention run"} {
		args := append(strings.Fields(c), "--database-url="+databaseURL)
		if strings.HasPrefix(c, "verify") {
			args = append(args, "--log-dir="+dir)
		}
		if code, out, err := attempt(ctx, args...); code != 130 || out != "" || !strings.Contains(err, "interrupted") {
			t.Errorf("%s: ended with %d, %q, %q", c, code, out, err)
		}
	}
}

func TestHelpAndMistakes(t *testing.T) {
	for args, want := range map[string]int{
		"--help": 0, "serve --help": 0, "": 2, "nonsense": 2, "migrate up": 1, "serve --time-zone=Nowhere/Land": 2, "simulate --url=http://127.0.0.1:1 --token=x --stores=0": 1,
	} {
		var out bytes.Buffer
		t.Setenv("DATABASE_URL", "")
		if got := run(t.Context(), strings.Fields(args), &out, &out); got != want {
			t.Errorf("%q ends with %d:\n%s", args, got, out.String())
		}
	}
}
