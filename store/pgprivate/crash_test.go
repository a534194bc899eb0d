package pgprivate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The kernel tells the server of its owner's death, also when the server runs as
// another user.
func TestKilledOwner(t *testing.T) {
	dir := newDir(t)
	owner := beginOwner(t, dir)
	s := mustStart(t, testOptions(dir))
	execute(t, s.URL(), "CREATE TABLE kept AS SELECT 'here' AS v")
	pids := processes(dir)
	connect(t, s.URL()) // a session that stays
	owner.kill(t)

	switch runtime.GOOS {
	case "linux", "freebsd":
		if len(pids) == 0 {
			t.Fatal("no processes to begin with")
		}
		until(t, "the server has ended", func() bool { return len(processes(dir)) == 0 })
		within(t, "Done of an attached server", s.Done())
		log, err := os.ReadFile(layout{dir}.log())
		must(t, err)
		if !strings.Contains(string(log), "received fast shutdown request") || !strings.Contains(string(log), "database system is shut down") {
			t.Errorf("not shut down in order:\n%s", log)
		}
	}
	s = mustStart(t, testOptions(dir))
	if s.Attached() {
		t.Error("attached to an orphan")
	}
	if got := query(t, s.URL(), "SELECT v FROM kept"); got != "here" {
		t.Errorf("got %q", got)
	}
}

// Start does not need the old server to have ended.
func TestKilledOwnerAndStartAtOnce(t *testing.T) {
	dir := newDir(t)
	owner := beginOwner(t, dir)
	for range 3 {
		owner.kill(t)
		owner = beginOwner(t, dir)
	}
	owner.close(t)
}

func TestKilledWhileMakingTheCluster(t *testing.T) {
	dir := newDir(t)
	h := beginHelper(t, dir)
	until(t, "initdb is at work", func() bool { return matches(t, dir+"/postgres.new.*/PG_VERSION") > 0 })
	h.kill(t)
	s := mustStart(t, testOptions(dir))
	if got := query(t, s.URL(), "SELECT current_database()"); got != "aifi_audit" {
		t.Errorf("got %q", got)
	}
}

// The death signal is tied to a thread: the end of other threads, which the runtime
// brings about at will, must not count.
func TestThreadsComeAndGo(t *testing.T) {
	s := mustStart(t, testOptions(newDir(t)))
	var group sync.WaitGroup
	for range 50 {
		group.Go(runtime.LockOSThread) // the thread ends with the goroutine
	}
	group.Wait()
	if got := query(t, s.URL(), "SELECT current_database()"); got != "aifi_audit" {
		t.Errorf("got %q", got)
	}
}

// A server that goes on without its owner, as on a system without death signals, is
// replaced and not adopted.
func TestOrphan(t *testing.T) {
	dir := newDir(t)
	proc := startByHand(t, dir)
	l, err := tryLock(layout{dir}.lock())
	must(t, err)
	must(t, l.note(proc.cmd.Process.Pid)) // as its owner would have done
	l.release()

	must(t, syscall.Kill(proc.cmd.Process.Pid, syscall.SIGSTOP)) // a long shutdown
	const reason = "the server of a process that was killed shuts down"
	err = waitsFor(t, dir, reason)
	contains(t, err, reason)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	must(t, syscall.Kill(proc.cmd.Process.Pid, syscall.SIGCONT))
	s := mustStart(t, testOptions(dir))
	if s.Attached() {
		t.Error("attached to an orphan")
	}
	within(t, "end of the orphan", proc.done)
}

// One that does not shut down is not waited for without end.
func TestStuckOrphan(t *testing.T) {
	dir := newDir(t)
	proc := startByHand(t, dir)
	l, err := tryLock(layout{dir}.lock())
	must(t, err)
	must(t, l.note(proc.cmd.Process.Pid)) // as its owner would have done
	l.release()
	frozen := 0
	until(t, "there is a checkpointer", func() bool {
		for _, pid := range processes(dir) {
			if command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.Contains(string(command), "checkpointer") {
				frozen = pid
			}
		}
		return frozen != 0
	})
	must(t, syscall.Kill(frozen, syscall.SIGSTOP)) // no fast shutdown without it
	s := mustStart(t, testOptions(dir))
	if s.Attached() {
		t.Error("attached to an orphan")
	}
	within(t, "end of the orphan", proc.done)
}

// What somebody has started by hand is neither stopped nor doubled.
func TestStartedByHand(t *testing.T) {
	dir := newDir(t)
	proc := startByHand(t, dir)
	s := mustStart(t, testOptions(dir))
	if !s.Attached() {
		t.Fatal("not attached")
	}
	mustClose(t, s)
	s = mustStart(t, testOptions(dir))
	if got := query(t, s.URL(), "SELECT current_database()"); got != "aifi_audit" {
		t.Errorf("got %q", got)
	}
	must(t, proc.stop(testContext(t)))
	within(t, "Done of an attached server", s.Done())
}

func TestKilledServer(t *testing.T) {
	dir := newDir(t)
	var log logBuffer
	o := testOptions(dir)
	o.Logger = log.logger()
	s := mustStart(t, o)
	execute(t, s.URL(), "CREATE TABLE kept AS SELECT 'here' AS v")
	conn := connect(t, s.URL())
	session := int(conn.PgConn().PID())
	must(t, syscall.Kill(session, syscall.SIGSTOP)) // it does not see its parent's death
	must(t, syscall.Kill(postmasterPID(t, dir), syscall.SIGKILL))
	within(t, "Done of a killed server", s.Done())
	if got := log.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "signal: killed") || !strings.Contains(got, "ready to accept connections") {
		t.Errorf("log:\n%s", got)
	}
	mustClose(t, s)

	const reason = "pre-existing shared memory block"
	contains(t, waitsFor(t, dir, reason), reason)
	must(t, syscall.Kill(session, syscall.SIGCONT))
	s = mustStart(t, testOptions(dir))
	if got := query(t, s.URL(), "SELECT v FROM kept"); got != "here" {
		t.Errorf("got %q", got)
	}
}

// After a restart of the machine the process id in postmaster.pid may be that of
// anything, which PostgreSQL takes for a server.
func TestRecycledProcessID(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("here a process is known by its name only")
	}
	dir := newDir(t)
	mustClose(t, mustStart(t, testOptions(dir)))
	who, err := chooseIdentity(layout{dir}.cluster())
	must(t, err)
	other, err := startProcess(who.command(testContext(t), "/", "/bin/sleep", "1000"))
	must(t, err)
	defer func() { other.signal(syscall.SIGKILL); <-other.done }()
	pid := other.cmd.Process.Pid
	file := fmt.Sprintf("%d\n%s\n1700000000\n5432\n%s/postgres-socket\n\n 1 1\nready   \n", pid, layout{dir}.cluster(), dir)
	must(t, os.WriteFile(layout{dir}.pidFile(), []byte(file), 0o600))
	must(t, os.Chown(layout{dir}.pidFile(), int(who.uid), int(who.gid)))
	l, err := tryLock(layout{dir}.lock())
	must(t, err)
	must(t, l.note(pid)) // even so it is not ours to stop
	l.release()
	s := mustStart(t, testOptions(dir))
	if s.Attached() {
		t.Error("attached to sleep")
	}
	if !exists(pid) {
		t.Error("an innocent process was stopped")
	}
}

// startByHand starts the server of a new cluster without us as its owner.
func startByHand(t *testing.T, dir string) *process {
	t.Helper()
	st, bins := makeTestCluster(t, dir)
	socketDir, err := st.makeSocketDir(st.who)
	must(t, err)
	proc, err := startProcess(st.who.command(context.Background(), st.cluster(), bins.program("postgres"),
		serverArgs(st.cluster(), socketDir, testOptions(dir).Settings)...))
	must(t, err)
	t.Cleanup(func() { _ = proc.stop(testContext(t)) })
	until(t, "the server is ready", func() bool {
		pm, err := readPostmaster(st.pidFile())
		return err == nil && pm.ready
	})
	return proc
}
