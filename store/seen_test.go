package store_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// A process remembers what it has written; a database that is restored below it does not.
func TestARestoredDatabaseGetsWhatItLacks(t *testing.T) {
	url, elsewhere := storetest.URL(t), storetest.URL(t)
	backup := storetest.Clone(t, url)
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	recordNumber := func(n int) {
		t.Helper()
		body := fmt.Sprintf(`{"storeId":7,"sessionId":"s","eventId":"%d","timeOfOrigin":"2026-01-02T03:04:05Z","productIds":["p"],"gondolaIds":[3]}`, n)
		if r := record(t, s, deliver(t, aifi.RestrictedProductsInteractions, body)); r.Status != store.Stored {
			t.Errorf("delivery %d is %s", n, r.Status)
		}
	}
	recordNumber(1)
	recordNumber(2)
	name := func(databaseURL string) string {
		config, err := pgx.ParseConfig(databaseURL)
		if err != nil {
			t.Fatal(err)
		}
		return config.Database
	}
	old, copied := name(url), name(backup)
	storetest.SQL(t, elsewhere, "DROP DATABASE "+old+" WITH (FORCE)", "CREATE DATABASE "+old+" TEMPLATE "+copied)
	recordNumber(3)
	for _, table := range []string{"products", "gondolas", "stores", "sessions", "store_webhooks", "deliveries"} {
		if n := storetest.Query(t, url, "SELECT count(*) FROM "+table); n[0] != "1" {
			t.Errorf("%s has %s rows", table, n[0])
		}
	}
}

// A customer and a store are what the newest webhook says, however soon it comes after
// another, in whatever order, and whichever come together.
func TestTheNewestValuesStay(t *testing.T) {
	type said struct {
		second int
		value  string // "" says nothing
	}
	for name, c := range map[string]struct {
		said []said
		want string
	}{
		"one":                                   {[]said{{0, "a"}}, "a"},
		"a change":                              {[]said{{0, "a"}, {1, "b"}}, "b"},
		"there and back":                        {[]said{{0, "a"}, {1, "b"}, {2, "a"}}, "a"},
		"there, back and there":                 {[]said{{0, "a"}, {1, "b"}, {2, "a"}, {3, "b"}}, "b"},
		"there and back, and nothing":           {[]said{{0, "a"}, {1, "b"}, {2, "a"}, {3, ""}}, "a"},
		"an older one late":                     {[]said{{0, "a"}, {20, "b"}, {10, "a"}}, "b"},
		"older than what was only said again":   {[]said{{0, "a"}, {30, "a"}, {20, "b"}}, "a"},
		"older than what was said again, twice": {[]said{{0, "a"}, {30, "a"}, {20, "b"}, {25, "b"}, {31, "a"}, {32, "b"}}, "b"},
		"the oldest last":                       {[]said{{40, "a"}, {20, "b"}}, "a"},
		"after a while":                         {[]said{{0, "a"}, {1, "b"}, {90, ""}, {91, "a"}, {80, "b"}}, "a"},
		"what fills a gap":                      {[]said{{10, ""}, {20, ""}, {0, "a"}}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			s, url := open(t)
			var all []store.Delivery
			ids := map[string]bool{}
			for _, x := range c.said {
				var externalID, role string
				if x.value != "" {
					externalID, role = fmt.Sprintf(`"storeExternalId":%q,`, x.value), fmt.Sprintf(`,"role":%q`, x.value)
					ids[x.value] = true
				}
				all = append(all, deliver(t, aifi.Tracking, fmt.Sprintf(`{"storeId":%%d,%s"timeOfOrigin":%q,"customer":{"id":"c"%s}}`,
					externalID, time.Date(2026, 1, 2, 3, 4, x.second, 0, time.UTC).Format(time.RFC3339), role)))
			}
			// Each store gets them in batches of another size.
			for size := 1; size <= len(all); size++ {
				b := store.NewBatches(s)
				for part := range slices.Chunk(all, size) {
					part = slices.Clone(part)
					for i, d := range part {
						part[i] = deliver(t, d.Webhook, fmt.Sprintf(string(d.Body), size))
					}
					b.Record(t, part...)
				}
			}
			want := make([]string, len(all))
			for i := range want {
				want[i] = fmt.Sprint(c.want, " ", c.want, " ", len(ids))
			}
			got := storetest.Query(t, url, `SELECT c.role || ' ' || s.external_id || ' ' || (SELECT count(*) FROM store_external_ids i WHERE i.store_id = s.store_id)
				FROM customers c JOIN stores s USING (store_id) ORDER BY s.store_id`)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Senders choose how long texts are: what a process remembers of what it has written
// must not grow with them.
func TestLongTextsAreNotRemembered(t *testing.T) {
	const many, long, longID = 64, 256 << 10, 32 << 10
	s, url := open(t)
	held := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	say := func(n int, sign string) {
		t.Helper()
		text := strings.Repeat(sign, long)
		// PostgreSQL can index long ids that repeat themselves.
		body := fmt.Sprintf(`{"storeId":7,"sessionId":"%d%s","timeOfOrigin":"2026-01-02T03:04:05Z","productIds":["%[1]d%[2]s"],
			"session":{"metadata":{"a":%[3]q}},"customer":{"id":"%[1]d","externalId":%[3]q,"role":%[3]q,"metadata":{"a":%[3]q}}}`, n, text[:longID], text)
		if r := record(t, s, deliver(t, aifi.Tracking, body)); r.Status != store.Stored || r.Problem != nil {
			t.Fatalf("delivery %d is %s: %v", n, r.Status, r.Problem)
		}
	}
	say(many, "a")
	before := held()
	for n := range many {
		say(n, "a")
	}
	if grown := held() - before; grown > many*long/2 {
		t.Errorf("%d bytes are held after %d webhooks of %d bytes", grown, many, 4*long)
	}
	// What is told apart by what is remembered alone is still told apart.
	say(0, "b")
	for _, query := range []string{
		"SELECT metadata->>'a' FROM sessions WHERE session_id LIKE '0b%'", "SELECT metadata->>'a' FROM customers WHERE customer_id = '0'",
		"SELECT external_id FROM customers WHERE customer_id = '0'", "SELECT repeat(substr(product_id, 2), 8) FROM products WHERE product_id LIKE '0b%'",
	} {
		if got := storetest.Query(t, url, query); len(got) != 1 || got[0] != strings.Repeat("b", long) {
			t.Errorf("%s: %.20q", query, got)
		}
	}
}

// A customer was first seen by the first webhook of a batch, as all of the catalogue was.
func TestABatchSaysWhenSomethingWasFirstSeen(t *testing.T) {
	s, url := open(t)
	var batch []store.Delivery
	for _, minute := range []int{4, 2, 8} {
		batch = append(batch, deliver(t, aifi.RestrictedProductsInteractions, fmt.Sprintf(
			`{"storeId":7,"timeOfOrigin":"2026-01-02T03:%02d:00Z","productIds":["p"],"gondolaIds":[3],"customer":{"id":"c"}}`, minute)))
	}
	store.NewBatches(s).Record(t, batch...)
	for _, table := range []string{"stores", "products", "gondolas", "customers"} {
		got := storetest.Query(t, url, "SELECT to_char(first_seen_at, 'MI') || ' ' || to_char(last_seen_at, 'MI') FROM "+table)
		if diff := cmp.Diff([]string{"02 08"}, got); diff != "" {
			t.Errorf("%s: %s", table, diff)
		}
	}
}

// A webhook that dates itself far ahead, once, has neither a store nor a customer stay as
// it says; and what it states is found.
func TestATimeFarAheadFreezesNothing(t *testing.T) {
	s, url := open(t)
	said := func(value string, at time.Time) store.Delivery {
		return deliver(t, aifi.RestrictedProductsInteractions, fmt.Sprintf(`{"storeId":7,"storeExternalId":%q,"store":{"aifiUniqueStoreId":%q},"timeOfOrigin":%q,
			"productIds":["p"],"shopper":{"shopperFlags":["f"]},"customer":{"id":"c","externalId":%q,"role":%q,"metadata":{"is":%q}}}`,
			value, value, at.Format(time.RFC3339Nano), value, value, value))
	}
	expect := func(when, want string) {
		t.Helper()
		got := storetest.Query(t, url, `SELECT concat_ws(' ', s.external_id, s.aifi_unique_store_id, c.external_id, c.role, c.metadata ->> 'is') FROM customers c JOIN stores s USING (store_id)`)
		if diff := cmp.Diff([]string{strings.TrimSpace(strings.Repeat(" "+want, 5))}, got); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	far := time.Date(2062, 1, 2, 3, 4, 5, 0, time.UTC)
	b := store.NewBatches(s)
	b.Record(t, said("a", time.Now().Add(-time.Hour)))
	b.Record(t, said("far", far))
	expect("the newest that came", "far")
	b.Record(t, said("b", time.Now()))
	expect("after it", "b")
	store.NewBatches(s).Record(t, said("c", time.Now()))
	expect("for a process that was started anew", "c")
	store.NewBatches(s).Record(t, said("far", far.Add(time.Hour)), said("d", time.Now().Add(time.Second)))
	expect("in one batch", "d")
	storetest.SQL(t, url, "UPDATE customers SET last_seen_at = '2062-01-02Z'")
	store.NewBatches(s).Record(t, said("e", time.Now()))
	expect("where it is frozen already", "e")
	from := far.Add(-time.Minute)
	for name, f := range map[string]store.Filter{"product": {ProductIDs: []string{"p"}, From: &from}, "flag": {Flags: []string{"f"}, From: &from}} {
		events, _, err := s.Events(t.Context(), store.Scope{}, store.AlcoholInteraction, f, store.Page{Limit: 10})
		if err != nil || len(events) != 2 {
			t.Errorf("by %s %d events are found, %v", name, len(events), err)
		}
	}
}
