//go:build linux

package crash

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
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
	if sig == syscall.SIGKILL || sig == syscall.SIGQUIT {
		w.until("they are gone", func() bool {
			return !slices.ContainsFunc(w.postgres(), func(pid int) bool { return slices.Contains(pids, pid) })
		})
	}
}

// states says what each process of PostgreSQL is, and what it does.
func (w *world) states() string {
	var b strings.Builder
	for _, pid := range w.postgres() {
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // it may have ended
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		_, state, _ := strings.Cut(string(status), "State:\t")
		state, _, _ = strings.Cut(state, "\n")
		fmt.Fprintf(&b, "%d %s: %.100q\n", pid, state, command)
	}
	return b.String()
}

// freeze stops PostgreSQL where it stands: first the postmaster, so that it makes no
// further processes.
func (w *world) freeze() { w.signalPostgres(syscall.SIGSTOP, everything) }

func (w *world) thaw() {
	for _, pid := range w.postgres() {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// query is the first column of all rows of a query. A PostgreSQL that has just been
// killed may still say that it is well: so it is tried for a while.
func query(t *testing.T, databaseURL, sql string, args ...any) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), *patience)
	defer cancel()
	for {
		rows, err := tryQuery(ctx, databaseURL, sql, args)
		if err == nil {
			return rows
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%v: %s", err, sql)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func tryQuery(ctx context.Context, databaseURL, sql string, args []any) ([]string, error) {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
