package storetest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Cost is what something took. On a machine with other work the processors' time says
// more than the time on the wall.
type Cost struct {
	Wall              time.Duration
	Program, Database time.Duration // of processors
}

// Processors is the time of all processors.
func (c Cost) Processors() time.Duration { return c.Program + c.Database }

// CostOf measures f, in this process and in all of the database's server.
func CostOf(b *testing.B, url string, f func()) Cost {
	b.Helper()
	server := postmaster(b, url)
	before := Cost{0, processTime(b, os.Getpid()), serverTime(b, server)}
	start := time.Now()
	f()
	return Cost{time.Since(start), processTime(b, os.Getpid()) - before.Program, serverTime(b, server) - before.Database}
}

// postmaster is the process id of a database's server, which is a parent of sessions.
func postmaster(b *testing.B, url string) int {
	b.Helper()
	pid, err := strconv.Atoi(Query(b, url, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")[0])
	if err != nil {
		b.Fatal(err)
	}
	return processStat(b, pid).parent
}

// serverTime is that of a server and of its sessions, with those that have ended.
func serverTime(b *testing.B, server int) time.Duration {
	b.Helper()
	total := processStat(b, server)
	sum := total.own + total.children
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	for _, file := range files {
		if s, ok := parseStat(file); ok && s.parent == server {
			sum += s.own
		}
	}
	return sum
}

func processTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	return processStat(b, pid).own
}

type stat struct {
	parent        int
	own, children time.Duration
}

func processStat(b *testing.B, pid int) stat {
	b.Helper()
	s, ok := parseStat("/proc/" + strconv.Itoa(pid) + "/stat")
	if !ok {
		b.Fatal("the time of processes can be measured on Linux only, and with a server on this machine")
	}
	return s
}

// parseStat reads proc(5)'s stat: a parenthesis ends the name, which may hold anything.
func parseStat(file string) (stat, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return stat{}, false // it has ended
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const parent, user, childrenUser = 1, 11, 13 // each followed by that of the system
	if len(fields) < 15 {
		return stat{}, false
	}
	ticks := func(i int) time.Duration {
		n, _ := strconv.ParseInt(fields[i], 10, 64)
		return time.Duration(n) * 10 * time.Millisecond
	}
	id, _ := strconv.Atoi(fields[parent])
	return stat{id, ticks(user) + ticks(user+1), ticks(childrenUser) + ticks(childrenUser+1)}, true
}
