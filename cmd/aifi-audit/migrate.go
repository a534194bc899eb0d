package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"aifi-audit/store"
)

type migrateCommand struct {
	Up     migrateUpCommand     `cmd:"" default:"withargs" help:"Bring the schema up to date. Several at once are safe: one works, the others wait."`
	Status migrateStatusCommand `cmd:"" help:"List the migrations, and when each was applied."`
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
