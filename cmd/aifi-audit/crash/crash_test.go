//go:build linux

package crash

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"aifi-audit/cmd/aifi-audit/simulator"
	"aifi-audit/store/storetest"
)

const (
	episodeRounds = 6   // faults between two checks
	loadRate      = 200 // webhooks a second
)

func TestNothingIsLost(t *testing.T) {
	t.Logf("seed %d, %d rounds", *seed, *rounds)
	for i, mode := range []string{"private", "external"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{external: mode == "external"}, rand.New(rand.NewPCG(*seed, uint64(i))))
			defer func() { t.Log(w.report()) }()
			half := (*rounds + 1 - i) / 2
			for done := 0; done < half && !t.Failed(); done += episodeRounds {
				w.episode(min(episodeRounds, half-done))
			}
		})
	}
}

// episode sends load, makes faults, heals them, and checks.
func (w *world) episode(faults int) {
	w.t.Helper()
	// Also what comes with a token that the server has not seen yet must be kept.
	w.newToken()
	l, stop := w.load()
	for range faults {
		w.pause(600 * time.Millisecond)
		f := w.pick()
		w.struck[f.name]++
		f.strike(w)
		w.heal()
		if w.rnd.IntN(2) == 0 { // the next fault may hit the recovery of this one
			w.until("the server is ready", w.ready)
		}
	}
	w.until("the server is ready", w.ready)
	stop()
	w.until("the spool is empty", func() bool { return w.ready() && w.spoolIsEmpty() })
	w.check(l)
}

// load sends webhooks until stop is called, which waits for the last answer.
func (w *world) load() (l *ledger, stop func()) {
	l = newLedger(w.t, w.rnd.Uint64())
	shops := simulator.New(simulator.Config{Seed: l.seed, Stores: 5, Start: time.Now(), Rate: loadRate, Malformed: 0.05})
	ctx, cancel := context.WithCancel(w.t.Context())
	sent := make(chan simulator.Report, 1)
	go func() {
		sent <- simulator.Run(ctx, shops, simulator.RunConfig{
			URL: w.url, Token: w.ingest, Rate: loadRate, Connections: 16, RunID: l.runID, Answered: l.add,
		})
	}()
	return l, func() {
		cancel()
		report := <-sent
		for answer, n := range report.Answers {
			w.answers[answer] += n
		}
		w.unanswered += report.Failed
	}
}

// check compares what is there with what was sent, in two ways: with SQL, and as
// staff would through the API.
func (w *world) check(l *ledger) {
	w.t.Helper()
	problems := l.compare(w.t, w.databaseURL)
	for _, p := range append(problems, invariants(w.t, w.databaseURL)...) {
		w.t.Error(p)
	}
	v, err := l.api.Verify(w.t.Context(), simulator.VerifyConfig{URL: w.url, Token: w.staff, RunID: l.runID, Wait: *patience})
	if err != nil {
		w.t.Error(err)
	}
	for finding, n := range v.Findings {
		w.t.Errorf("%d %s: %v", n, finding, v.Examples[finding])
	}
	w.acknowledged += len(l.kept)
	w.verified += v.Kept
	w.unsure += v.Unsure
	w.events += v.Events
	killed := 0
	for signal, n := range w.signals {
		if strings.HasPrefix(signal, "killed") {
			killed += n
		}
	}
	w.t.Logf("so far: %d deliveries acknowledged and %d there, %d processes killed", w.acknowledged, w.verified, killed)
}

// A check that notices nothing would prove nothing.
func TestTheCheckNotices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, rand.New(rand.NewPCG(*seed, 2)))
	l := newLedger(t, *seed)
	shops := simulator.New(simulator.Config{Seed: l.seed, Stores: 2, Start: time.Now(), Rate: loadRate})
	simulator.Run(t.Context(), shops, simulator.RunConfig{URL: w.url, Token: w.ingest, Count: 200, RunID: l.runID, Answered: l.add})
	w.until("the spool is empty", w.spoolIsEmpty)
	problems := func() []string { return append(l.compare(t, w.databaseURL), invariants(t, w.databaseURL)...) }
	if got := problems(); len(got) > 0 || len(l.kept) != 200 {
		t.Fatalf("%d are kept: %q", len(l.kept), got)
	}
	const its = " WHERE id IN (SELECT id FROM deliveries ORDER BY id LIMIT 1)"
	for _, c := range []struct{ sql, want string }{
		{"DELETE FROM deliveries" + its, "was acknowledged and is lost"},
		{"UPDATE delivery_bodies SET body = body || ' ' WHERE delivery_id IN (SELECT id FROM deliveries ORDER BY id LIMIT 1)", "is another"},
		{"UPDATE deliveries SET received_at = received_at + interval '1 microsecond'" + its, "has time of receipt"},
		{"INSERT INTO deliveries SELECT (jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid()))).* FROM deliveries d" + its, "never sent"},
		{"INSERT INTO deliveries SELECT (jsonb_populate_record(d, jsonb_build_object('store_id', 77))).* FROM deliveries d" + its, "is there twice"},
		{"UPDATE event_days SET quarters = add_quarters(quarters, quarters)", "a count that is not that of the events"},
		{"UPDATE event_days SET events = events + 1", "a day whose sum is not that of its quarters"},
		{"INSERT INTO events SELECT (jsonb_populate_record(e, jsonb_build_object('occurred_at', occurred_at + interval '1 s'))).* FROM events e", "an event is there twice"},
		{"DELETE FROM events", "has neither an event nor a place in quarantine"},
	} {
		storetest.SQL(t, w.databaseURL, "SET session_replication_role = replica", c.sql)
		if got := strings.Join(problems(), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("after %s the check says %q", c.sql, got)
		}
	}
}
