package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"aifi-audit/store"
)

type migrateCommand struct {
	Up      migrateUpCommand      `cmd:"" default:"withargs" help:"Bring the schema up to date. Several at once are safe: one works, the others wait."`
	Status  migrateStatusCommand  `cmd:"" help:"List the migrations, and when each was applied."`
	Reindex migrateReindexCommand `cmd:"" help:"Build the indexes of months that are over anew, each once: they get smaller. Nobody waits for it. Where serve runs as the tables' owner, it does so at night by itself."`
}

type migrateFlags struct {
	DatabaseURL string `help:"PostgreSQL 15 or newer. The private one needs no migrate: it migrates itself." env:"DATABASE_URL" placeholder:"URL"`
}

var errNoDatabaseURL = errors.New("--database-url or DATABASE_URL is needed; the private PostgreSQL migrates itself")

type migrateUpCommand struct {
	migrateFlags
	Citus bool `help:"Then distribute the tables by store over the nodes of a Citus cluster. The extension must be there." env:"AIFI_AUDIT_CITUS"`
}

// Run migrates.
func (c migrateUpCommand) Run(env *environment) error {
	if c.DatabaseURL == "" {
		return errNoDatabaseURL
	}
	done, err := store.Migrate(env.ctx, c.DatabaseURL)
	for _, m := range done {
		fmt.Fprintln(env.stdout, "applied", m.Name)
	}
	if err != nil {
		return err
	}
	if len(done) == 0 {
		fmt.Fprintln(env.stdout, "the schema is up to date")
	}
	if !c.Citus {
		return nil
	}
	tables, err := store.Distribute(env.ctx, c.DatabaseURL)
	for _, table := range tables {
		fmt.Fprintln(env.stdout, "distributed", table)
	}
	if err == nil && len(tables) == 0 {
		fmt.Fprintln(env.stdout, "the tables are distributed")
	}
	return err
}

type migrateStatusCommand struct{ migrateFlags }

// Run lists the migrations.
func (c migrateStatusCommand) Run(env *environment) error {
	if c.DatabaseURL == "" {
		return errNoDatabaseURL
	}
	all, err := store.Migrations(env.ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	for _, m := range all {
		applied := "pending"
		if m.AppliedAt != nil {
			applied = m.AppliedAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\n", m.Version, m.Name, applied)
	}
	return w.Flush()
}

type migrateReindexCommand struct{ migrateFlags }

// Run builds indexes anew.
func (c migrateReindexCommand) Run(env *environment) error {
	if c.DatabaseURL == "" {
		return errNoDatabaseURL
	}
	var before, after int64
	err := store.Reindex(env.ctx, c.DatabaseURL, time.Now().Add(-store.SettledAfter), func(r store.Rebuilt) {
		fmt.Fprintf(env.stdout, "%s: %s, was %s\n", r.Index, megabytes(r.After), megabytes(r.Before))
		before, after = before+r.Before, after+r.After
	})
	switch {
	case err != nil:
		return err
	case before == 0:
		fmt.Fprintln(env.stdout, "there is nothing to build anew")
	default:
		fmt.Fprintf(env.stdout, "all: %s, were %s\n", megabytes(after), megabytes(before))
	}
	return nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
