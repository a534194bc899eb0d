package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An old backup of a real PostgreSQL is restored. The program refuses to sign, says so
// everywhere, and goes on when somebody accepts what was lost, who leaves a trace.
func TestAnOldBackupIsRestored(t *testing.T) {
	data, err := os.MkdirTemp("", "aifi-audit-test-") // not t.TempDir's: another user must pass
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	if err := os.Chmod(data, 0o711); err != nil {
		t.Fatal(err)
	}
	dir, anchors := filepath.Join(data, "data"), filepath.Join(t.TempDir(), "anchors")
	at := "--data-dir=" + dir
	serve := []string{at, "--log-anchor-file=" + anchors, "--log-anchor-every=1ms"}
	cluster, backup := filepath.Join(dir, "postgres"), filepath.Join(data, "backup")

	s := serveAlone(t, serve...)
	s.stop() // it has made its database
	ingest := strings.TrimSpace(command(t, "token", "create", "--name=AiFi", "--scope=ingest", at))
	staff := strings.TrimSpace(command(t, "token", "create", "--name=staff", "--scope=read,admin", at))
	s = serveAlone(t, serve...)
	s.get(t, "/api/v1/status", staff, has(`"database":"ok"`)) // until then its tokens are not known
	command(t, "simulate", "--url="+s.url, "--token="+ingest, "--rate=0", "--count=30")
	s.get(t, "/api/v1/log", staff, signed(30)) // whoever stops before leaves that to the next
	s.stop()
	shell(t, "cp", "-a", cluster, backup)

	s = serveAlone(t, serve...)
	s.get(t, "/api/v1/status", staff, has(`"database":"ok"`))
	command(t, "simulate", "--url="+s.url, "--token="+ingest, "--rate=0", "--count=20", "--seed=2")
	s.get(t, "/api/v1/log", staff, signed(50))
	s.stop()
	shell(t, "rm", "-r", cluster)
	shell(t, "mv", backup, cluster)

	s = serveAlone(t, serve...)
	command(t, "simulate", "--url="+s.url, "--token="+ingest, "--rate=0", "--count=1", "--seed=3")
	status := s.get(t, "/api/v1/status", staff, has(`"state":"refusing"`))
	if !strings.Contains(status, "it has 30 leaves, and 50 were signed") {
		t.Errorf("the status is %s", status)
	}
	s.get(t, "/metrics", staff, has("\naifi_audit_log_refusing 1\n"))
	if text := s.logged.String(); !strings.Contains(text, "THE LOG IS NOT SIGNED ANY MORE") || !strings.Contains(text, "50 were signed") {
		t.Error(text)
	}
	s.stop()
	code, out := outcome(t, "verify", at, "--anchor="+anchors)
	if code != 1 || !strings.Contains(out, "MISSING leaves: the log has 30 leaves, and 50 were signed") || !strings.Contains(out, "the database was rolled back") {
		t.Errorf("%d %s", code, out)
	}

	accept := []string{"log", "accept", "--actor=Jane Doe", "--reason=the disk failed", at}
	if out := command(t, accept...); !strings.Contains(out, "nothing was: add --confirm") || !strings.Contains(out, "the database has 30") {
		t.Error(out)
	}
	if text := serveAndSee(t, serve, staff, `"state":"refusing"`); text == "" {
		t.Error("a dry run accepts")
	}
	out = command(t, append(accept, "--confirm")...)
	kept := filepath.Join(dir, "log", "checkpoint.abandoned-50")
	if note, err := os.ReadFile(kept); err != nil || !strings.Contains(string(note), "\n50\n") || !strings.Contains(out, kept) {
		t.Errorf("%v: %s", err, out)
	}
	if code, out := outcome(t, append(accept, "--confirm")...); code != 1 {
		t.Errorf("it is accepted twice: %s", out)
	}
	s = serveAlone(t, serve...)
	s.get(t, "/api/v1/log", staff, signed(32)) // that of the one delivery, and the trace
	s.get(t, "/api/v1/access-log?action=accept-rollback", staff, has("Jane Doe: the disk failed; signed were 50 leaves"))
	s.stop()
	if code, out := outcome(t, "verify", at); code != 0 {
		t.Errorf("%d %s", code, out)
	}
	// Whoever kept what was signed before still sees that it is gone.
	if code, out := outcome(t, "verify", at, "--anchor="+anchors); code != 1 || !strings.Contains(out, "50") {
		t.Errorf("%d %s", code, out)
	}
}

// signed tells whether so many leaves, or more, are under a checkpoint.
func signed(leaves int64) func(string) bool {
	return func(text string) bool {
		var l struct {
			State string
			Size  int64
		}
		return json.Unmarshal([]byte(text), &l) == nil && l.State == "running" && l.Size >= leaves
	}
}

// serveAndSee serves until the log's state is as wanted.
func serveAndSee(t *testing.T, serve []string, token, want string) string {
	t.Helper()
	s := serveAlone(t, serve...)
	defer s.stop()
	return s.get(t, "/api/v1/log", token, has(want))
}

func shell(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}
