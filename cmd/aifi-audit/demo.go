package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"aifi-audit/cmd/aifi-audit/simulator"
	"aifi-audit/store"
)

type demoCommand struct {
	Listen string  `help:"Address to listen on. Port 0 takes a free one." default:"127.0.0.1:8080" env:"AIFI_AUDIT_LISTEN"`
	Rate   float64 `help:"Simulated webhooks a second." default:"5" env:"AIFI_AUDIT_DEMO_RATE"`
	Stores int     `help:"Simulated shops." default:"3" env:"AIFI_AUDIT_DEMO_STORES"`
}

// demoPast is how many webhooks the demo has at its start, and over which time.
const (
	demoPast     = 2000
	demoPastTime = 24 * time.Hour
)

// Run serves from a temporary database, which is gone afterwards.
func (c demoCommand) Run(env *environment) (err error) {
	if c.Rate <= 0 || c.Stores < 1 {
		return errors.New("--rate and --stores must be positive")
	}
	dir, err := os.MkdirTemp("", "aifi-audit-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// As root, the private PostgreSQL runs as another user, who must pass through.
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // passable, not readable
		return err
	}
	fmt.Fprintln(env.stderr, "Starting a private PostgreSQL; this takes a few seconds.")
	serve := serveCommand{databaseFlags: databaseFlags{DataDir: dir + "/data"}, Listen: c.Listen, Spool: true, KeepRefused: refusedMost}
	return serve.serve(env, func(address string, s *store.Store) error {
		select {
		case <-s.Connected():
		case <-env.ctx.Done():
			return env.ctx.Err()
		}
		ingest, err := s.CreateToken(env.ctx, "demo shops", []store.Right{store.MayIngest}, nil, nil)
		if err != nil {
			return err
		}
		staff, err := s.CreateToken(env.ctx, "demo staff", []store.Right{store.MayRead, store.MayExport, store.MayReview, store.MayAdminister}, nil, nil)
		if err != nil {
			return err
		}
		url := "http://" + address
		past := simulator.New(simulator.Config{
			Seed: 1, Stores: c.Stores, Start: time.Now().Add(-demoPastTime), Rate: demoPast / demoPastTime.Seconds(), Malformed: 0.01,
		})
		simulator.Run(env.ctx, past, simulator.RunConfig{URL: url, Token: ingest, Count: demoPast})
		fmt.Fprintf(env.stdout, demoText, url, url, staff, staff, url, url, url)
		live := simulator.New(simulator.Config{Seed: 2, Stores: c.Stores, Start: time.Now(), Rate: c.Rate, Malformed: 0.01})
		simulator.Run(env.ctx, live, simulator.RunConfig{URL: url, Token: ingest, OnTime: true, Connections: 4})
		return nil
	})
}

const demoText = `
aifi-audit listens on %s and receives the webhooks of simulated shops.

Look at them:  %s
Sign in with:  %s

Or, in another terminal:

  TOKEN=%s
  curl -H "Authorization: Bearer $TOKEN" "%s/api/v1/alcohol-interactions?limit=3"
  curl -H "Authorization: Bearer $TOKEN" "%s/api/v1/fraud-alerts?limit=3"
  curl -H "Authorization: Bearer $TOKEN" "%s/api/v1/alcohol-interactions.csv" -o alcohol.csv

Ctrl-C stops it and removes its data.
`
