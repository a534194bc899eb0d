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

// dataDir is where the program keeps what is its own.
func (f databaseFlags) dataDir() (string, error) {
	if f.DataDir != "" {
		return f.DataDir, nil
	}
	return pgprivate.DefaultDataDir()
}

// open gives the URL of the database, which it starts if it is the private one, and
// what ends its use. The private one migrates itself.
func (f databaseFlags) open(ctx context.Context, env *environment) (url string, end func() error, err error) {
	if f.DatabaseURL != "" {
		return f.DatabaseURL, func() error { return nil }, nil
	}
	dir, err := f.dataDir()
	if err != nil {
		return "", nil, err
	}
	if !pgprivate.Made(dir) {
		env.log.Warn("DATABASE_URL is not set, and there is no database in the data directory yet: a new private one is made", "data_dir", dir)
	}
	server, err := f.start(ctx, env)
	if err != nil {
		return "", nil, err
	}
	return server.URL(), func() error { return closePrivate(server) }, nil
}

// start starts the private PostgreSQL.
func (f databaseFlags) start(ctx context.Context, env *environment) (*pgprivate.Server, error) {
	dir, err := f.dataDir()
	if err != nil {
		return nil, err
	}
	server, err := pgprivate.Start(ctx, pgprivate.Options{DataDir: dir, Logger: env.log})
	if err != nil {
		return nil, fmt.Errorf("starting the private PostgreSQL: %w", err)
	}
	if _, err := store.Migrate(ctx, server.URL()); err != nil {
		return nil, errors.Join(err, closePrivate(server))
	}
	return server, nil
}

func closePrivate(server *pgprivate.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return server.Close(ctx)
}

// withStore runs a command's work on the store.
func (f databaseFlags) withStore(env *environment, work func(*store.Store) error) error {
	return f.withLog(env, store.LogConfig{}, work)
}

// withLog is withStore for work that needs the log.
func (f databaseFlags) withLog(env *environment, log store.LogConfig, work func(*store.Store) error) (err error) {
	url, end, err := f.open(env.ctx, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	s, err := store.Open(env.ctx, store.Config{DatabaseURL: url, Logger: env.log, Log: log})
	if err != nil {
		return err
	}
	defer s.Close()
	return work(s)
}
