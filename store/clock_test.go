package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

const years = 4 * 365 * 24 * time.Hour

// shiftedClocks opens a store on a database, when both clocks are ahead by so much.
func (d signed) shiftedClocks(t testing.TB, database, server time.Duration) *store.Store {
	t.Helper()
	storetest.ShiftClock(t, d.url, database)
	config, _ := d.config(t)
	config.Now = func() time.Time { return time.Now().Add(server) }
	s, err := store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// heldBack checks that nothing is removed, and that it is said why.
func (d signed) heldBack(t testing.TB, s *store.Store, o store.RetentionOrder, why string) {
	t.Helper()
	deliveries, partitions := count(t, d.url, "deliveries"), count(t, d.url, "pg_inherits")
	plan, err := s.PlanRetention(t.Context(), o.Today)
	if err != nil || len(plan.Months) == 0 || !strings.Contains(plan.Doubt, why) {
		t.Errorf("the plan is of %d months, with the doubt %q, not %q: %v", len(plan.Months), plan.Doubt, why, err)
	}
	done, err := s.Retire(t.Context(), o)
	var clock *store.ClockError
	if !errors.As(err, &clock) || !strings.Contains(err.Error(), why) {
		t.Errorf("%+v, %v", done, err)
	}
	if got := count(t, d.url, "deliveries"); got != deliveries {
		t.Errorf("of %s deliveries %s are left", deliveries, got)
	}
	if got := count(t, d.url, "pg_inherits"); got != partitions {
		t.Errorf("of %s partitions %s are left", partitions, got)
	}
}

// A clock that is years ahead, the database's, the server's or that of the machine on which
// both run, removes nothing, whatever came meanwhile.
func TestAWrongClockRemovesNothing(t *testing.T) {
	d := newSigned(t)
	s, _ := d.open(t)
	add := func(s *store.Store, session string, received, issued time.Time) {
		t.Helper()
		record(t, s, receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, session, "c", issued)), received))
	}
	now := time.Now().UTC()
	for i, session := range []string{"a", "b", "c"} {
		at := now.Add(-time.Duration(i+1) * time.Hour)
		add(s, session, at, at)
	}
	keepFor(t, d.url, s, store.NewPolicy{Months: months(24)})
	s.Close()
	night := store.RetentionOrder{Actor: "a", Reason: "r"}
	d.heldBack(t, d.shiftedClocks(t, years, 0), night, "one of them is wrong")
	today := night
	today.Today = now
	d.heldBack(t, d.shiftedClocks(t, years, 0), today, "one of them is wrong")

	both := d.shiftedClocks(t, years, years)
	d.heldBack(t, both, night, "AiFi sent the newest webhooks at about "+now.Format("2006"))
	d.heldBack(t, both, today, "which is said to be today")
	// Nor by one webhook that is dated as the clock is.
	add(both, "received by the wrong clock", now.Add(years), now)
	add(both, "of a wrong time of issue", now.Add(years), now.Add(years))
	d.heldBack(t, both, night, "AiFi sent the newest webhooks at about "+now.Format("2006"))

	right := d.shiftedClocks(t, 0, 0)
	if plan, err := right.PlanRetention(t.Context(), time.Time{}); err != nil || len(plan.Months) != 0 || plan.Doubt != "" {
		t.Errorf("by the right clock %+v goes, %v", plan, err)
	}
	if _, err := right.Retire(t.Context(), night); err != nil {
		t.Error(err)
	}
}

// Where webhooks come, what is due goes by itself, also if a clock was ahead once. Where
// none come any more, it goes when somebody says what day it is.
func TestWhatIsDueGoesWhenTheTimeIsSure(t *testing.T) {
	d := newSigned(t)
	s, _ := d.open(t)
	defer s.Close()
	order := store.RetentionOrder{Actor: "a", Reason: "r"}
	overdue(t, d.url, s)
	d.heldBack(t, s, order, "say what day it is")
	wrong := order
	wrong.Today = time.Now().AddDate(0, 0, -3)
	d.heldBack(t, s, wrong, "which is said to be today")
	order.Today = time.Now().UTC().Truncate(24 * time.Hour)
	if done, err := s.Retire(t.Context(), order); err != nil || done.Deliveries != 1 {
		t.Errorf("%+v, %v", done, err)
	}

	overdue(t, d.url, s)
	order.Today = time.Time{}
	tomorrow := time.Now().Add(years)
	record(t, s, receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "ahead", "c", monthsAgo(1, 0))), tomorrow))
	record(t, s, receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "fresh", "c", time.Now())), time.Now()))
	if done, err := s.Retire(t.Context(), order); err != nil || done.Deliveries != 1 {
		t.Errorf("%+v, %v", done, err)
	}
}

// That the clocks disagree is told.
func TestClocksThatDisagreeAreTold(t *testing.T) {
	url := storetest.URL(t)
	storetest.ShiftClock(t, url, 90*time.Second)
	var said lockedBuffer
	registry := prometheus.NewRegistry()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Logger: said.logger(), Metrics: store.NewMetrics(registry)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	said.wait(t, "THE CLOCKS OF THE DATABASE AND OF THIS SERVER DISAGREE")
	if found := gathered(t, registry, "aifi_audit_database_clock_offset_seconds"); len(found) != 1 || found[0].value < 80 || found[0].value > 100 {
		t.Errorf("the offset is %v", found)
	}
}
