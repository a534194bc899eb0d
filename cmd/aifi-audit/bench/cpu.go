package bench

import (
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/procfs"
)

// cpuClock tells who used the processors. Only Linux tells of other processes.
type cpuClock struct {
	fs         procfs.FS
	known      bool
	postmaster int // 0: PostgreSQL is elsewhere
}

// cpuTimes is what was used until some instant, or between two.
type cpuTimes struct {
	client, server, postgres, machine time.Duration
}

func (a cpuTimes) since(b cpuTimes) cpuTimes {
	return cpuTimes{a.client - b.client, a.server - b.server, a.postgres - b.postgres, a.machine - b.machine}
}

// newCPUClock makes a clock for a PostgreSQL that one of its backends is known of, if it
// is reached over a Unix socket: then it runs on this machine.
func newCPUClock(config *pgx.ConnConfig, backend uint32) cpuClock {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return cpuClock{}
	}
	c := cpuClock{fs: fs, known: true}
	if !strings.HasPrefix(config.Host, "/") {
		return c
	}
	if stat, ok := c.stat(int(backend)); ok && strings.HasPrefix(stat.Comm, "postgres") {
		c.postmaster = stat.PPID
	}
	return c
}

// read reads the clock; server is the process id of the server, or 0.
func (c cpuClock) read(server int) cpuTimes {
	var t cpuTimes
	var self syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &self) == nil {
		t.client = time.Duration(self.Utime.Nano() + self.Stime.Nano())
	}
	if !c.known {
		return t
	}
	if stat, ok := c.stat(server); ok && server != 0 {
		t.server = ticks(stat.UTime, stat.STime)
	}
	t.postgres = c.ofPostgres()
	if total, err := c.fs.Stat(); err == nil {
		u := total.CPUTotal
		t.machine = time.Duration((u.User + u.Nice + u.System + u.IRQ + u.SoftIRQ + u.Steal) * float64(time.Second))
	}
	return t
}

// ofPostgres is the time of all its processes, also of those that have ended.
func (c cpuClock) ofPostgres() time.Duration {
	if c.postmaster == 0 {
		return 0
	}
	all, err := c.fs.AllProcs()
	if err != nil {
		return 0
	}
	var sum time.Duration
	for _, p := range all {
		stat, err := p.Stat()
		switch {
		case err != nil: // it has ended, and is counted with the postmaster's from now on
		case stat.PID == c.postmaster:
			sum += ticks(stat.UTime, stat.STime, uint(max(stat.CUTime, 0)), uint(max(stat.CSTime, 0)))
		case stat.PPID == c.postmaster:
			sum += ofBackend(p, stat)
		}
	}
	return sum
}

// ofBackend is exact: many backends each do little in a stretch, and ticks are cut off.
func ofBackend(p procfs.Proc, stat procfs.ProcStat) time.Duration {
	if s, err := p.Schedstat(); err == nil {
		return time.Duration(s.RunningNanoseconds) //nolint:gosec // years would fit
	}
	return ticks(stat.UTime, stat.STime)
}

func (c cpuClock) stat(pid int) (procfs.ProcStat, bool) {
	p, err := c.fs.Proc(pid)
	if err != nil {
		return procfs.ProcStat{}, false
	}
	stat, err := p.Stat()
	return stat, err == nil
}

// ticks of the kernel's clock for user programs, which is 100 a second.
func ticks(n ...uint) (d time.Duration) {
	for _, n := range n {
		d += time.Duration(n) * 10 * time.Millisecond //nolint:gosec // years would fit
	}
	return d
}
