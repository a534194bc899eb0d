//go:build linux

package crash

import (
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Webhooks are kept although nobody takes what the program logs of them.
func TestNobodyTakesTheLog(t *testing.T) {
	w := newWorld(t, options{external: true}, rand.New(rand.NewPCG(*seed, 4)))
	whole := w.log
	for name, read := range map[string]func(*os.File) func() error{
		"the reader is gone":  func(r *os.File) func() error { _ = r.Close(); return func() error { return nil } },
		"the reader is stuck": func(r *os.File) func() error { return r.Close },
	} {
		t.Run(name, func(t *testing.T) {
			outer := w.t
			w.t = t
			defer func() { w.t = outer }()
			w.endServer(syscall.SIGTERM)
			r, pipe, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			end := read(r)
			w.log = pipe
			w.startServer()
			w.log = whole
			w.until("the server is ready", w.ready)
			const enough = 1000 // to fill a pipe with a line each
			for range enough {
				if status := w.post("mistyped"); status != http.StatusOK && status != http.StatusAccepted {
					t.Fatalf("a webhook is answered %d", status)
				}
			}
			w.until("the spool is empty", func() bool { return w.ready() && w.spoolIsEmpty() })
			w.endServer(syscall.SIGTERM)
			if err := end(); err != nil {
				t.Error(err)
			}
			_ = pipe.Close()
		})
	}
}

// A disk that is full takes no line, and that is no reason not to start.
func TestStandardOutputIsFull(t *testing.T) {
	w := newWorld(t, options{external: true}, rand.New(rand.NewPCG(*seed, 5)))
	w.endServer(syscall.SIGTERM)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = full.Close() }()
	whole := w.log
	w.log = full
	w.startServer()
	w.log = whole
	w.until("the server is ready", w.ready)
	if status := w.post("tracking"); status != http.StatusOK && status != http.StatusAccepted {
		t.Errorf("a webhook is answered %d", status)
	}
}

// post sends a webhook, and is 0 if it is not answered.
func (w *world) post(webhook string) int {
	r, err := http.NewRequest(http.MethodPost, w.url+"/api/push/"+webhook, strings.NewReader(`{"storeId":1}`))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.ingest)
	client := http.Client{Timeout: *patience}
	resp, err := client.Do(r)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
