//go:build linux

package crash

import (
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A key of the log that cannot be used costs no webhook, and is told.
func TestTheKeyCannotBeUsed(t *testing.T) {
	w := newWorld(t, options{external: true}, rand.New(rand.NewPCG(*seed, 7)))
	dir := filepath.Join(w.dataDir, "log")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(string) error{
		"empty":   func(key string) error { return os.WriteFile(key, nil, 0o600) },
		"no file": func(key string) error { return os.Mkdir(key, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			outer := w.t
			w.t = t
			defer func() { w.t = outer }()
			w.endServer(syscall.SIGTERM)
			key := filepath.Join(dir, "key")
			if err := spoil(key); err != nil {
				t.Fatal(err)
			}
			w.startServer()
			w.until("the server is ready", w.ready)
			if status := w.post("tracking"); status != http.StatusOK && status != http.StatusAccepted {
				t.Errorf("a webhook is answered %d", status)
			}
			resp, err := http.Get(w.url + "/metrics")
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || !strings.Contains(string(text), "\naifi_audit_log_refusing 1\n") {
				t.Errorf("the metrics do not tell: %v", err)
			}
			if err := os.Remove(key); err != nil {
				t.Fatal(err)
			}
		})
	}
}
