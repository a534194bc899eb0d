package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"aifi-audit/cmd/aifi-audit/bench"
)

type benchCommand struct {
	DatabaseURL string `help:"A database of the PostgreSQL to measure on, whose role may make databases: the benchmark works in its own. Without it, a private one is started for the run." env:"AIFI_AUDIT_BENCH_DATABASE_URL" placeholder:"URL"`
	Dir         string `help:"Where the private PostgreSQL's data and all other files lie for the time of the run. Default: the system's directory for temporary files." env:"AIFI_AUDIT_BENCH_DIR" type:"existingdir"`

	Only        []string      `help:"Measure only these: ${benchmarks}." env:"AIFI_AUDIT_BENCH_ONLY" enum:"${benchmarks}" placeholder:"NAME,..."`
	Events      []number      `help:"Events in the databases that are searched, as 1e5,1e6: what a page takes should not depend on it." default:"1e5,1e6" env:"AIFI_AUDIT_BENCH_EVENTS" placeholder:"N,..."`
	Months      int           `help:"Over which these events are spread." default:"3" env:"AIFI_AUDIT_BENCH_MONTHS"`
	Requests    int           `help:"Requests for each page." default:"100" env:"AIFI_AUDIT_BENCH_REQUESTS"`
	Stores      int           `help:"Simulated shops." default:"100" env:"AIFI_AUDIT_BENCH_STORES"`
	Connections int           `help:"Senders at a time." default:"128" env:"AIFI_AUDIT_BENCH_CONNECTIONS"`
	Duration    time.Duration `help:"Of each stretch of ingest." default:"10s" env:"AIFI_AUDIT_BENCH_DURATION"`
	Repetitions int           `help:"Turns. What is compared takes turns, and the median counts." default:"3" env:"AIFI_AUDIT_BENCH_REPETITIONS"`
	JSON        string        `help:"Also write the report to this file, as JSON. - is standard output, in place of the text." name:"json" env:"AIFI_AUDIT_BENCH_JSON" placeholder:"FILE"`
}

const leastEvents = 1000

// number is a flag that is a whole number, also written as 1e6.
type number int

// UnmarshalText reads it.
func (n *number) UnmarshalText(text []byte) error {
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || v != math.Trunc(v) || math.Abs(v) > 1e9 {
		return fmt.Errorf("%q is no whole number up to 1e9", text)
	}
	*n = number(v)
	return nil
}

// Help is shown by --help.
func (benchCommand) Help() string {
	return `Each figure stands beside a limit that is measured in the same run, in turns: what the
same PostgreSQL, or the same machine, can do at most. Nothing else should run meanwhile.
A PostgreSQL that is given must not be in use: databases are made on it, and dropped.`
}

// Run measures, and prints what was measured even if not all could be.
func (c benchCommand) Run(env *environment) error {
	var events []int
	for _, n := range c.Events {
		events = append(events, int(n))
	}
	if c.Stores < 1 || c.Months < 1 || c.Requests < 1 || len(events) == 0 || slices.Min(events) < leastEvents || c.Connections < 1 || c.Duration <= 0 || c.Repetitions < 1 {
		return errors.New("--stores, --months, --connections, --duration, --repetitions and --requests must be positive, and --events at least 1000")
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	b := newBar(env, -1, "starting", "steps")
	report, err := bench.Run(env.ctx, bench.Config{
		Program: program, DatabaseURL: c.DatabaseURL, Dir: c.Dir, Only: c.Only,
		Events: slices.Sorted(slices.Values(events)), Months: c.Months, Requests: c.Requests, Stores: c.Stores, Connections: c.Connections,
		Duration: c.Duration, Repetitions: c.Repetitions, Start: time.Now(), Logger: env.log,
		Progress: func(doing string) { b.describe(doing); b.add(1) },
	})
	b.end()
	if report == nil {
		return err
	}
	if c.JSON != "-" {
		err = errors.Join(err, report.WriteText(env.stdout))
	}
	if c.JSON != "" {
		err = errors.Join(err, writeFile(env, c.JSON, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(report)
		}))
	}
	return err
}

// benchPeerCommand is the other side of some comparisons, in a process of its own.
type benchPeerCommand struct {
	DatabaseURL string `help:"A database with the table of bodies." env:"AIFI_AUDIT_BENCH_PEER_DATABASE_URL"`
	Connections int    `help:"To PostgreSQL." default:"1" env:"AIFI_AUDIT_BENCH_PEER_CONNECTIONS"`
}

// Run serves until the context ends.
func (c benchPeerCommand) Run(env *environment) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(env.stdout, "listening on http://%s\n", listener.Addr()); err != nil {
		return err
	}
	return bench.ServePeer(env.ctx, listener, c.DatabaseURL, c.Connections)
}
