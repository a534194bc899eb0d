package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storefill"
	"aifi-audit/store/storetest"
)

const indexesOfMonths = `SELECT c.relname || ' ' || pg_relation_filenode(c.oid) FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
	WHERE c.relispartition AND i.indrelid::regclass::text ~ '_[0-9]{6}$' AND `

// Months that are over get their indexes built anew, once, and give the same rows.
func TestIndexesOfMonthsThatAreOverAreBuiltAnew(t *testing.T) {
	s, url := open(t)
	storetest.Fill(t, url, s, 20_000, 100*24*time.Hour)
	over := monthOf(time.Now().UTC())
	month := over.Format("200601")
	old, current := indexesOfMonths+"i.indrelid::regclass::text !~ '"+month+"' ORDER BY 1", indexesOfMonths+"i.indrelid::regclass::text ~ '"+month+"' ORDER BY 1"
	before, same := storetest.Query(t, url, old), storetest.Query(t, url, current)
	events := func() (ids []uuid.UUID) {
		for _, flags := range [][]string{nil, {storefill.Flag}} {
			f := store.Filter{StoreIDs: []int64{7}, To: &over, Flags: flags}
			page, _, err := s.Events(t.Context(), store.Scope{}, store.AlcoholInteraction, f, store.Page{Limit: 500})
			if err != nil || len(page) == 0 {
				t.Fatalf("%d events, %v", len(page), err)
			}
			for _, e := range page {
				ids = append(ids, e.ID)
			}
		}
		return ids
	}
	want := events()
	rebuilt := map[string]store.Rebuilt{}
	run := func() {
		t.Helper()
		clear(rebuilt)
		if err := store.Reindex(t.Context(), url, over, func(r store.Rebuilt) { rebuilt[r.Index] = r }); err != nil {
			t.Fatal(err)
		}
	}
	run()
	for _, r := range rebuilt {
		if r.After > r.Before {
			t.Errorf("%s had %d bytes, and has %d", r.Index, r.Before, r.After)
		}
	}
	last := over.AddDate(0, -1, 0).Format("200601")
	if r := rebuilt["events_"+last+"_pkey"]; r.After == 0 || r.After > r.Before*3/4 {
		t.Errorf("the events' key was not made dense: %+v", r)
	}
	if _, there := rebuilt["deliveries_"+last+"_pkey"]; there {
		t.Error("what grows at its end was built anew")
	}
	if diff := cmp.Diff(want, events()); diff != "" {
		t.Error("a search finds something else: ", diff)
	}
	if diff := cmp.Diff(before, storetest.Query(t, url, old)); diff == "" {
		t.Error("nothing was built")
	}
	if diff := cmp.Diff(same, storetest.Query(t, url, current)); diff != "" {
		t.Error("the current month was touched: ", diff)
	}
	if run(); len(rebuilt) != 0 {
		t.Errorf("a second run built %v", rebuilt)
	}
}

// A run waits for old readers, but nobody for it; the next one removes what one that is
// interrupted leaves, and goes on.
func TestReindexInterrupted(t *testing.T) {
	s, url := open(t)
	fillLastMonth(t, s, url)
	over := monthOf(time.Now().UTC())
	invalid := func() string {
		return storetest.Query(t, url, "SELECT count(*) FROM pg_index WHERE NOT indisvalid")[0]
	}

	end := reading(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- store.Reindex(ctx, url, over, func(store.Rebuilt) {}) }()
	storetest.Eventually(t, "the run waits for the reader", func() bool {
		return storetest.Query(t, url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^REINDEX' AND wait_event_type = 'Lock'")[0] == "1"
	})
	at := monthsAgo(1, time.Hour)
	record(t, s, receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s", "c", at)), at))
	if err := store.Reindex(t.Context(), url, over, func(store.Rebuilt) {}); !errors.Is(err, store.ErrReindexing) {
		t.Errorf("a second run at the same time: %v", err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the run ended with %v", err)
	}
	end()
	if got := invalid(); got == "0" {
		t.Error("nothing was left half built: this test tests nothing")
	}
	n := 0
	storetest.Eventually(t, "the first run is gone", func() bool {
		err := store.Reindex(t.Context(), url, over, func(store.Rebuilt) { n++ })
		if err != nil && !errors.Is(err, store.ErrReindexing) {
			t.Fatal(err)
		}
		return err == nil
	})
	if got := invalid(); n == 0 || got != "0" {
		t.Errorf("%d were built anew, and %s are half built", n, got)
	}
	if got := count(t, url, "events"); got != "5001" {
		t.Errorf("there are %s events", got)
	}
}

// Who does not own the tables is told so, and nothing is done.
func TestReindexNeedsTheOwner(t *testing.T) {
	s, url := open(t)
	fillLastMonth(t, s, url)
	err := store.Reindex(t.Context(), application(t, url), monthOf(time.Now().UTC()), func(r store.Rebuilt) { t.Errorf("%s was built", r.Index) })
	if !errors.Is(err, store.ErrNotOwner) {
		t.Error(err)
	}
}

// At night the server builds them by itself, or says who has to.
func TestReindexRunsAtNight(t *testing.T) {
	s, url := open(t)
	fillLastMonth(t, s, url)
	night := monthOf(time.Now().UTC()).Add(store.SettledAfter + 2*time.Hour)
	for _, c := range []struct {
		url, says string
		at        time.Time
		rebuilt   bool
	}{
		{application(t, url), "run `aifi-audit migrate reindex` as their owner", night, false},
		{url, "", night.Add(-time.Minute), false},
		{url, "indexes of months that are over were built anew", night, true},
	} {
		var said lockedBuffer
		s, err := store.Open(t.Context(), store.Config{
			DatabaseURL: c.url, Nightly: store.Nightly{Reindex: true}, Now: func() time.Time { return c.at }, Logger: said.logger(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if c.says != "" {
			said.wait(t, c.says)
		}
		s.Close()
		if got := storetest.Query(t, url, "SELECT count(*) > 0 FROM pg_description WHERE classoid = 'pg_class'::regclass AND description = 'built anew when its month was over'")[0]; got != fmt.Sprint(c.rebuilt) {
			t.Errorf("at %s as %s: built anew: %s", c.at, c.url, got)
		}
	}
}

// reading begins a transaction that reads events, and gives what ends it.
func reading(t testing.TB, url string) (end func()) {
	t.Helper()
	return holding(t, url, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM events LIMIT 1")
}

// holding keeps what statements that begin a transaction took, until end.
func holding(t testing.TB, url, sql string) (end func()) {
	t.Helper()
	holder, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() { _ = holder.Close(context.Background()) })
	t.Cleanup(end)
	if _, err := holder.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
	return end
}

// fillLastMonth makes events enough that their key is worth the while.
func fillLastMonth(t testing.TB, s *store.Store, url string) {
	t.Helper()
	err := storefill.Fill(t.Context(), url, s, storefill.Options{Events: 5000, Stores: 20, From: monthsAgo(1, 0), Span: 20 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
}

// Settings of the role do not keep it from waiting, and tables of others are left alone.
func TestReindexKeepsToItself(t *testing.T) {
	s, url := open(t)
	fillLastMonth(t, s, url)
	storetest.SQL(t, url, "CREATE TABLE sales (at timestamptz, store bigint, n bigint) PARTITION BY RANGE (at)", "CREATE INDEX ON sales (store)",
		"CREATE TABLE sales_202601 PARTITION OF sales FOR VALUES FROM ('2026-01-01Z') TO ('2026-02-01Z')",
		"CREATE TABLE sales_261129 PARTITION OF sales DEFAULT", "INSERT INTO sales SELECT '2026-01-02Z', i, i FROM generate_series(1, 50000) i",
		"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''3s''', current_database()); END $$")
	end := reading(t, url)
	n := 0
	ended := make(chan error, 1)
	go func() {
		ended <- store.Reindex(t.Context(), url, monthOf(time.Now().UTC()), func(r store.Rebuilt) {
			n++
			if strings.HasPrefix(r.Index, "sales") {
				t.Errorf("%s was built anew", r.Index)
			}
		})
	}()
	storetest.Eventually(t, "the run has waited for longer than the timeout", func() bool {
		return storetest.Query(t, url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^REINDEX' AND wait_event_type = 'Lock' AND now() - query_start > interval '3200ms'")[0] == "1"
	})
	end()
	if err := <-ended; err != nil || n == 0 {
		t.Errorf("%d were built anew, %v", n, err)
	}
}
