package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// post sends a webhook and gives the status.
func post(t *testing.T, url, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/push/tracking", strings.NewReader(`{"storeId":1}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// A private PostgreSQL that has run before and does not start now, in whatever way it
// fails, does not keep the program from taking webhooks.
func TestServeWhileThePrivatePostgreSQLDoesNotStart(t *testing.T) {
	parent, err := os.MkdirTemp("", "keeper-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	if err := os.Chmod(parent, 0o711); err != nil { // PostgreSQL's user passes through
		t.Fatal(err)
	}
	t.Setenv("DATABASE_URL", "")
	data := "--data-dir=" + parent + "/data"
	url, stop := startedAndStopped(t, "serve", "--listen=127.0.0.1:0", data)
	ingest := strings.TrimSpace(command(t, "token", "create", "--name=AiFi", "--scope=ingest", data))
	if got := post(t, url, ingest); got != http.StatusOK {
		t.Errorf("a webhook is answered %d", got)
	}
	stop()

	control := filepath.Join(parent, "data", "postgres", "global", "pg_control")
	serveWithout := func() (stop func()) {
		t.Helper()
		if err := os.Rename(control, control+".away"); err != nil {
			t.Fatal(err)
		}
		url, stop = startedAndStopped(t, "serve", "--listen=127.0.0.1:0", data)
		if got := post(t, url, ingest); got != http.StatusAccepted {
			t.Errorf("a webhook is answered %d", got)
		}
		return stop
	}
	restore := func() {
		if err := os.Rename(control+".away", control); err != nil {
			t.Fatal(err)
		}
	}

	stop = serveWithout()
	restore()
	deadline := time.Now().Add(time.Minute)
	for post(t, url, ingest) != http.StatusOK {
		if time.Now().After(deadline) {
			t.Fatal("PostgreSQL is not used again")
		}
	}
	stop()
	command(t, "spool", "drain", data) // what was taken since

	// Without a server, the spool can be drained all the same.
	stop = serveWithout()
	stop()
	restore()
	if out := command(t, "spool", "drain", data); out != "recorded 1 deliveries; the spool is empty\n" {
		t.Errorf("draining says %q", out)
	}
}
