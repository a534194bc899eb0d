package store_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// zones are those of the stores of the tests, by store id; store 1 has the default.
var zones = map[int64]string{
	1: "UTC", 2: "Asia/Kathmandu", 3: "Europe/London", 4: "America/Santiago", // whose clocks skip a midnight
	5: "Australia/Lord_Howe", // whose summer is half an hour
	6: "Atlantic/Azores",     // whose clocks have a midnight twice
}

// changes are times about which the clocks of some stores are changed.
var changes = []time.Time{
	time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC), // London, the Azores
	time.Date(2026, 4, 5, 3, 0, 0, 0, time.UTC), time.Date(2026, 9, 6, 4, 0, 0, 0, time.UTC), // Santiago
	time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC), time.Date(2026, 10, 3, 15, 30, 0, 0, time.UTC), // Lord Howe
}

// fillZones records events near the changes of clocks, each of which is delivered
// once or twice, through two processes at once.
func fillZones(t *testing.T, n int) (s *store.Store, url string) {
	t.Helper()
	s, url = open(t)
	other, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	random := rand.New(rand.NewPCG(1, 2))
	webhooks := []aifi.Webhook{aifi.RestrictedProductsInteractions, aifi.SuspectedFraud, aifi.RemoteRegister, aifi.Tracking}
	var all sync.WaitGroup
	for i := range n {
		at := changes[random.IntN(len(changes))].Add(time.Duration(random.Int64N(int64(72*time.Hour))) - 36*time.Hour)
		if random.IntN(2) == 0 {
			at = at.Truncate(15 * time.Minute)
		}
		body := fmt.Sprintf(`{"storeId":%d,"sessionId":"s%d","timeOfOrigin":%q}`, 1+random.IntN(len(zones)), i, at.Format(time.RFC3339Nano))
		w := webhooks[random.IntN(len(webhooks))]
		for _, process := range []*store.Store{s, other}[:1+random.IntN(2)] {
			d := deliver(t, w, body)
			all.Go(func() {
				if _, err := process.Record(context.Background(), d); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	for _, kind := range []store.Kind{store.AlcoholInteraction, store.FraudAlert, store.Registration} {
		events, _, err := s.Events(t.Context(), store.Scope{}, kind, store.Filter{}, store.Page{Limit: 50})
		if err != nil {
			t.Fatal(err)
		}
		review(t, s, events)
	}
	for id, zone := range zones {
		if id != 1 {
			storetest.SQL(t, url, fmt.Sprintf("UPDATE stores SET time_zone = '%s' WHERE store_id = %d", zone, id))
		}
	}
	return s, url
}

// occurrence is an event as counting sees it.
type occurrence struct {
	storeID int64
	kind    store.Kind
	at      time.Time
	made    store.Disposition
}

func occurrences(t *testing.T, url string) []occurrence {
	t.Helper()
	rows := storetest.Query(t, url, `SELECT concat_ws('|', e.store_id, e.kind, to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), coalesce(r.disposition, 'none'))
		FROM events e LEFT JOIN event_reviews r ON (r.store_id, r.kind, r.occurred_at, r.event_id) = (e.store_id, e.kind, e.occurred_at, e.id)`)
	out := make([]occurrence, len(rows))
	for i, row := range rows {
		parts := strings.Split(row, "|")
		id, err := strconv.ParseInt(parts[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339Nano, parts[2])
		if err != nil {
			t.Fatal(err)
		}
		out[i] = occurrence{id, store.Kind(parts[1]), at, store.Disposition(parts[3])}
	}
	return out
}

// asking is what counts are asked for.
type asking struct {
	filter store.Filter
	period store.Period
	zones  map[int64]string
}

// counted is the meaning of Counts, told again without SQL.
func (a asking) counted(t *rapid.T, events []occurrence, by store.Grouping) map[store.Count]store.Count {
	counts := map[store.Count]store.Count{}
	for _, e := range events {
		zone, err := time.LoadLocation(a.zones[e.storeID])
		if err != nil {
			t.Fatal(err)
		}
		clock := e.at.In(zone)
		at := e.at
		if a.period.OnClock {
			at = time.Date(clock.Year(), clock.Month(), clock.Day(), clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), time.UTC)
		}
		f := a.filter
		if at.Before(a.period.From) || !at.Before(a.period.To) || f.StoreIDs != nil && !slices.Contains(f.StoreIDs, e.storeID) ||
			f.Kinds != nil && !slices.Contains(f.Kinds, e.kind) {
			continue
		}
		var key store.Count
		if !by.AllStores {
			key.StoreID = e.storeID
		}
		if by.Day {
			key.Day = clock.Format(time.DateOnly)
		}
		if by.Weekday {
			key.Weekday = (int(clock.Weekday())+6)%7 + 1
		}
		if by.Hour {
			key.Hour = clock.Hour()
		}
		if by.Disposition {
			key.Disposition = e.made
		}
		n, ok := counts[key]
		if !ok {
			n = key
		}
		switch e.kind {
		case store.AlcoholInteraction:
			n.AlcoholInteractions++
		case store.FraudAlert:
			n.FraudAlerts++
		case store.Registration:
			n.Registrations++
		case store.Other:
			n.Other++
		}
		counts[key] = n
	}
	return counts
}

// drawPeriod draws whole days on the clock, or times near a change of clocks: any
// microsecond, and often the edge of a quarter.
func drawPeriod(t *rapid.T) store.Period {
	p := store.Period{OnClock: rapid.Bool().Draw(t, "on clock")}
	near := func(name string) time.Time {
		at := changes[rapid.IntRange(0, len(changes)-1).Draw(t, name)]
		if p.OnClock {
			return at.Truncate(24*time.Hour).AddDate(0, 0, rapid.IntRange(-2, 3).Draw(t, name+" days"))
		}
		unit := rapid.SampledFrom([]time.Duration{time.Microsecond, time.Minute, 15 * time.Minute}).Draw(t, name+" unit")
		return at.Add(time.Duration(rapid.Int64Range(-int64(40*time.Hour/unit), int64(40*time.Hour/unit)).Draw(t, name+" units")) * unit)
	}
	p.From, p.To = near("from"), near("to")
	if rapid.Bool().Draw(t, "short") && !p.OnClock {
		p.To = p.From.Add(time.Duration(rapid.Int64Range(1, int64(time.Hour/time.Microsecond)).Draw(t, "length")) * time.Microsecond)
	}
	if p.To.Before(p.From) {
		p.From, p.To = p.To, p.From
	}
	return p
}

func drawGrouping(t *rapid.T) store.Grouping {
	return store.Grouping{
		Day: rapid.Bool().Draw(t, "by day"), Weekday: rapid.Bool().Draw(t, "by weekday"), Hour: rapid.Bool().Draw(t, "by hour"),
		Disposition: rapid.Bool().Draw(t, "by disposition"), AllStores: rapid.Bool().Draw(t, "all stores"),
	}
}

func TestCountsAreWhatCountingTheEventsGives(t *testing.T) {
	s, url := fillZones(t, 1500)
	events := occurrences(t, url)
	miscounted(t, url)
	rapid.Check(t, func(t *rapid.T) {
		a := asking{period: drawPeriod(t), zones: maps.Clone(zones)}
		if rapid.Bool().Draw(t, "stores") {
			a.filter.StoreIDs = rapid.SliceOfN(rapid.Int64Range(0, 7), 1, 3).Draw(t, "store ids")
		}
		if rapid.Bool().Draw(t, "kinds") {
			a.filter.Kinds = []store.Kind{store.FraudAlert, store.Other}
		}
		// The zone of a store is changed, and its past is counted on the new clock.
		zone := rapid.SampledFrom([]string{"UTC", "Asia/Kolkata", "Pacific/Chatham", "America/New_York", "Africa/Casablanca", "Pacific/Kiritimati"}).Draw(t, "zone")
		if _, err := s.SetTimeZone(context.Background(), store.Scope{}, 1, &zone); err != nil {
			t.Fatal(err)
		}
		a.zones[1] = zone
		by := rapid.SliceOfN(rapid.Custom(drawGrouping), 1, 3).Draw(t, "groupings")
		counts, err := s.CountsBy(context.Background(), store.Scope{}, a.filter, a.period, by...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range by {
			got := map[store.Count]store.Count{}
			for _, n := range counts[i] {
				got[store.Count{StoreID: n.StoreID, Day: n.Day, Weekday: n.Weekday, Hour: n.Hour, Disposition: n.Disposition}] = n
			}
			if diff := cmp.Diff(a.counted(t, events, by[i]), got); diff != "" || len(got) != len(counts[i]) {
				t.Fatalf("%d rows by %+v\n%s", len(counts[i]), by[i], diff)
			}
		}
	})
}

// Counts read a row for each store, kind and day, however many events there are.
func TestCountsCostDaysNotEvents(t *testing.T) {
	s, url := open(t)
	storetest.Fill(t, url, s, 100_000, 80*24*time.Hour)
	statements, err := store.TraceReads(t.Context(), s, url)
	if err != nil {
		t.Fatal(err)
	}
	const days, kinds = 80, 3
	to := time.Now().Truncate(24 * time.Hour)
	for name, p := range map[string]store.Period{
		"whole days on the clock": {From: to.AddDate(0, 0, -30), To: to, OnClock: true},
		"any time":                {From: to.AddDate(0, 0, -30).Add(time.Minute), To: to.Add(-time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.CountsBy(t.Context(), store.Scope{}, store.Filter{}, p, store.Grouping{Day: true}, store.Grouping{Hour: true, Disposition: true}); err != nil {
				t.Fatal(err)
			}
			plans, err := statements.Explain(t.Context(), s)
			if err != nil || len(plans) == 0 {
				t.Fatalf("%d plans, %v", len(plans), err)
			}
			for _, text := range plans {
				if rows, node := mostRows(t, text); rows > storetest.FillStores*kinds*(days+2) {
					t.Errorf("%s handles %.0f rows:\n%s", node, rows, text)
				}
			}
		})
	}
}

func TestCountsKeepToTheScope(t *testing.T) {
	s, _ := fillZones(t, 100)
	p := store.Period{From: changes[0].AddDate(0, -1, 0), To: changes[0].AddDate(1, 0, 0)}
	counts, err := s.Counts(t.Context(), store.OnlyStores([]int64{2}), store.Filter{StoreIDs: []int64{2, 3}}, store.Grouping{}, p)
	if err != nil || len(counts) != 1 || counts[0].StoreID != 2 {
		t.Errorf("got %v, %v", counts, err)
	}
}

func TestADeliveryRecordedTwiceAtOnceCountsOnce(t *testing.T) {
	s, url := open(t)
	d := deliver(t, aifi.SuspectedFraud, `{"storeId":7,"sessionId":"s","timeOfOrigin":"2026-01-02T03:04:05Z"}`)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := s.Record(context.Background(), d); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := storetest.Query(t, url, "SELECT events FROM event_counts"); !cmp.Equal(got, []string{"1"}) {
		t.Errorf("counted %v", got)
	}
}

const compressedSince = 18 // the migration that compresses bodies

// downTo takes back the migrations behind a version.
func downTo(t testing.TB, url string, version int64) {
	t.Helper()
	provider := stepwise(t, url)
	if _, err := provider.DownTo(t.Context(), version); version < compressedSince {
		// The way back would lose bodies, which the schema of then could not read.
		if err == nil || !strings.Contains(err.Error(), "there are compressed bodies") {
			t.Fatal(err)
		}
		unguarded(t, url, "DELETE FROM delivery_bodies")
		if _, err := provider.DownTo(t.Context(), version); err != nil {
			t.Fatal(err)
		}
	} else if err != nil {
		t.Fatal(err)
	}
}

// An installation that has events already finds them counted.
func TestMigrationCountsWhatIsThere(t *testing.T) {
	_, url := fillZones(t, 300)
	const all = "SELECT concat_ws('|', store_id, kind, bucket AT TIME ZONE 'UTC', events) FROM event_counts ORDER BY store_id, kind, bucket"
	want := storetest.Query(t, url, all)
	downTo(t, url, 2)
	if _, err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, storetest.Query(t, url, all)); diff != "" || len(want) == 0 {
		t.Error(diff)
	}
}
