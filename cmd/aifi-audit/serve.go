package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"aifi-audit/httpapi"
	"aifi-audit/store"
)

type serveCommand struct {
	databaseFlags
	logFlags
	Listen  string `help:"Address to listen on. Port 0 takes a free one. Put a proxy with TLS before it to serve others than this machine." default:"127.0.0.1:8080" env:"AIFI_AUDIT_LISTEN"`
	MaxBody int64  `help:"Bytes of a webhook's body to keep. Of a longer one the first part is kept." default:"1048576" env:"AIFI_AUDIT_MAX_BODY"`
}

// Run serves until the context ends.
func (c serveCommand) Run(env *environment) error {
	if c.MaxBody < 1 {
		return errors.New("--max-body must be at least 1")
	}
	return c.serve(env, func(address string, _ *store.Store) error {
		_, err := fmt.Fprintf(env.stdout, "listening on http://%s\n", address)
		return err
	})
}

// serve listens first, so that a taken port is told at once; ready is called when
// requests are answered.
func (c serveCommand) serve(env *environment, ready func(address string, s *store.Store) error) (err error) {
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	d, err := c.open(env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	log, err := c.logFlags.config(env, c.databaseFlags, d.private != nil)
	if err != nil {
		return err
	}
	s, err := store.Open(env.ctx, store.Config{DatabaseURL: d.url, Logger: env.log, Metrics: store.NewMetrics(registry), Log: log})
	if err != nil {
		return err
	}
	defer s.Close()
	api := httpapi.New(httpapi.Config{Store: s, Logger: env.log, Registry: registry, MaxBody: c.MaxBody, Version: version()})
	server := httpapi.NewServer(api, env.log)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	err = ready(listener.Addr().String(), s)
	if err == nil {
		select {
		case err = <-served:
			return err
		case <-d.lost():
			err = errors.New("the private PostgreSQL has ended; see postgres.log in the data directory")
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
