package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/cmd/aifi-audit/simulator"
	"aifi-audit/store/storetest"
)

// served is a server with a database of its own, and tokens for it.
func served(t *testing.T) (url, database, ingest, staff string) {
	t.Helper()
	database = storetest.URL(t)
	db := "--database-url=" + database
	url = started(t, "serve", "--listen=127.0.0.1:0", db, "--data-dir="+t.TempDir(), "--staff-rate=0")
	ingest = strings.TrimSpace(command(t, "token", "create", "--name=AiFi", "--scope=ingest", db))
	staff = strings.TrimSpace(command(t, "token", "create", "--name=staff", "--scope=read,export,review", db))
	return url, database, ingest, staff
}

func TestSimulateVerify(t *testing.T) {
	url, _, ingest, staff := served(t)
	report := command(t, "simulate", "--verify", "--url="+url, "--token="+ingest, "--verify-token="+staff, "--rate=0", "--count=500", "--malformed=0.1")
	if !strings.Contains(report, "verified: 500 acknowledged deliveries are there") {
		t.Error(report)
	}
}

// What a server could do to a delivery that it has acknowledged, and what Verify
// makes of it.
func TestVerifyNotices(t *testing.T) {
	const (
		some = "(SELECT id FROM deliveries WHERE webhook = 'restricted-products-interactions' AND event_id IS NOT NULL ORDER BY id LIMIT 1)"
		its  = "(SELECT event_id FROM deliveries WHERE id = " + some + ")"
	)
	for name, c := range map[string]struct {
		sql  string
		want map[simulator.Finding]int
	}{
		"nothing amiss":           {"SELECT 1", map[simulator.Finding]int{}},
		"a delivery is gone":      {"DELETE FROM deliveries WHERE id = " + some, map[simulator.Finding]int{simulator.Missing: 1}},
		"a body is another":       {"UPDATE delivery_bodies SET body = ' ', encoding = 0 WHERE delivery_id = " + some, map[simulator.Finding]int{simulator.Altered: 1}},
		"a body and its hash are": {"WITH d AS (UPDATE deliveries SET body_sha256 = sha256('{}') WHERE id = " + some + " RETURNING id) UPDATE delivery_bodies SET body = '{}', encoding = 0 WHERE delivery_id IN (SELECT id FROM d)", map[simulator.Finding]int{simulator.Altered: 1}},
		"an event is gone":        {"DELETE FROM events WHERE id = " + its, map[simulator.Finding]int{simulator.Unfindable: 1}},
		"an event is there twice": {"INSERT INTO events SELECT (jsonb_populate_record(e, jsonb_build_object('occurred_at', occurred_at - interval '1 second'))).* FROM events e WHERE id = " + its, map[simulator.Finding]int{simulator.Repeated: 1}},
		"a delivery is invented":  {"INSERT INTO deliveries SELECT (jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid()))).* FROM deliveries d WHERE id = " + some, map[simulator.Finding]int{simulator.NeverSent: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			url, database, ingest, staff := served(t)
			ledger := new(simulator.Ledger)
			start := time.Now()
			shops := simulator.New(simulator.Config{Seed: 7, Stores: 2, Start: start, Rate: 20, Malformed: 0.1})
			report := simulator.Run(t.Context(), shops, simulator.RunConfig{URL: url, Token: ingest, Count: 200, RunID: "run", Answered: ledger.Add})
			if report.Failed > 0 || ledger.Kept() != 200 {
				t.Fatalf("%d are kept; %v", ledger.Kept(), report.LastError)
			}
			storetest.SQL(t, database, "SET session_replication_role = replica", c.sql)
			got, err := ledger.Verify(t.Context(), simulator.VerifyConfig{URL: url, Token: staff, RunID: "run", Wait: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.Findings); diff != "" {
				t.Errorf("%s\n%v", diff, got.Examples)
			}
		})
	}
	t.Run("the token cannot read", func(t *testing.T) {
		url, _, ingest, _ := served(t)
		var out strings.Builder
		args := []string{"simulate", "--verify", "--url=" + url, "--token=" + ingest, "--rate=0", "--count=5"}
		if code := run(t.Context(), args, &out, &out); code != 1 || !strings.Contains(out.String(), "a token with scope read is needed") {
			t.Errorf("ends with %d: %s", code, out.String())
		}
	})
}
