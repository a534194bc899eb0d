package bench

import (
	"strings"
	"testing"
)

// A server that does not start, or does not end in order, says why.
func TestServerThatFails(t *testing.T) {
	r := &run{Config: Config{Program: "/bin/sh"}, postgres: &postgres{dir: t.TempDir()}}
	if _, err := r.start(t.Context(), "-c", "echo no room >&2"); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("a server that ends at once gives %v", err)
	}
	p, err := r.start(t.Context(), "-c", "trap 'echo gone wrong >&2; exit 3' TERM; echo listening on http://127.0.0.1:1; while :; do sleep 0.01; done")
	if err != nil {
		t.Fatal(err)
	}
	if p.url != "http://127.0.0.1:1" {
		t.Errorf("it listens on %s", p.url)
	}
	if err := p.stop(); err == nil || !strings.Contains(err.Error(), "gone wrong") {
		t.Errorf("a server that does not end in order gives %v", err)
	}
}
