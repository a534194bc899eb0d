package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aifi-audit/store"
	"aifi-audit/store/pgprivate"
)

const stopTimeout = 30 * time.Second

// databaseFlags say which PostgreSQL holds the data.
type databaseFlags struct {
	DatabaseURL string `help:"PostgreSQL 15 or newer, as postgres://user:password@host/database. Without it the program runs a private one below --data-dir." env:"DATABASE_URL" placeholder:"URL"`
	DataDir     string `help:"Where the private PostgreSQL keeps its data. Default: the user's state directory, or /var/lib/aifi-audit as root." env:"AIFI_AUDIT_DATA_DIR" type:"path" placeholder:"DIR"`
}

// database is the PostgreSQL of one command.
type database struct {
	url     string
	private *pgprivate.Server // nil if it is not ours
}

// open finds or starts the database. The private one migrates itself.
func (f databaseFlags) open(env *environment) (*database, error) {
	if f.DatabaseURL != "" {
		return &database{url: f.DatabaseURL}, nil
	}
	dir := f.DataDir
	if dir == "" {
		var err error
		if dir, err = pgprivate.DefaultDataDir(); err != nil {
			return nil, err
		}
	}
	server, err := pgprivate.Start(env.ctx, pgprivate.Options{DataDir: dir, Logger: env.log})
	if err != nil {
		return nil, fmt.Errorf("starting the private PostgreSQL: %w", err)
	}
	d := &database{url: server.URL(), private: server}
	if _, err := store.Migrate(env.ctx, d.url); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// lost is closed when the private server ends, whoever owns it; nil, and so never,
// for other servers.
func (d *database) lost() <-chan struct{} {
	if d.private == nil {
		return nil
	}
	return d.private.Done()
}

func (d *database) close() error {
	if d.private == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return d.private.Close(ctx)
}

// withStore runs a command's work on the store.
func (f databaseFlags) withStore(env *environment, work func(*store.Store) error) (err error) {
	d, err := f.open(env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	s, err := store.Open(env.ctx, store.Config{DatabaseURL: d.url, Logger: env.log})
	if err != nil {
		return err
	}
	defer s.Close()
	return work(s)
}
