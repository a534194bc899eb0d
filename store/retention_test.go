package store_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// monthsAgo is an instant in the month that lies n months back: so far into it.
func monthsAgo(n int, into time.Duration) time.Time {
	now := time.Now().UTC()
	return time.Date(now.Year(), now.Month()-time.Month(n), 1, 0, 0, 0, 0, time.UTC).Add(into)
}

// receivedAt gives a delivery an id of another time of receipt, in whole milliseconds.
func receivedAt(t testing.TB, d store.Delivery, at time.Time) store.Delivery {
	t.Helper()
	id := uuid.New()
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6], id[7] = 0x70, 0
	if d.ID = id; !store.ReceivedAt(id).Equal(at.Truncate(time.Millisecond)) {
		t.Fatalf("%s is of %s", id, store.ReceivedAt(id))
	}
	return d
}

// shopped is a webhook of a session, by what happened when.
func shopped(storeID int64, session, customer string, at time.Time) string {
	return fmt.Sprintf(`{"storeId":%d,"sessionId":%q,"eventId":"e","timeOfOrigin":%q,"timeOfIssue":%q,"customer":{"id":%q},
	"shopper":{"shopperId":"x","shopperFlags":["A"]},"productIds":["p","q"],"gondolaIds":[3],
	"session":{"sessionId":%q,"updatedAt":%q,"status":"s","customer":{"id":%q}}}`,
		storeID, session, at.Format(time.RFC3339), at.Format(time.RFC3339), customer, session, at.Format(time.RFC3339), customer)
}

// keepFor sets a policy that was set long ago.
func keepFor(t testing.TB, url string, s *store.Store, n store.NewPolicy) {
	t.Helper()
	if _, err := s.SetRetention(t.Context(), jane, n); err != nil {
		t.Fatal(err)
	}
	aged(t, url)
}

// aged lets what was set and lifted have been so for long enough.
func aged(t testing.TB, url string) {
	t.Helper()
	unguarded(t, url, "UPDATE retention_policies SET at = at - interval '8 days'", "UPDATE hold_lifts SET at = at - interval '8 days'")
}

func months(n int32) *int32 { return &n }

func retire(t testing.TB, s *store.Store) store.RetentionRun {
	t.Helper()
	done, err := s.Retire(t.Context(), "Jane Doe", "their time was over")
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// findings are those of a verification, without what is particular to a run.
func findings(t testing.TB, d signed) []string {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: d.url, Log: store.LogConfig{Verifier: d.verifier(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var found []string
	result, err := s.Verify(t.Context(), store.VerifyOptions{Found: func(f store.Finding) { found = append(found, f.String()) }})
	if err != nil {
		t.Fatal(err)
	}
	if retired := slices.ContainsFunc(found, func(f string) bool { return !strings.HasPrefix(f, "RETIRED") }); retired == result.Clean() {
		t.Errorf("clean is %v with %q", result.Clean(), found)
	}
	return found
}

func count(t testing.TB, url, table string) string {
	t.Helper()
	return storetest.Query(t, url, "SELECT count(*) FROM "+table)[0]
}

func TestAMonthGoesWhole(t *testing.T) {
	d := newSigned(t)
	s, published := d.open(t)
	defer s.Close()
	var ids []uuid.UUID
	add := func(w aifi.Webhook, body string, at time.Time) {
		del := receivedAt(t, deliver(t, w, body), at)
		record(t, s, del)
		ids = append(ids, del.ID)
	}
	const day = 24 * time.Hour
	old, next, young := monthsAgo(3, day), monthsAgo(2, time.Second), monthsAgo(0, 0)
	for i := range 60 {
		add(aifi.RestrictedProductsInteractions, shopped(7, fmt.Sprint("old", i), fmt.Sprint("c", i), old), old)
	}
	add(aifi.RestrictedProductsInteractions, shopped(7, "old0", "c0", old), young)           // states the first event again
	add(aifi.RestrictedProductsInteractions, shopped(7, "late", "c", next.Add(-day)), young) // happened in a month that goes
	add(aifi.RestrictedProductsInteractions, shopped(7, "1970", "c", time.Unix(0, 0)), old)  // goes, although no partition has it
	add(aifi.RestrictedProductsInteractions, shopped(7, "2099", "c", old.AddDate(73, 0, 0)), old)
	add(aifi.RestrictedProductsInteractions, shopped(7, "young", "c1", young), young)
	add(aifi.SuspectedFraud, "not JSON", old)
	wait(t, published, int64(len(ids)))
	if plan, err := s.PlanRetention(t.Context()); err != nil || len(plan.Months) != 0 {
		t.Errorf("without a policy %+v goes, %v", plan, err)
	}
	if _, err := s.SetRetention(t.Context(), jane, store.NewPolicy{Months: months(1)}); err != nil {
		t.Fatal(err)
	}
	if done := retire(t, s); done.Deliveries != 0 {
		t.Errorf("a policy of today removes %+v", done)
	}
	aged(t, d.url)
	plan, err := s.PlanRetention(t.Context())
	if err != nil || len(plan.Months) != 1 || !plan.Months[0].Whole || plan.Months[0].Going() != 63 || plan.Months[0].Bytes == 0 {
		t.Errorf("%+v, %v", plan, err)
	}
	if n := count(t, d.url, "deliveries"); n != fmt.Sprint(len(ids)) {
		t.Errorf("a plan leaves %s", n)
	}
	done := retire(t, s)
	if done.Deliveries != 63 || done.Partitions != 1 || done.Events != 61 || len(done.Busy) > 0 {
		t.Errorf("%+v", done)
	}
	for table, want := range map[string]string{
		"deliveries": "3", "delivery_bodies": "3", "quarantine": "0", "events": "3", "event_flags": "3", "event_products": "6", "event_gondolas": "3",
		"sessions": "3", "customers": "3", "retention_sweeps": "0", "log_retirements": "1",
	} {
		if got := count(t, d.url, table); got != want {
			t.Errorf("%s has %s rows, not %s", table, got, want)
		}
	}
	suffix := old.Format("_200601")
	for _, table := range []string{"deliveries", "delivery_bodies", "events", "event_flags", "event_products", "event_gondolas"} {
		if got := storetest.Query(t, d.url, "SELECT (to_regclass($1) IS NULL)::text", table+suffix)[0]; got != "true" {
			t.Errorf("%s%s is there", table, suffix)
		}
	}
	if n := count(t, d.url, "events_default"); n != "2" {
		t.Errorf("%s events moved to where there is no partition", n)
	}
	wait(t, published, int64(len(ids))+2)
	found := findings(t, d)
	if len(found) != 1 || !strings.HasPrefix(found[0], "RETIRED deliveries of retirement ") || !strings.Contains(found[0], "by leaf ") || !strings.Contains(found[0], ": 63, received") {
		t.Errorf("%q", found)
	}
	// What is left is proven still, also where what it states was stated by another first.
	for _, id := range ids[60:62] {
		d.prove(t, s, id)
	}
	if again := retire(t, s); again.Deliveries != 0 || again.Events != 0 || again.Partitions != 0 {
		t.Errorf("%+v", again)
	}
	if got := gocmp.Diff(findings(t, d), found); got != "" {
		t.Error(got)
	}
}

// At night the server does so by itself.
func TestRetentionRunsAtNight(t *testing.T) {
	d := newSigned(t)
	s, _ := d.open(t)
	old := monthsAgo(3, time.Hour)
	record(t, s, receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s", "c", old)), old))
	keepFor(t, d.url, s, store.NewPolicy{Months: months(1)})
	s.Close()
	now := time.Now().UTC().Truncate(24 * time.Hour)
	for _, c := range []struct {
		at   time.Duration
		want string
	}{{14 * time.Hour, "1"}, {2*time.Hour + time.Minute, "0"}} {
		config, published := d.config(t)
		config.Nightly, config.Now = true, func() time.Time { return now.Add(c.at) }
		s, err := store.Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		if c.want == "0" {
			wait(t, published, 2+1) // received, the policy, retired
		}
		s.Close()
		if got := count(t, d.url, "deliveries"); got != c.want {
			t.Errorf("after a start at %s there are %s", c.at, got)
		}
	}
}
