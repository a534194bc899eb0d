//go:build linux

package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// which are the processes of PostgreSQL that a signal goes to.
type which int

const (
	everything which = iota
	postmaster
	child // any one
)

// postgres lists the processes of the world's PostgreSQL, the postmaster first if it
// lives. They are known by their working directory, which is the cluster, so that
// children whose postmaster is dead are found too.
func (w *world) postgres() []int {
	cluster := filepath.Join(w.pgDir, "postgres")
	first := 0
	if text, err := os.ReadFile(filepath.Join(cluster, "postmaster.pid")); err == nil {
		line, _, _ := strings.Cut(string(text), "\n")
		first, _ = strconv.Atoi(line)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		w.t.Fatal(err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || dir != cluster {
			continue
		}
		if pid == first {
			pids = append([]int{pid}, pids...)
		} else {
			pids = append(pids, pid)
		}
	}
	return pids
}

// signalPostgres sends a signal to what there is of PostgreSQL: there may be nothing.
func (w *world) signalPostgres(sig syscall.Signal, which which) {
	pids := w.postgres()
	switch {
	case len(pids) == 0:
		w.signals["none: PostgreSQL was down already"]++
		return
	case which == postmaster:
		pids = pids[:1]
	case which == child:
		i := w.rnd.IntN(len(pids))
		pids = pids[i : i+1]
	}
	for _, pid := range pids {
		_ = syscall.Kill(pid, sig) // it may have ended
	}
	w.signals[sig.String()+" processes of PostgreSQL"] += len(pids)
}

// freeze stops PostgreSQL where it stands: first the postmaster, so that it makes no
// further processes.
func (w *world) freeze() { w.signalPostgres(syscall.SIGSTOP, everything) }

func (w *world) thaw() {
	for _, pid := range w.postgres() {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}
