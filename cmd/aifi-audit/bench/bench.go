// Package bench measures the program against what limits it, in one run.
//
// A number alone says more about the machine than about the program. So each figure
// stands beside a limit that is measured with the same rows, on the same PostgreSQL, in
// the same minute:
//
//   - What is compared takes turns: A B C, A B C, A B C. A ratio is taken within a turn,
//     so that what slows the machine for a while slows both sides of it. Of the turns the
//     median is told, with the lowest and the highest.
//   - The server is a process of its own, started as an operator would, and is spoken to
//     over HTTP. Nothing of it is switched off, but for the rate of staff.
//   - Every turn has a fresh database, and is warmed up before time is taken.
//   - Synthetic rows stand in for years of traffic only where years are needed: in search
//     and export.
//
// It works in databases of its own, which it makes and drops.
package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Config of a run.
type Config struct {
	Program     string        // path of this program, to start servers from
	DatabaseURL string        // of a PostgreSQL to make databases on; empty: a private one
	Dir         string        // where the private PostgreSQL and all else of the run lies; made, and removed; empty: the system's place
	Events      []int         // sizes at which searches are measured, ascending; exports at the largest
	Months      int           // over which those events are spread
	Requests    int           // of each page of a search
	Stores      int           // simulated shops
	Connections int           // of senders at a time
	Duration    time.Duration // of each measured stretch of ingest
	Repetitions int           // turns
	Only        []string      // measurements, of Names; none: all
	Start       time.Time     // simulated time of the first webhook
	Logger      *slog.Logger
	Progress    func(doing string) // told what is done now; may be nil
}

// Names are the measurements, in the order in which they run.
var Names = []string{"ingest", "latency", "storage", "search", "export"}

// run is what the measurements share.
type run struct {
	Config
	postgres *postgres
	report   *Report
	filled   []*filled // by size, for search and export
}

// Run measures. The report holds what was measured before an error.
func Run(ctx context.Context, c Config) (report *Report, err error) {
	r := &run{Config: c, report: &Report{Settings: settingsOf(c)}}
	if r.postgres, err = openPostgres(ctx, c); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.postgres.close()) }()
	defer func() { err = errors.Join(err, r.closeFilled()) }()
	if err := r.describe(ctx); err != nil {
		return nil, err
	}
	for _, m := range []struct {
		name    string
		measure func(context.Context) error
	}{
		{"ingest", r.ingest},
		{"latency", r.latency},
		{"storage", r.storage},
		{"search", r.search},
		{"export", r.export},
	} {
		if len(c.Only) > 0 && !slices.Contains(c.Only, m.name) {
			continue
		}
		if err := m.measure(ctx); err != nil {
			return r.report, fmt.Errorf("measuring %s: %w", m.name, err)
		}
	}
	return r.report, nil
}

func (r *run) doing(format string, args ...any) {
	if r.Progress != nil {
		r.Progress(fmt.Sprintf(format, args...))
	}
}

// warn tells, in the report, what makes its figures doubtful. Each text is told once.
func (r *run) warn(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(r.report.Warnings, text) {
		r.report.Warnings = append(r.report.Warnings, text)
	}
}
