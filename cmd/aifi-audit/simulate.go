package main

import (
	"errors"
	"fmt"
	"time"

	"aifi-audit/cmd/aifi-audit/simulator"
)

type simulateCommand struct {
	URL         string        `help:"The server, for example http://127.0.0.1:8080." required:"" env:"AIFI_AUDIT_URL"`
	Token       string        `help:"A token with scope ingest." required:"" env:"AIFI_AUDIT_TOKEN"`
	Rate        float64       `help:"Webhooks a second. 0 is as fast as the server answers." default:"10" env:"AIFI_AUDIT_SIMULATE_RATE"`
	Duration    time.Duration `help:"How long. 0 is until Ctrl-C." default:"1m" env:"AIFI_AUDIT_SIMULATE_DURATION"`
	Count       int           `help:"How many webhooks. 0 is no limit." env:"AIFI_AUDIT_SIMULATE_COUNT"`
	Stores      int           `help:"Simulated shops." default:"3" env:"AIFI_AUDIT_SIMULATE_STORES"`
	Connections int           `help:"Connections at a time." default:"32" env:"AIFI_AUDIT_SIMULATE_CONNECTIONS"`
	Malformed   float64       `help:"Share of malformed bodies, from 0 to 1." env:"AIFI_AUDIT_SIMULATE_MALFORMED"`
	Seed        uint64        `help:"The same seed and start make the same traffic." default:"1" env:"AIFI_AUDIT_SIMULATE_SEED"`
	Start       time.Time     `help:"Simulated time of the first webhook (RFC 3339). Default: now." env:"AIFI_AUDIT_SIMULATE_START"`
}

// Run simulates, and fails if any webhook was not kept.
func (c simulateCommand) Run(env *environment) error {
	if c.Rate < 0 || c.Stores < 1 || c.Connections < 1 || c.Malformed < 0 || c.Malformed > 1 || c.Count < 0 || c.Duration < 0 {
		return errors.New("--rate, --count and --duration must not be negative, --stores and --connections must be positive, and --malformed lies between 0 and 1")
	}
	if c.Start.IsZero() {
		c.Start = time.Now()
	}
	shops := simulator.New(simulator.Config{Seed: c.Seed, Stores: c.Stores, Start: c.Start, Rate: c.Rate, Malformed: c.Malformed})
	report := simulator.Run(env.ctx, shops, simulator.RunConfig{
		URL: c.URL, Token: c.Token, Rate: c.Rate, Duration: c.Duration, Count: c.Count, Connections: c.Connections,
	})
	if err := report.WriteText(env.stdout); err != nil {
		return err
	}
	if report.Failed > 0 {
		return fmt.Errorf("%d webhooks got no answer; the last: %w", report.Failed, report.LastError)
	}
	return nil
}
