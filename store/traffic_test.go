package store_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// at opens a Store on a database that exists, whose clock stands.
func at(t testing.TB, url string, now time.Time) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Deliveries are counted as they are kept, and once however often they are recorded.
func TestDeliveriesAreCounted(t *testing.T) {
	s, url := open(t)
	for i, w := range []aifi.Webhook{aifi.SuspectedFraud, aifi.SuspectedFraud, aifi.Tracking, "mistyped", "mistyped/too"} {
		d := deliver(t, w, fmt.Sprintf(`{"storeId":%d,"sessionId":"s%d"}`, 7+i%2, i))
		record(t, s, d)
		record(t, s, d)
	}
	record(t, s, deliver(t, aifi.SuspectedFraud, "not JSON"))
	got := storetest.Query(t, url, `SELECT store_id || ' ' || webhook || ' ' || sum(deliveries) || ' ' || max(last_at) FROM delivery_counts GROUP BY store_id, webhook ORDER BY 1`)
	want := storetest.Query(t, url, `SELECT store_id || ' ' || w || ' ' || count(*) || ' ' || max(received_at)
		FROM (SELECT store_id, CASE WHEN webhook LIKE 'mistyped%' THEN 'other' ELSE webhook END AS w, received_at FROM deliveries) d GROUP BY store_id, w ORDER BY 1`)
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 6 {
		t.Errorf("%d series: %s", len(got), diff)
	}
}

// Silence is told from a quiet hour by the weeks before.
func TestSilence(t *testing.T) {
	now := time.Date(2026, 11, 18, 10, 20, 0, 0, time.UTC) // a Wednesday
	url := storetest.URL(t)
	// Shops that get 4 deliveries each quarter of an hour from 8 to 20 h on weekdays.
	open := "extract(isodow FROM b) <= 5 AND extract(hour FROM b) >= 8 AND extract(hour FROM b) < 20"
	count := func(storeID int, from, to, hours string) {
		storetest.SQL(t, url, fmt.Sprintf(`INSERT INTO delivery_counts (store_id, webhook, bucket, deliveries, last_at)
			SELECT %d, 'tracking', b, 4, b + interval '14 minutes'
			FROM generate_series(%s::timestamptz, %s::timestamptz - interval '15 minutes', '15 minutes') b
			WHERE %s`, storeID, from, to, strings.ReplaceAll(hours, "FROM b)", "FROM b AT TIME ZONE 'UTC')")))
	}
	count(1, "'2026-10-01Z'", "'2026-11-18 10:15Z'", open)
	count(2, "'2026-10-01Z'", "'2026-11-18 09:00Z'", open)
	count(3, "'2026-10-01Z'", "'2026-11-17 20:00Z'", open)
	count(4, "'2026-11-16Z'", "'2026-11-18 08:30Z'", open)
	count(5, "'2026-11-04Z'", "'2026-11-18 09:00Z'", open)
	count(6, "'2026-10-01Z'", "'2026-11-03 20:00Z'", open)
	count(7, "'2026-09-10Z'", "'2026-10-16 20:00Z'", open)
	count(8, "'2026-10-01Z'", "'2026-11-18 10:00Z'", "b = date_bin('7 days', b, '2026-10-07 09:00Z')")
	// Clocks in New York were put back on November 1st; it is 5:20 h there.
	newYork := func(hours string) string {
		return strings.ReplaceAll(hours, "FROM b", "FROM (b AT TIME ZONE 'America/New_York')")
	}
	storetest.SQL(t, url, "INSERT INTO stores (store_id, first_seen_at, last_seen_at, time_zone) SELECT i, now(), now(), 'America/New_York' FROM generate_series(9, 10) i")
	count(9, "'2026-10-01Z'", "'2026-11-18 05:00Z'", newYork(open))
	count(10, "'2026-10-01Z'", "'2026-11-17 12:00Z'", newYork("extract(hour FROM b) = 5"))

	// A clock was ahead for a moment; the same as 2 otherwise.
	count(11, "'2026-10-01Z'", "'2026-11-18 09:00Z'", open)
	count(11, "'2026-11-20 09:00Z'", "'2026-11-20 09:15Z'", open)

	s := at(t, url, now)
	for _, i := range []int{1, 2, 3, 4, 5, 6, 7, 8, 11} {
		storetest.SQL(t, url, fmt.Sprintf("INSERT INTO stores (store_id, first_seen_at, last_seen_at) VALUES (%d, now(), now()) ON CONFLICT DO NOTHING", i))
	}
	traffic, err := s.Traffic(t.Context(), store.Scope{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[int64]string{}
	for _, r := range traffic {
		usual := math.NaN()
		if r.UsualPerHour != nil {
			usual = *r.UsualPerHour
		}
		got[r.StoreID] = fmt.Sprintf("silent %v, missed %.0f, usual %.1f, hour %d, day %d", r.Silent(), r.Missed, usual, r.LastHour, r.LastDay)
	}
	want := map[int64]string{
		1:  "silent false, missed 0, usual 16.0, hour 16, day 192", // goes on
		2:  "silent true, missed 20, usual 16.0, hour 0, day 172",  // since 9:00
		3:  "silent true, missed 36, usual 16.0, hour 0, day 156",  // did not open today
		4:  "silent false, missed 0, usual NaN, hour 0, day 164",   // new: nothing is usual yet
		5:  "silent true, missed 20, usual 16.0, hour 0, day 172",  // two weeks old
		6:  "silent true, missed 960, usual 8.0, hour 0, day 0",    // since two weeks: one week's worth
		7:  "silent false, missed 0, usual 0.0, hour 0, day 0",     // closed for good
		8:  "silent false, missed 0, usual 0.0, hour 0, day 4",     // a delivery a week is never silent for long
		9:  "silent false, missed 0, usual 0.0, hour 0, day 192",   // it is early in New York
		10: "silent false, missed 4, usual 16.0, hour 0, day 12",   // an hour a day, on its own clock
		11: "silent true, missed 20, usual 16.0, hour 0, day 172",  // something seems to come in two days
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// Nothing of another store.
	traffic, err = s.Traffic(t.Context(), store.OnlyStores([]int64{2, 3}), []int64{1, 2})
	if err != nil || len(traffic) != 1 || traffic[0].StoreID != 2 {
		t.Errorf("stores %v, %v", traffic, err)
	}
}

// A restart does not hide silence, nor does a database that is away.
func TestSilenceOutlastsARestart(t *testing.T) {
	url := storetest.URL(t)
	storetest.SQL(t, url, `INSERT INTO stores (store_id, first_seen_at, last_seen_at) VALUES (7, now(), now())`,
		`INSERT INTO delivery_counts (store_id, webhook, bucket, deliveries, last_at)
		SELECT 7, 'suspected-fraud', date_bin('15 minutes', now(), '0001-01-01Z') - q * interval '15 minutes', 10, now() - q * interval '15 minutes'
		FROM generate_series(2 * 96, 44 * 96) q`)
	proxy := storetest.NewProxy(t, url)
	registry := prometheus.NewRegistry()
	s, err := store.Open(t.Context(), store.Config{
		DatabaseURL: proxy.URL, Metrics: store.NewMetrics(registry), Local: &store.Local{Dir: t.TempDir(), CommitDeadline: 100 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	metric := func(name string) (value float64) {
		for _, l := range gathered(t, registry, name) {
			if l.labels == "store_id=7 webhook=suspected-fraud" {
				value = l.value
			}
		}
		return value
	}
	storetest.Eventually(t, "the silence is seen", func() bool { return metric("aifi_audit_missed_deliveries") > 1000 })
	if age := time.Since(time.Unix(int64(metric("aifi_audit_last_delivery_timestamp_seconds")), 0)); age < 47*time.Hour || age > 49*time.Hour {
		t.Errorf("the last delivery is %s old", age)
	}
	proxy.Cut()
	d := deliver(t, aifi.Tracking, `{"storeId":8,"timeOfIssue":"`+time.Now().UTC().Add(-time.Minute).Format(time.RFC3339Nano)+`"}`)
	storetest.Eventually(t, "a delivery is spooled", func() bool { return record(t, s, d).Status == store.Spooled })
	state := s.State(t.Context(), store.Scope{}, nil)
	if state.AwaySince.IsZero() || state.OpenQuarantine != nil || state.Spool.Records == 0 || len(state.Traffic) != 2 {
		t.Fatalf("the state is %+v", state)
	}
	if silent, came := state.Traffic[0], state.Traffic[1]; !silent.Silent() || came.Silent() || came.StoreID != 8 || came.Lag == nil || came.Lag.Round(time.Minute) != time.Minute {
		t.Errorf("the traffic is %+v", state.Traffic)
	}
	if limited := s.State(t.Context(), store.OnlyStores([]int64{8}), nil); len(limited.Traffic) != 1 || limited.Traffic[0].StoreID != 8 {
		t.Errorf("a limited token sees %+v", limited.Traffic)
	}
	// A delivery ends the silence, wherever it is kept.
	record(t, s, deliver(t, aifi.SuspectedFraud, `{"storeId":7,"sessionId":"s"}`))
	if missed := metric("aifi_audit_missed_deliveries"); missed != 0 {
		t.Errorf("%v are missed", missed)
	}
	proxy.Mend()
	storetest.Eventually(t, "the database is back", func() bool {
		state := s.State(t.Context(), store.Scope{}, nil)
		return state.AwaySince.IsZero() && state.Spool.Records == 0 && state.OpenQuarantine != nil && len(state.Traffic) == 2
	})
}

// What was received while a clock was ahead is not the last that came.
func TestAnArrivalOfTomorrowHidesNothing(t *testing.T) {
	registry := prometheus.NewRegistry()
	var ahead atomic.Int64 // hours
	s, err := store.Open(t.Context(), store.Config{
		DatabaseURL: storetest.URL(t), Metrics: store.NewMetrics(registry), Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load()) * time.Hour) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	last := func() (found []labelled) { return gathered(t, registry, "aifi_audit_last_delivery_timestamp_seconds") }
	ahead.Store(24)
	record(t, s, receivedAt(t, deliver(t, aifi.Tracking, `{"storeId":7,"sessionId":"tomorrow"}`), time.Now().Add(24*time.Hour)))
	if found := last(); len(found) != 1 {
		t.Errorf("by a clock that is ahead the last delivery is %v", found)
	}
	ahead.Store(0)
	if found := last(); len(found) > 0 {
		t.Errorf("the last delivery is %v", found)
	}
	before := time.Now()
	record(t, s, deliver(t, aifi.Tracking, `{"storeId":7,"sessionId":"now"}`))
	record(t, s, receivedAt(t, deliver(t, aifi.Tracking, `{"storeId":7,"sessionId":"tomorrow too"}`), time.Now().Add(24*time.Hour)))
	if found := last(); len(found) != 1 || time.Unix(int64(found[0].value), 0).Sub(before).Abs() > time.Hour {
		t.Errorf("the last delivery is %v", found)
	}
	traffic, err := s.Traffic(t.Context(), store.Scope{}, nil)
	if err != nil || len(traffic) != 1 || traffic[0].LastAt.Sub(before).Abs() > time.Hour || traffic[0].LastDay != 1 {
		t.Errorf("the traffic is %+v, %v", traffic, err)
	}
}

// Counts are kept as long as they are of use.
func TestOldCountsAreDeleted(t *testing.T) {
	url := storetest.URL(t)
	storetest.SQL(t, url, `INSERT INTO stores (store_id, first_seen_at, last_seen_at) VALUES (7, now(), now())`,
		`INSERT INTO delivery_counts (store_id, webhook, bucket, deliveries, last_at)
		SELECT s, 'tracking', date_bin('15 minutes', now(), '0001-01-01Z') - d * interval '1 day', 1, now() FROM generate_series(0, 100) d, unnest(ARRAY[0, 7]) s`)
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Metrics: store.NewMetrics(prometheus.NewRegistry())})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.Eventually(t, "those of nine weeks are left", func() bool {
		return storetest.Query(t, url, "SELECT count(*) || ' ' || (now() - min(bucket) < '64 days') FROM delivery_counts")[0] == "126 true"
	})
}

// Senders choose store ids, but not how many series there are.
func TestSeriesAreBounded(t *testing.T) {
	url := storetest.URL(t)
	registry := prometheus.NewRegistry()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Metrics: store.NewMetrics(registry)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	answers := make(chan error, 2100)
	for i := range cap(answers) {
		d := deliver(t, aifi.Tracking, fmt.Sprintf(`{"storeId":%d}`, i+1))
		go func() {
			_, err := s.Record(t.Context(), d)
			answers <- err
		}()
	}
	for range cap(answers) {
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
	}
	found := gathered(t, registry, "aifi_audit_last_delivery_timestamp_seconds")
	if len(found) != 2001 || found[2000].labels != "store_id=other webhook=tracking" {
		t.Errorf("%d series, the last is %v", len(found), found[len(found)-1])
	}
	traffic, err := s.Traffic(t.Context(), store.Scope{}, nil)
	if err != nil || len(traffic) != 2000 {
		t.Errorf("%d series, %v", len(traffic), err)
	}
}

// labelled is a value of a metric with its labels as text.
type labelled struct {
	labels string
	value  float64
}

func gathered(t testing.TB, registry *prometheus.Registry, name string) (found []labelled) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			found = append(found, labelled{strings.Join(labels, " "), m.GetGauge().GetValue() + m.GetCounter().GetValue()})
		}
	}
	return found
}

func TestMetricsOfWhatIsKept(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: storetest.URL(t), Metrics: store.NewMetrics(registry), Local: &store.Local{Dir: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	record(t, s, deliver(t, aifi.Tracking, `{"storeId":1,"timeOfOrigin":"2026-11-01T00:00:00Z","timeOfIssue":"2999-01-01T00:00:00Z"}`)) // AiFi's clock is ahead
	record(t, s, deliver(t, aifi.Tracking, `{"storeId":1,"timeOfOrigin":"2026-11-01T00:00:00Z","timeOfIssue":"2999-01-01T00:00:01Z"}`))
	bad := deliver(t, "nonsense", `{"storeId":[]}`)
	record(t, s, bad)
	if _, err := s.Replay(t.Context(), store.Scope{}, bad.ID); err != nil {
		t.Fatal(err)
	}
	err = testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP aifi_audit_quarantined_deliveries_total Deliveries that went to quarantine, by reason.
# TYPE aifi_audit_quarantined_deliveries_total counter
aifi_audit_quarantined_deliveries_total{reason="not_an_object"} 0
aifi_audit_quarantined_deliveries_total{reason="not_json"} 0
aifi_audit_quarantined_deliveries_total{reason="states_nothing"} 0
aifi_audit_quarantined_deliveries_total{reason="store_not_allowed"} 0
aifi_audit_quarantined_deliveries_total{reason="too_deep"} 0
aifi_audit_quarantined_deliveries_total{reason="truncated"} 0
aifi_audit_quarantined_deliveries_total{reason="unstorable"} 0
aifi_audit_quarantined_deliveries_total{reason="wrong_type"} 1
# HELP aifi_audit_database_away 1 while commits do not come through.
# TYPE aifi_audit_database_away gauge
aifi_audit_database_away 0
# HELP aifi_audit_spool_records Deliveries in the spool.
# TYPE aifi_audit_spool_records gauge
aifi_audit_spool_records 0
`), "aifi_audit_quarantined_deliveries_total", "aifi_audit_database_away", "aifi_audit_spool_records")
	if err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	counts := map[string]float64{}
	for _, l := range gathered(t, registry, "aifi_audit_deliveries_total") {
		if l.value > 0 {
			counts[l.labels] = l.value
		}
	}
	want := map[string]float64{"status=stored webhook=tracking": 1, "status=duplicate webhook=tracking": 1, "status=quarantined webhook=other": 2}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Error(diff)
	}
}

// Senders choose store ids. Stores that do not exist, and of which something comes now,
// must not hide that one that does has fallen silent.
func TestManyStoresHideNoSilence(t *testing.T) {
	url := storetest.URL(t)
	storetest.SQL(t, url, `INSERT INTO stores (store_id, first_seen_at, last_seen_at) SELECT i, now(), now() FROM generate_series(1, 5001) i`,
		`INSERT INTO delivery_counts (store_id, webhook, bucket, deliveries, last_at)
		SELECT 5001, 'tracking', date_bin('15 minutes', now(), '0001-01-01Z') - q * interval '15 minutes', 10, now() - q * interval '15 minutes'
		FROM generate_series(96, 20 * 96) q`,
		`INSERT INTO delivery_counts (store_id, webhook, bucket, deliveries, last_at)
		SELECT i, 'tracking', date_bin('15 minutes', now(), '0001-01-01Z'), 1, now() FROM generate_series(1, 5000) i`)
	registry := prometheus.NewRegistry()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Metrics: store.NewMetrics(registry)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	traffic, err := s.Traffic(t.Context(), store.Scope{}, nil)
	if err != nil || len(traffic) != 2000 {
		t.Fatalf("%d series: %v", len(traffic), err)
	}
	if last := traffic[len(traffic)-1]; last.StoreID != 5001 || !last.Silent() {
		t.Errorf("the last series is %v", last)
	}
	storetest.Eventually(t, "the silence is in the metrics", func() bool {
		missed := gathered(t, registry, "aifi_audit_missed_deliveries")
		return len(missed) == 2000 && slices.ContainsFunc(missed, func(l labelled) bool { return l.labels == "store_id=5001 webhook=tracking" && l.value > 900 })
	})
}
