package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib" // goose speaks database/sql
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"aifi-audit/migrations"
)

// ErrSchema says that the database's schema is not the one that this program needs.
var ErrSchema = errors.New("the database schema does not fit this program")

// ErrPlace says that the tables cannot be made in this database, or in its schema.
var ErrPlace = errors.New("the tables cannot be made here")

// Migration is one step of the schema.
type Migration struct {
	Version   int64
	Name      string
	AppliedAt *time.Time // nil if pending
}

// Migrate brings the schema up to date and returns the steps taken. Of several
// processes one does it, and the others wait. When acts of staff come to have leaves in
// the log, those that are there are adopted: see AdoptActs. ErrPlace and ErrPooler change
// nothing.
func Migrate(ctx context.Context, databaseURL string) ([]Migration, error) {
	var done []Migration
	err := withProvider(ctx, databaseURL, func(conn *sql.DB, p *goose.Provider) error {
		if err := checkPlace(ctx, conn); err != nil {
			return err
		}
		took := func(results []*goose.MigrationResult) {
			for _, r := range results {
				now := time.Now()
				done = append(done, Migration{Version: r.Source.Version, Name: r.Source.Path, AppliedAt: &now})
			}
		}
		results, err := p.UpTo(ctx, actsVersion)
		took(results)
		if err != nil {
			return err
		}
		// What is to be adopted is adopted before a later step can fail: the next run would
		// not know of it.
		if slices.ContainsFunc(done, func(m Migration) bool { return m.Version == actsVersion }) {
			if err := adoptOnce(ctx, databaseURL); err != nil {
				return fmt.Errorf("adopting what staff wrote before: %w", err)
			}
		}
		results, err = p.Up(ctx)
		took(results)
		return err
	})
	if err != nil {
		return done, fmt.Errorf("migrating the database: %w", err)
	}
	return done, nil
}

// Migrations lists the steps and whether they were taken.
func Migrations(ctx context.Context, databaseURL string) ([]Migration, error) {
	var all []Migration
	err := withProvider(ctx, databaseURL, func(conn *sql.DB, p *goose.Provider) error {
		if made, err := versioned(ctx, conn); err != nil || !made {
			for _, source := range p.ListSources() {
				all = append(all, Migration{Version: source.Version, Name: source.Path})
			}
			return err
		}
		status, err := p.Status(ctx)
		for _, st := range status {
			m := Migration{Version: st.Source.Version, Name: st.Source.Path}
			if st.State == goose.StateApplied {
				at := st.AppliedAt
				m.AppliedAt = &at
			}
			all = append(all, m)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the state of the schema: %w", err)
	}
	return all, nil
}

// CheckSchema returns ErrSchema if the schema is behind or ahead of this program.
func CheckSchema(ctx context.Context, databaseURL string) error {
	return withProvider(ctx, databaseURL, func(conn *sql.DB, p *goose.Provider) error {
		made, err := versioned(ctx, conn)
		if err != nil {
			return fmt.Errorf("reading the state of the schema: %w", known(err))
		}
		if !made {
			return fmt.Errorf("%w: its tables are not there, or this role may not see them; run `aifi-audit migrate up` as the role that is to own them", ErrSchema)
		}
		have, want, err := p.GetVersions(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("reading the state of the schema: %w", known(err))
		case have < want:
			return fmt.Errorf("%w: it has version %d, and %d is needed; run `aifi-audit migrate up`", ErrSchema, have, want)
		case have > want:
			return fmt.Errorf("%w: it has version %d, and this program knows only %d; run a newer program", ErrSchema, have, want)
		}
		return nil
	})
}

// versioned reports whether there is a table of the steps that were taken. Who only looks
// must not make it, as goose would: the database may be another program's.
func versioned(ctx context.Context, conn *sql.DB) (made bool, err error) {
	err = conn.QueryRowContext(ctx, "SELECT to_regclass('goose_db_version') IS NOT NULL").Scan(&made)
	return made, err
}

// checkPlace is ErrPlace if the tables cannot be made in a database that has none of them
// yet. One that was migrated before is left as it is.
func checkPlace(ctx context.Context, conn *sql.DB) error {
	if made, err := versioned(ctx, conn); err != nil || made {
		return err
	}
	var database, encoding, schema, quoted string
	err := conn.QueryRowContext(ctx, `SELECT current_database(), current_setting('server_encoding'), coalesce(current_schema(), ''), quote_ident(coalesce(current_schema(), ''))`).
		Scan(&database, &encoding, &schema, &quoted)
	switch {
	case err != nil:
		return err
	case encoding != "UTF8":
		return fmt.Errorf("%w: the encoding of %s is %s, which cannot hold all that AiFi may send; make another one with ENCODING 'UTF8' TEMPLATE template0", ErrPlace, database, encoding)
	case schema == "":
		return fmt.Errorf("%w: no schema of the role's search_path is there, or it may not be used", ErrPlace)
	case schema != quoted:
		return fmt.Errorf("%w: the schema %s, the first of the role's search_path, has a name that SQL must quote; take one of lower-case letters, digits and _", ErrPlace, quoted)
	}
	return nil
}

func withProvider(ctx context.Context, databaseURL string, use func(*sql.DB, *goose.Provider) error) error {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return fmt.Errorf("reading the database URL: %w", err)
	}
	settle(config, map[string]string{"application_name": "aifi-audit"})
	if err := refusePooler(ctx, config); err != nil {
		return known(err)
	}
	conn := stdlib.OpenDB(*config)
	defer func() { _ = conn.Close() }()
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, conn, migrations.FS, goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	return use(conn, provider)
}
