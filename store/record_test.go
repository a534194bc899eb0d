package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

func open(t testing.TB) (s *store.Store, url string) {
	t.Helper()
	url = storetest.URL(t)
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, url
}

func deliver(t testing.TB, w aifi.Webhook, body string) store.Delivery {
	t.Helper()
	id, err := store.NewDeliveryID()
	if err != nil {
		t.Fatal(err)
	}
	return store.Delivery{ID: id, Webhook: w, Path: "/api/push/" + string(w), RemoteAddr: "192.0.2.1", TokenID: 1, Body: []byte(body)}
}

func record(t testing.TB, s *store.Store, d store.Delivery) store.Receipt {
	t.Helper()
	r, err := s.Record(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const interaction = `{"storeId":7,"sessionId":"s","eventId":"e","timeOfOrigin":"2026-01-02T03:04:05Z","timeOfIssue":"%s",
	"shopper":{"shopperId":"x","shopperFlags":"A"},"productIds":["p","p","q"],"gondolaIds":[3],
	"session":{"sessionId":"s","updatedAt":"%s","status":"%s","shoppingSessionFlags":["A","B"]}}`

func TestARepeatedDeliveryStatesNoNewEvent(t *testing.T) {
	s, url := open(t)
	first := deliver(t, aifi.RestrictedProductsInteractions, fmt.Sprintf(interaction, "2026-01-02T03:04:06Z", "2026-01-02T03:00:00Z", "active"))
	again := deliver(t, aifi.RestrictedProductsInteractions, fmt.Sprintf(interaction, "2026-01-02T04:00:00Z", "2026-01-02T03:00:00Z", "active"))
	if r := record(t, s, first); r.Status != store.Stored {
		t.Errorf("the first is %v", r)
	}
	if r := record(t, s, again); r.Status != store.Duplicate {
		t.Errorf("the second is %v", r)
	}
	// Recording a delivery again is harmless: it is the same delivery.
	if r := record(t, s, first); r.Status != store.Stored {
		t.Errorf("the first, recorded again, is %v", r)
	}
	if r := record(t, s, again); r.Status != store.Duplicate {
		t.Errorf("the second, recorded again, is %v", r)
	}
	for table, want := range map[string]string{
		"deliveries": "2", "delivery_bodies": "2", "events": "1", "event_products": "2", "event_gondolas": "1", "event_flags": "2",
		"sessions": "1", "session_flags": "2", "products": "2", "gondolas": "1", "stores": "1",
	} {
		if got := storetest.Query(t, url, "SELECT count(*) FROM "+table); got[0] != want {
			t.Errorf("%s has %s rows, want %s", table, got[0], want)
		}
	}
	events, _, err := s.Events(t.Context(), store.Scope{}, store.AlcoholInteraction, store.Filter{}, store.Page{Limit: 10})
	if err != nil || len(events) != 1 || events[0].DeliveryID != first.ID {
		t.Errorf("events %v, %v", events, err)
	}
}

func TestAChangedFactUnderOneEventIDIsAnotherEvent(t *testing.T) {
	s, _ := open(t)
	for _, product := range []string{"p", "q"} {
		body := fmt.Sprintf(`{"storeId":7,"eventId":"e","timeOfOrigin":"2026-01-02T03:04:05Z","productIds":[%q]}`, product)
		if r := record(t, s, deliver(t, aifi.RestrictedProductsInteractions, body)); r.Status != store.Stored {
			t.Errorf("%s is %v", product, r)
		}
	}
}

func TestAnOlderSessionDoesNotOverwriteANewer(t *testing.T) {
	s, url := open(t)
	for _, c := range []struct{ at, status string }{{"03:10:00", "active"}, {"03:00:00", "created"}, {"03:20:00", "completed"}, {"03:15:00", "active"}} {
		record(t, s, deliver(t, aifi.RestrictedProductsInteractions,
			fmt.Sprintf(interaction, "2026-01-02T03:04:06Z", "2026-01-02T"+c.at+"Z", c.status)))
	}
	record(t, s, deliver(t, aifi.Tracking, `{"storeId":7,"sessionId":"s","session":null,"timeOfOrigin":"2026-01-02T05:00:00Z"}`))
	got := storetest.Query(t, url, "SELECT concat_ws(' ', status, updated_at AT TIME ZONE 'UTC', last_seen_at AT TIME ZONE 'UTC') FROM sessions")
	if diff := cmp.Diff([]string{"completed 2026-01-02 03:20:00 2026-01-02 05:00:00"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnEventWithoutUsableTimeStandsAtItsReceipt(t *testing.T) {
	s, _ := open(t)
	d := deliver(t, aifi.SuspectedFraud, `{"storeId":7,"timeOfOrigin":"294277-01-01T00:00:00Z"}`)
	record(t, s, d)
	events, _, err := s.Events(t.Context(), store.Scope{}, store.FraudAlert, store.Filter{}, store.Page{Limit: 10})
	if err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
	if e := events[0]; e.OccurredAtKnown || !e.OccurredAt.Equal(store.ReceivedAt(d.ID)) || !cmp.Equal(e.Unreadable, []string{"/timeOfOrigin"}) {
		t.Errorf("got %+v", e)
	}
}

// A row that PostgreSQL refuses must not take its neighbours with it. The trigger
// stands for whatever PostgreSQL may refuse that the decoder lets pass.
func TestABadRowNeverFailsItsNeighbours(t *testing.T) {
	s, url := open(t)
	storetest.SQL(t, url,
		`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'poison' USING ERRCODE = '22000'; END $$`,
		`CREATE TRIGGER refuse BEFORE INSERT ON sessions FOR EACH ROW WHEN (NEW.session_id LIKE 'poison%') EXECUTE FUNCTION refuse()`)
	const deliveries = 200
	receipts := make([]store.Receipt, deliveries)
	var all sync.WaitGroup
	for i := range deliveries {
		id := fmt.Sprint("session ", i)
		if i%50 == 7 {
			id = fmt.Sprint("poison ", i)
		}
		d := deliver(t, aifi.RestrictedProductsInteractions, fmt.Sprintf(`{"storeId":7,"sessionId":%q,"timeOfOrigin":"2026-01-02T03:04:05Z"}`, id))
		all.Go(func() {
			var err error
			if receipts[i], err = s.Record(context.Background(), d); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i, r := range receipts {
		want := store.Stored
		if i%50 == 7 {
			want = store.Quarantined
		}
		if r.Status != want {
			t.Errorf("delivery %d is %v", i, r)
		}
	}
	if got := storetest.Query(t, url, "SELECT count(*) FROM delivery_bodies"); got[0] != fmt.Sprint(deliveries) {
		t.Errorf("%s bodies are kept", got[0])
	}
}

// A body of many values holds nobody up: it is recorded, or goes to quarantine.
func TestManyValues(t *testing.T) {
	s, _ := open(t)
	listed := func(n int) string {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprintf(`"%05d"`, i)
		}
		return "[" + strings.Join(values, ",") + "]"
	}
	for name, c := range map[string]struct {
		body string
		want store.Status
	}{
		"as many products as may be":       {`"productIds":` + listed(10_000), store.Stored},
		"as many flags as may be":          {`"shoppingSessionFlags":` + listed(10_000), store.Stored},
		"more":                             {`"productIds":` + listed(10_001), store.Quarantined},
		"more of all together":             {`"gondolaIds":` + listed(6_000) + `,"shoppingSessionFlags":` + listed(6_000), store.Quarantined},
		"as many as a body has room for":   {`"productIds":` + listed(120_000), store.Quarantined},
		"one that comes after all of them": {`"productIds":["1"]`, store.Stored},
	} {
		body := `{"storeId":7,"sessionId":"s","timeOfOrigin":"2026-01-02T03:04:05Z",` + c.body + `}`
		r := record(t, s, deliver(t, aifi.RestrictedProductsInteractions, body))
		if r.Status != c.want || c.want == store.Quarantined && r.Problem.Reason != store.Unstorable {
			t.Errorf("%s: %v", name, r)
		}
	}
}

func TestReplayUnderstandsLater(t *testing.T) {
	s, url := open(t)
	storetest.SQL(t, url,
		`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'poison' USING ERRCODE = '22000'; END $$`,
		`CREATE TRIGGER refuse BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION refuse()`)
	d := deliver(t, aifi.SuspectedFraud, `{"storeId":7,"sessionId":"s","timeOfOrigin":"2026-01-02T03:04:05Z"}`)
	if r := record(t, s, d); r.Status != store.Quarantined || r.Problem.Reason != store.Unstorable {
		t.Fatalf("got %v", r)
	}
	if r, err := s.Replay(t.Context(), store.Scope{}, d.ID); err != nil || r.Status != store.Quarantined {
		t.Fatalf("got %v, %v", r, err)
	}
	storetest.SQL(t, url, `DROP TRIGGER refuse ON sessions`)
	for range 2 { // the second time changes nothing
		if r, err := s.Replay(t.Context(), store.Scope{}, d.ID); err != nil || r.Status != store.Replayed {
			t.Fatalf("got %v, %v", r, err)
		}
	}
	events, _, err := s.Events(t.Context(), store.OnlyStores([]int64{7}), store.FraudAlert, store.Filter{}, store.Page{Limit: 10})
	if err != nil || len(events) != 1 || !events[0].ReceivedAt.Equal(store.ReceivedAt(d.ID)) {
		t.Errorf("events %v, %v", events, err)
	}
	if got := storetest.Query(t, url, "SELECT count(*) FROM deliveries"); got[0] != "1" {
		t.Errorf("%s deliveries", got[0])
	}
	if _, err := s.Replay(t.Context(), store.Scope{}, uuid.Must(uuid.NewV7())); err == nil {
		t.Error("an unknown delivery was replayed")
	}
}

func TestATokenSpeaksForItsStoresOnly(t *testing.T) {
	s, _ := open(t)
	d := deliver(t, aifi.SuspectedFraud, `{"storeId":8,"sessionId":"s"}`)
	d.TokenScope = store.OnlyStores([]int64{7})
	if r := record(t, s, d); r.Status != store.Quarantined || r.Problem.Reason != store.StoreNotAllowed {
		t.Errorf("got %v", r)
	}
}

func TestHostileBodiesAreKeptVerbatim(t *testing.T) {
	s, _ := open(t)
	files, err := filepath.Glob("aifi/testdata/*/*")
	if err != nil || len(files) < 30 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range []aifi.Webhook{aifi.RestrictedProductsInteractions, aifi.RemoteRegister, "unheard/of\x00\xff"} {
			d := deliver(t, w, string(body))
			d.Headers = map[string]string{"User-Agent": "\xff\x00"}
			r := record(t, s, d)
			if r.Problem != nil && r.Problem.Reason == store.Unstorable {
				t.Errorf("%s as %s is unstorable: the decoder let pass what PostgreSQL refuses", file, w)
			}
			kept, err := s.Body(t.Context(), store.Scope{}, d.ID)
			if err != nil || string(kept) != string(body) {
				t.Errorf("%s: kept %q, %v", file, kept, err)
			}
		}
	}
}

func TestEventsOutsideThePartitionsAreFoundAndMove(t *testing.T) {
	s, url := open(t)
	for _, at := range []string{"1970-01-01T00:00:00Z", "2099-06-15T00:00:00Z"} {
		record(t, s, deliver(t, aifi.SuspectedFraud, fmt.Sprintf(`{"storeId":7,"sessionId":"s","timeOfOrigin":%q}`, at)))
	}
	count := func(table string) string { return storetest.Query(t, url, "SELECT count(*) FROM "+table)[0] }
	if count("events_default") != "2" {
		t.Error("not in the DEFAULT partition")
	}
	june := time.Date(2099, 6, 1, 0, 0, 0, 0, time.UTC)
	if err := s.EnsurePartitions(t.Context(), june, june); err != nil {
		t.Fatal(err)
	}
	if count("events_default") != "1" || count("events_209906") != "1" || count("events") != "2" {
		t.Error("the row did not move to its month")
	}
}
