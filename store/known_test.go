package store_test

import (
	"fmt"
	"sync"
	"testing"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// TestTwoProcessesStateTheSame has each fact stated by two processes at once: one of
// them stores it, and none of the others' deliveries is lost.
func TestTwoProcessesStateTheSame(t *testing.T) {
	const facts, tellers = 120, 4
	url := storetest.URL(t)
	var mu sync.Mutex
	statuses := map[int]map[store.Status]int{}
	var done sync.WaitGroup
	for range 2 {
		s, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		for teller := range tellers / 2 {
			for i := range facts {
				done.Go(func() {
					fact := (i*7 + teller*facts/2) % facts // each teller in an order of its own
					receipt, err := s.Record(t.Context(), deliver(t, aifi.RestrictedProductsInteractions, fmt.Sprintf(
						`{"storeId":%d,"eventId":"%d","timeOfOrigin":"2026-01-02T03:04:05Z","shopper":{"shopperFlags":"A"},"productIds":["p"],"gondolaIds":[1]}`, fact%3, fact)))
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					if statuses[fact] == nil {
						statuses[fact] = map[store.Status]int{}
					}
					statuses[fact][receipt.Status]++
				})
			}
		}
	}
	done.Wait()
	for fact, s := range statuses {
		if s[store.Stored] != 1 || s[store.Duplicate] != tellers-1 {
			t.Errorf("fact %d: %v", fact, s)
		}
	}
	for table, want := range map[string]int{
		"deliveries": facts * tellers, "delivery_bodies": facts * tellers, "events": facts, "event_flags": facts,
		"event_products": facts, "event_gondolas": facts,
	} {
		if got := storetest.Query(t, url, "SELECT count(*) FROM "+table); got[0] != fmt.Sprint(want) {
			t.Errorf("%s has %s rows, want %d", table, got[0], want)
		}
	}
	for counted, want := range map[string]int{
		"SELECT sum(events)::bigint FROM event_counts": facts, "SELECT sum(deliveries)::bigint FROM delivery_counts": facts * tellers,
		"SELECT sum(cardinality(leaves))::bigint FROM log_queue": facts * tellers,
	} {
		if got := storetest.Query(t, url, counted); got[0] != fmt.Sprint(want) {
			t.Errorf("%s: %s, want %d", counted, got[0], want)
		}
	}
}

// TestFailureAtTheCommit fails a row no earlier than its transaction commits.
func TestFailureAtTheCommit(t *testing.T) {
	s, url := open(t)
	storetest.SQL(t, url,
		`CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.event_id = 'poison' THEN RAISE EXCEPTION 'poison'; END IF; RETURN NULL; END $$`,
		`CREATE CONSTRAINT TRIGGER late AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_poison()`)
	var done sync.WaitGroup
	for i := range 40 {
		done.Go(func() {
			event, want := fmt.Sprint(i), store.Stored
			if i%10 == 0 {
				event, want = "poison", store.Quarantined
			}
			receipt, err := s.Record(t.Context(), deliver(t, aifi.RestrictedProductsInteractions,
				fmt.Sprintf(`{"storeId":1,"eventId":%q,"sessionId":"%d","timeOfOrigin":"2026-01-02T03:04:05Z"}`, event, i)))
			if err != nil || receipt.Status != want {
				t.Errorf("delivery %d is %v, %v; want %v", i, receipt, err, want)
			}
		})
	}
	done.Wait()
	if got := storetest.Query(t, url, "SELECT count(*) FROM deliveries"); got[0] != "40" {
		t.Errorf("%s deliveries are kept, want 40", got[0])
	}
}

// TestARepeatedStateIsNotWrittenAgain follows a session whose webhooks repeat its state.
func TestARepeatedStateIsNotWrittenAgain(t *testing.T) {
	s, url := open(t)
	state := func(minute int, status string) {
		t.Helper()
		record(t, s, deliver(t, aifi.RestrictedProductsInteractions, fmt.Sprintf(
			`{"storeId":7,"sessionId":"s","eventId":"%d %s","timeOfOrigin":"2026-01-02T03:%02d:05Z","customer":{"id":"c"},
			"session":{"sessionId":"s","updatedAt":"2026-01-02T03:00:00Z","status":%q}}`, minute, status, minute, status)))
	}
	row := func(want string) {
		t.Helper()
		if got := storetest.Query(t, url, "SELECT status || to_char(last_seen_at, ' HH24:MI ') || customer_id FROM sessions"); len(got) != 1 || got[0] != want {
			t.Errorf("the session is %q, want %q", got, want)
		}
	}
	state(1, "active")
	row("active 03:01 c")
	// What somebody else wrote is not undone by a state that is no news.
	storetest.SQL(t, url, "UPDATE sessions SET status = 'altered'")
	state(3, "active")
	state(2, "active")
	row("altered 03:03 c")
	state(4, "closed")
	row("closed 03:04 c")
	// A session that is no longer there is seen again; its state comes within minutes.
	storetest.SQL(t, url, "DELETE FROM sessions")
	state(5, "closed")
	if got := storetest.Query(t, url, "SELECT coalesce(status, 'unknown') FROM sessions"); len(got) != 1 || got[0] != "unknown" {
		t.Errorf("the session is %q", got)
	}
	state(15, "closed")
	row("closed 03:15 c")
}

// TestWhatIsTakenForNewOrForStated has a process that has long met nothing unexpected be
// mistaken: about what another process stated, and about what it stated itself and somebody
// has removed.
func TestWhatIsTakenForNewOrForStated(t *testing.T) {
	s, url := open(t)
	other, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	state := func(s *store.Store, event string, want store.Status) {
		t.Helper()
		receipt := record(t, s, deliver(t, aifi.RestrictedProductsInteractions, fmt.Sprintf(
			`{"storeId":7,"sessionId":"s","eventId":%q,"timeOfOrigin":"2026-01-02T03:04:05Z","productIds":["p"]}`, event)))
		if receipt.Status != want {
			t.Errorf("event %s is %s, want %s", event, receipt.Status, want)
		}
	}
	calmed := 0
	calm := func() {
		t.Helper()
		for i := range 2 * store.WaryFor {
			want := store.Stored
			if i%2 == 1 {
				want = store.Duplicate
			}
			state(s, fmt.Sprintf("calm %d", calmed/2), want)
			calmed++
		}
	}
	calm()
	state(other, "a", store.Stored)
	state(s, "a", store.Duplicate) // its key is taken
	state(s, "a", store.Duplicate)
	calm()
	state(s, "a", store.Duplicate)
	state(other, "a", store.Duplicate)
	storetest.SQL(t, url, "SET application_name = 'aifi-audit retires'", "DELETE FROM event_products", "DELETE FROM events")
	state(s, "a", store.Stored) // it is not there any more
	state(s, "a", store.Duplicate)
	state(other, "a", store.Duplicate)
	for counted, want := range map[string]string{
		"SELECT count(*) FROM events": "1", "SELECT count(*) FROM event_products": "1",
		"SELECT count(*) FROM deliveries": fmt.Sprint(4*store.WaryFor + 8),
	} {
		if got := storetest.Query(t, url, counted); got[0] != want {
			t.Errorf("%s: %s, want %s", counted, got[0], want)
		}
	}
}
