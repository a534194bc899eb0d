package pgprivate

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// helperVariable makes the test binary another process of ours: it starts the
// server of the data directory that the variable names, says so, and closes it
// when its standard input ends.
const helperVariable = "AIFI_AUDIT_TEST_HELPER"

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
