//go:build linux

package crash

import (
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Where few files may be open, quiet connections leave enough for webhooks and the spool.
func TestFewFiles(t *testing.T) {
	w := newWorld(t, options{external: true}, rand.New(rand.NewPCG(*seed, 6)))
	w.endServer(syscall.SIGTERM)
	w.program = filepath.Join(t.TempDir(), "few-files")
	if err := os.WriteFile(w.program, []byte("#!/bin/sh\nulimit -n 64\nexec "+binary+" \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.startServer("--header-timeout=1h", "--spool-max-bytes=1000000000")
	w.until("the server is ready", w.ready)
	quiet := func() {
		for range 100 {
			c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			if _, err := c.Write([]byte("POST /api/push/tracking HTTP/1.1\r\n")); err != nil {
				t.Fatal(err)
			}
		}
	}
	quiet()
	if status := w.post("tracking"); status != http.StatusOK && status != http.StatusAccepted {
		t.Errorf("a webhook is answered %d", status)
	}
	w.proxy.Cut()
	quiet()
	if status := w.post("tracking"); status != http.StatusAccepted {
		t.Errorf("without the database a webhook is answered %d", status)
	}
	w.heal()
	w.until("the spool is empty", func() bool { return w.ready() && w.spoolIsEmpty() })
}
