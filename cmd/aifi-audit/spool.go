package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"aifi-audit/store"
	"aifi-audit/store/pgprivate"
)

type spoolCommand struct {
	Status spoolStatusCommand `cmd:"" help:"Say how much waits in the spool, since when, and whether anything is damaged."`
	Verify spoolVerifyCommand `cmd:"" help:"Check every record of the spool. The exit code is 1 if any is damaged."`
	Drain  spoolDrainCommand  `cmd:"" help:"Record what waits into the database, without a server, and end when the spool is empty."`
	Export spoolExportCommand `cmd:"" help:"Write what waits as JSON, one delivery a line."`
}

// Help is shown by --help.
func (spoolCommand) Help() string {
	return `While the database is away or slow, "serve" keeps webhooks in a spool on local disk: the
folder "spool" of its data directory. It records them by itself as soon as it can, so
none of these commands is needed in ordinary times.

What comes while the database cannot even be asked for its token waits in the folder
"undecided" beside it. These commands look there too.

"status", "verify" and "export" change nothing, and work while a server runs. What a
server has recorded stays in the spool's files until a whole file is done, so it may
still be counted. "drain" is for when no server runs.`
}

// spoolFlags say which spool.
type spoolFlags struct {
	DataDir string `help:"The data directory of the server. Default: the user's state directory, or /var/lib/aifi-audit as root." env:"AIFI_AUDIT_DATA_DIR" type:"path" placeholder:"DIR"`
}

func (f spoolFlags) local() (store.Local, error) {
	dir := f.DataDir
	if dir == "" {
		var err error
		if dir, err = pgprivate.DefaultDataDir(); err != nil {
			return store.Local{}, err
		}
	}
	return store.Local{Dir: dir}, nil
}

// inspect reads the spool, with a bar.
func (f spoolFlags) inspect(env *environment, what string, each func(store.SpooledDelivery) error) (store.Local, store.SpoolReport, error) {
	local, err := f.local()
	if err != nil {
		return local, store.SpoolReport{}, err
	}
	b := newBar(env, 1, what, "bytes")
	report, err := store.InspectSpool(env.ctx, local, each, b.set)
	b.end()
	return local, report, noSpool(local, err)
}

// noSpool says so if that is what an error means.
func noSpool(local store.Local, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no spool in %s: no server has kept anything there, or --data-dir should name another directory", local.Dir)
	}
	return err
}

type spoolStatusCommand struct{ spoolFlags }

// Run prints the state of the spool.
func (c spoolStatusCommand) Run(env *environment) error {
	local, report, err := c.inspect(env, "reading the spool", nil)
	if err != nil {
		return err
	}
	return writeSpoolReport(env, local, report)
}

func writeSpoolReport(env *environment, local store.Local, r store.SpoolReport) error {
	w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "spool\t%s\n", local.SpoolDir())
	fmt.Fprintf(w, "deliveries\t%d\n", r.Records-r.NotDeliveries-r.Undecided)
	if r.Undecided > 0 {
		fmt.Fprintf(w, "undecided\t%d\n", r.Undecided)
	}
	fmt.Fprintf(w, "files\t%d, %d bytes\n", r.Segments, r.Bytes)
	if r.Records > 0 {
		fmt.Fprintf(w, "oldest\t%s, %s ago\n", r.Oldest.UTC().Format(time.RFC3339), time.Since(r.Oldest).Round(time.Second))
		fmt.Fprintf(w, "newest\t%s\n", r.Newest.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(w, "damaged\t%d, %d bytes\n", r.Damaged, r.DamagedBytes)
	if r.NotDeliveries > 0 {
		fmt.Fprintf(w, "no deliveries\t%d\n", r.NotDeliveries)
	}
	if r.Unreadable > 0 {
		fmt.Fprintf(w, "unreadable\t%d files\n", r.Unreadable)
	}
	fmt.Fprintf(w, "torn\t%d, %d bytes\n", r.Torn, r.TornBytes)
	fmt.Fprintf(w, "set aside\t%d, %d bytes\n", r.AsideFiles, r.AsideBytes)
	return w.Flush()
}

type spoolVerifyCommand struct{ spoolFlags }

// Help is shown by --help.
func (spoolVerifyCommand) Help() string {
	return `Reads all records, compares their checksums, and decodes each as a delivery.

A torn record is one that was being written when the program was killed, or is being
written now. It was never answered, so nothing is lost with it. "set aside" is what a
server found damaged earlier; the bytes lie in the folder "damaged" of the spool, for
somebody to look at. Delete them there when they are no longer needed.`
}

// Run fails if anything is damaged.
func (c spoolVerifyCommand) Run(env *environment) error {
	local, report, err := c.inspect(env, "verifying the spool", nil)
	if err != nil {
		return err
	}
	if err := writeSpoolReport(env, local, report); err != nil {
		return err
	}
	if report.Damage() {
		return errors.New("the spool holds damaged records")
	}
	return nil
}

type spoolDrainCommand struct {
	databaseFlags
	Wait time.Duration `help:"How long to wait for the database." default:"1m" env:"AIFI_AUDIT_SPOOL_DRAIN_WAIT"`
}

// Help is shown by --help.
func (spoolDrainCommand) Help() string {
	return `For when the server is gone for good, or before its data directory is given up. Each
delivery keeps its id and its time of receipt, and is recorded as a server would.
Draining can be interrupted, and started again: nothing is recorded twice.

A server that runs drains by itself, and this command then says so.`
}

// drainTick is how often it is looked whether the spool is empty.
const drainTick = 100 * time.Millisecond

// Run drains the spool.
func (c spoolDrainCommand) Run(env *environment) (err error) {
	dir, err := c.dataDir()
	if err != nil {
		return err
	}
	local := store.Local{Dir: dir}
	if _, err := os.Stat(local.SpoolDir()); err != nil {
		return noSpool(local, err)
	}
	// The database is started only when the spool is ours, and stopped after the Store.
	var url string
	end := func() error { return nil }
	defer func() { err = errors.Join(err, end()) }()
	start := func(ctx context.Context) (_ string, err error) {
		if url == "" {
			var stop func() error
			if url, stop, err = c.open(ctx, env); err == nil {
				end = stop
			}
		}
		return url, err
	}
	s, err := store.Open(env.ctx, store.Config{
		Database: start, Logger: env.log, Local: &local, Refusals: store.Refusals{Most: refusedMost, MostBytes: refusedBytes},
	})
	if errors.Is(err, store.ErrSpoolInUse) {
		return fmt.Errorf("a server uses the spool in %s, and drains it by itself: see aifi-audit spool status", dir)
	}
	if err != nil {
		return err
	}
	defer s.Close()
	waiting, cancel := context.WithTimeout(env.ctx, c.Wait)
	defer cancel()
	select {
	case <-s.Connected():
	case <-waiting.Done():
		return errors.Join(env.ctx.Err(), fmt.Errorf("the database did not come within %s; all is still in the spool", c.Wait))
	}
	return c.drain(env, s, local)
}

func (spoolDrainCommand) drain(env *environment, s *store.Store, local store.Local) error {
	b := newBar(env, 1, "draining the spool", "deliveries")
	defer b.end()
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for {
		st, undecided := s.Spool(), s.Undecided()
		recorded, left := st.Drained+undecided.Recorded, st.Records+undecided.Records
		b.set(recorded, recorded+left)
		if left == 0 && !st.Counting && !undecided.Counting {
			fmt.Fprintf(env.stdout, "recorded %d deliveries; the spool is empty\n", recorded)
			for _, why := range slices.Sorted(maps.Keys(undecided.Refused)) {
				if n := undecided.Refused[why]; n > 0 {
					fmt.Fprintf(env.stdout, "refused %d webhooks: %s\n", n, why)
				}
			}
			return errors.Join(damagedIn(st, local.SpoolDir()), damagedIn(undecided.SpoolStats, local.UndecidedDir()))
		}
		select {
		case <-tick.C:
		case <-env.ctx.Done():
			return fmt.Errorf("interrupted after %d deliveries; %d are still in the spool", recorded, left)
		}
	}
}

// damagedIn is an error if anything of a spool was damaged.
func damagedIn(st store.SpoolStats, dir string) error {
	if st.Damaged == 0 {
		return nil
	}
	return fmt.Errorf("%d damaged records were set aside, in %s", st.Damaged, filepath.Join(dir, "damaged"))
}
