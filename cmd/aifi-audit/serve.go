package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"aifi-audit/httpapi"
	"aifi-audit/store"
)

type serveCommand struct {
	databaseFlags
	logFlags
	anchorFlags
	limitFlags
	Listen   string   `help:"Address to listen on. Port 0 takes a free one. Put a proxy with TLS before it to serve others than this machine." default:"127.0.0.1:8080" env:"AIFI_AUDIT_LISTEN"`
	TimeZone timeZone `help:"IANA name of the time zone of stores that have none of their own, for example Europe/London." default:"UTC" env:"AIFI_AUDIT_TIME_ZONE"`

	DatabaseReadURL    string        `help:"A streaming replica of the database, which staff's searches and exports then read from. While it cannot be used, they read from the database itself." env:"DATABASE_READ_URL" placeholder:"URL"`
	DatabaseReadMaxLag time.Duration `help:"How far the replica may be behind, and still be read from." default:"30s" env:"AIFI_AUDIT_DATABASE_READ_MAX_LAG"`

	PublicURL string `help:"Address at which staff reach this server through a proxy with TLS, as https://audit.example.com. Their cookies are then sent over TLS only." env:"AIFI_AUDIT_PUBLIC_URL"`

	Spool          bool          `help:"Keep webhooks below --data-dir while the database is away or slow." default:"true" negatable:"" env:"AIFI_AUDIT_SPOOL"`
	SpoolMaxBytes  int64         `help:"The most that the spool may take on disk." default:"10737418240" env:"AIFI_AUDIT_SPOOL_MAX_BYTES"`
	CommitDeadline time.Duration `help:"How long a webhook waits for the database before it is spooled." default:"1s" env:"AIFI_AUDIT_COMMIT_DEADLINE"`
	TokenGrace     time.Duration `help:"How long the tokens known stay good while the database is away." default:"168h" env:"AIFI_AUDIT_TOKEN_GRACE"`
	Retention      bool          `help:"Remove each night, between 2 and 5 UTC, what is older than its retention policy and not on legal hold. Without a policy that is nothing." default:"true" negatable:"" env:"AIFI_AUDIT_RETENTION"`
	Reindex        bool          `help:"Build the indexes of months that have been over for a week anew, each once, at the same time of night: they get smaller. Only the owner of the tables may." default:"true" negatable:"" env:"AIFI_AUDIT_REINDEX"`
	KeepRefused    int           `help:"How many of the newest webhooks without a good token are kept apart, for an admin to replay. 0 keeps none." default:"${refusedMost}" env:"AIFI_AUDIT_KEEP_REFUSED"`
}

// timeZone is a flag that is a time zone.
type timeZone struct{ *time.Location }

// UnmarshalText reads an IANA name.
func (z *timeZone) UnmarshalText(name []byte) (err error) {
	z.Location, err = time.LoadLocation(string(name))
	return err
}

// Run serves until the context ends.
func (c serveCommand) Run(env *environment) error {
	collectLess()
	if c.SpoolMaxBytes < 1 || c.CommitDeadline <= 0 || c.TokenGrace <= 0 || c.KeepRefused < 0 {
		return errors.New("--spool-max-bytes, --commit-deadline and --token-grace must be positive, and --keep-refused must not be negative")
	}
	if c.DatabaseReadMaxLag <= 0 {
		return errors.New("--database-read-max-lag must be positive")
	}
	if err := c.check(); err != nil {
		return err
	}
	if _, err := c.publicURL(); err != nil {
		return err
	}
	if _, err := c.anchorConfig(); err != nil {
		return err
	}
	// Nobody may be there any more who reads what is logged, or its disk may be full.
	signal.Ignore(syscall.SIGPIPE)
	defer env.logAside()()
	return c.serve(env, func(address string, _ *store.Store) error {
		if _, err := fmt.Fprintf(env.stdout, "listening on http://%s\n", address); err != nil {
			env.log.Warn("cannot be written to standard output", "listening", "http://"+address, "error", err)
		}
		return nil
	})
}

// publicURL is nil unless it is set.
func (c serveCommand) publicURL() (*url.URL, error) {
	if c.PublicURL == "" {
		return nil, nil
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, errors.New("--public-url must be a scheme and a host, as https://audit.example.com")
	}
	return u, nil
}

// serve listens first, so that a taken port is told at once; ready is called when
// requests are answered.
func (c serveCommand) serve(env *environment, ready func(address string, s *store.Store) error) (err error) {
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	config := store.Config{DatabaseURL: c.DatabaseURL, Logger: env.log, Metrics: store.NewMetrics(registry), TimeZone: c.TimeZone.Location}
	config.Nightly = store.Nightly{Retention: c.Retention, Reindex: c.Reindex}
	config.ReadURL, config.ReadMaxLag = c.DatabaseReadURL, c.DatabaseReadMaxLag
	config.Refusals = store.Refusals{Most: c.KeepRefused, MostBytes: refusedBytes}
	if config.Local, err = c.local(); err != nil {
		return err
	}
	if config.Log, err = c.config(env, c.databaseFlags, c.DatabaseURL == ""); err != nil {
		if c.LogKey != "" {
			return err
		}
		config.Log = c.unsigned(env, c.databaseFlags, err)
	}
	anchors, err := c.anchors(env, registry, config.Log.Signer != nil)
	if err != nil {
		return err
	}
	config.Log.Published = anchors.Published
	defer anchors.Flush()
	if c.DatabaseURL == "" {
		private := keep(c.databaseFlags, env)
		defer func() { err = errors.Join(err, private.close()) }()
		config.Database = private.URL
	}
	s, err := store.Open(env.ctx, config)
	if err != nil {
		return err
	}
	defer s.Close()
	defer anchors.Start(env.ctx, s)()
	public, err := c.publicURL()
	if err != nil {
		return err
	}
	api := httpapi.New(httpapi.Config{
		Store: s, Logger: env.log, Registry: registry, MaxBody: c.MaxBody, Limits: withinFiles(c.limits(), env.log), Version: version(), PublicURL: public,
		Anchors: anchors,
	})
	server := api.Server()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	err = ready(listener.Addr().String(), s)
	if err == nil {
		select {
		case err = <-served:
			return err
		case <-env.ctx.Done():
		}
	}
	// Requests under way are finished, and with them their commits.
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if stopErr := server.Shutdown(ctx); stopErr != nil {
		err = errors.Join(err, stopErr, server.Close())
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}

const (
	refusedMost  = 1000     // refused webhooks that are kept, unless told otherwise
	refusedBytes = 32 << 20 // what their bodies may take together
)

// local is where webhooks are kept while the database is away; nil if nowhere.
func (c serveCommand) local() (*store.Local, error) {
	if !c.Spool {
		return nil, nil
	}
	dir, err := c.dataDir()
	if err != nil {
		return nil, err
	}
	// The user of a private PostgreSQL must pass through; what lies below is closed.
	// Without it there is no spool, which a server with a database of its own can do without.
	if err := os.MkdirAll(dir, 0o711); err != nil && c.DatabaseURL == "" { //nolint:gosec // passable, not readable
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	return &store.Local{Dir: dir, SpoolBytes: c.SpoolMaxBytes, CommitDeadline: c.CommitDeadline, TokenGrace: c.TokenGrace, Optional: true}, nil
}
