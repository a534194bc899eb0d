package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

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

	Verify      bool          `help:"Afterwards, read back all that was acknowledged, and fail unless it is there." env:"AIFI_AUDIT_SIMULATE_VERIFY"`
	VerifyToken string        `help:"A token with scope read, not limited to stores. Default: that of --token." env:"AIFI_AUDIT_SIMULATE_VERIFY_TOKEN"`
	VerifyWait  time.Duration `help:"How long what is in the spool may take until it is recorded." default:"2m" env:"AIFI_AUDIT_SIMULATE_VERIFY_WAIT"`
}

// Help is shown by --help.
func (simulateCommand) Help() string {
	return `What is sent stays: simulate into a test database.

With --verify, each delivery that the server said it keeps (the answers with a
deliveryId, also those of malformed bodies) is read back by its id and compared byte for
byte. The events of the three webhooks that have lists are searched for, and nothing may
be listed twice, or be there that was not sent. It takes two requests a delivery.`
}

// Run simulates, and fails if any webhook got no answer or, with --verify, is not kept
// as it was acknowledged.
func (c simulateCommand) Run(env *environment) error {
	if c.Rate < 0 || c.Stores < 1 || c.Connections < 1 || c.Malformed < 0 || c.Malformed > 1 || c.Count < 0 || c.Duration < 0 {
		return errors.New("--rate, --count and --duration must not be negative, --stores and --connections must be positive, and --malformed lies between 0 and 1")
	}
	if c.Start.IsZero() {
		c.Start = time.Now()
	}
	shops := simulator.New(simulator.Config{Seed: c.Seed, Stores: c.Stores, Start: c.Start, Rate: c.Rate, Malformed: c.Malformed})
	ledger := new(simulator.Ledger)
	config := simulator.RunConfig{
		URL: c.URL, Token: c.Token, Rate: c.Rate, Duration: c.Duration, Count: c.Count, Connections: c.Connections, RunID: "simulate-" + uuid.NewString(),
	}
	if c.Verify {
		config.Answered = ledger.Add
	}
	report := c.send(env, shops, config)
	if err := report.WriteText(env.stdout); err != nil {
		return err
	}
	var err error
	if c.Verify {
		err = c.verify(env, ledger, config.RunID)
	}
	if report.Failed > 0 {
		err = errors.Join(err, fmt.Errorf("%d webhooks got no answer; the last: %w", report.Failed, report.LastError))
	}
	return err
}

// send runs the shops, with a bar.
func (c simulateCommand) send(env *environment, shops *simulator.Shops, config simulator.RunConfig) simulator.Report {
	total := int64(c.Count)
	if total == 0 {
		total = int64(c.Rate * c.Duration.Seconds())
	}
	if total == 0 {
		total = -1
	}
	b := newBar(env, total, "sending", "webhooks")
	defer b.end()
	shown := 0
	config.Progress = func(r simulator.Report) {
		b.add(r.Sent - shown)
		shown = r.Sent
		if r.Failed > 0 {
			b.describe(fmt.Sprintf("sending (%d without an answer)", r.Failed))
		}
	}
	return simulator.Run(env.ctx, shops, config)
}

func (c simulateCommand) verify(env *environment, ledger *simulator.Ledger, runID string) error {
	ctx := context.WithoutCancel(env.ctx) // Ctrl-C may be what ended the sending; a second one ends the program
	b := newBar(env, int64(ledger.Kept()), "verifying", "deliveries")
	v, err := ledger.Verify(ctx, simulator.VerifyConfig{
		URL: c.URL, Token: cmp.Or(c.VerifyToken, c.Token), RunID: runID, Connections: c.Connections, Wait: c.VerifyWait,
		Progress: func(int, int) { b.add(1) },
	})
	b.end()
	if err != nil {
		return fmt.Errorf("the verification is not complete: %w", err)
	}
	if err := v.WriteText(env.stdout); err != nil {
		return err
	}
	if !v.Good() {
		return errors.New("the server does not keep what it acknowledged")
	}
	return nil
}
