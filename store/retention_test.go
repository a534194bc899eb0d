package store_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
	"aifi-audit/store/verify"
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

// today orders a retirement by the word of who knows what day it is.
func today(actor, reason string) store.RetentionOrder {
	return store.RetentionOrder{Actor: actor, Reason: reason, Today: time.Now()}
}

func retire(t testing.TB, s *store.Store) store.RetentionRun {
	t.Helper()
	done, err := s.Retire(t.Context(), today("Jane Doe", "their time was over"))
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
	byHand := 0 // what aged did is found too
	result, err := s.Verify(t.Context(), verify.Options{Found: func(f verify.Finding) {
		if f.Class == verify.Tampered && (f.PolicyID != nil || f.What == "lift") {
			byHand++
			return
		}
		found = append(found, f.String())
	}})
	if err != nil {
		t.Fatal(err)
	}
	result.Findings[verify.Tampered] -= byHand
	against := func(f string) bool { return !strings.HasPrefix(f, "RETIRED") && !strings.HasPrefix(f, "ERASED") }
	if slices.ContainsFunc(found, against) == result.Clean() {
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
	if plan, err := s.PlanRetention(t.Context(), time.Now()); err != nil || len(plan.Months) != 0 {
		t.Errorf("without a policy %+v goes, %v", plan, err)
	}
	if _, err := s.SetRetention(t.Context(), jane, store.NewPolicy{Months: months(1)}); err != nil {
		t.Fatal(err)
	}
	if done := retire(t, s); done.Deliveries != 0 {
		t.Errorf("a policy of today removes %+v", done)
	}
	aged(t, d.url)
	plan, err := s.PlanRetention(t.Context(), time.Now())
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
	miscounted(t, d.url)
	wait(t, published, d.sizeWithQueue(t))
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
	now := time.Now().UTC().Truncate(24 * time.Hour)
	fresh := now.Add(2 * time.Hour) // it tells that the clocks are right
	record(t, s, receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "fresh", "c", fresh)), fresh))
	s.Close()
	for _, c := range []struct {
		at   time.Duration
		want string
	}{{14 * time.Hour, "2"}, {2*time.Hour + time.Minute, "1"}} {
		config, published := d.config(t)
		ahead := time.Until(now.Add(c.at))
		storetest.ShiftClock(t, d.url, ahead)
		config.Nightly, config.Now = store.Nightly{Retention: true}, func() time.Time { return time.Now().Add(ahead) }
		s, err := store.Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		if c.want == "1" {
			wait(t, published, 4+1) // received, the policy and its entry, retired
		}
		s.Close()
		if got := count(t, d.url, "deliveries"); got != c.want {
			t.Errorf("after a start at %s there are %s", c.at, got)
		}
	}
}

// What a policy says cannot be got round, neither by the application's role nor by what
// it could do to the database.
func TestTheDatabaseChecksRetentionItself(t *testing.T) {
	d := newSigned(t)
	s, _ := d.open(t)
	old := monthsAgo(3, time.Hour)
	del := receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s", "c", old)), old)
	record(t, s, del)
	url := application(t, d.url)
	month := monthOf(old).Format(time.RFC3339)
	const retirement = "019a0a6e-5f3c-7a10-8b1e-3f1d2c4b5a69"
	row := func(ids string, n int) string {
		return fmt.Sprintf("INSERT INTO log_retirements VALUES ('%s', now(), '%s', timestamptz '%s' + interval '1 month', %s, %d, 1, '', '', '');", retirement, month, month, ids, n)
	}
	leaf := "INSERT INTO log_queue (leaves) VALUES (ARRAY['\\x0105'::bytea || uuid_send('" + retirement + "')]);"
	whole, some := "SELECT retire_month('"+retirement+"')", "SELECT retire_deliveries('"+retirement+"')"
	only := "ARRAY['" + del.ID.String() + "'::uuid]"
	refused := func(when string, attempts map[string]string) {
		t.Helper()
		for sql, want := range attempts {
			if err := exec(t, url, sql); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %s: %v", when, sql, err)
			}
		}
	}
	refused("always", map[string]string{
		"DROP TABLE deliveries" + old.Format("_200601"):                              "must be owner",
		"ALTER TABLE deliveries DETACH PARTITION deliveries" + old.Format("_200601"): "must be owner",
		"UPDATE retention_policies SET at = '2000-01-01'":                            "permission denied",
		"DELETE FROM legal_holds":                                                    "permission denied",
		"DELETE FROM log_retirements":                                                "permission denied",
		"INSERT INTO retention_sweeps VALUES ('month', 0, '2026-01-01')":             "permission denied",
		"SELECT begin_retirement('" + retirement + "')":                              "permission denied",
		whole:                  "is not written",
		row("NULL", 1) + whole: "is not written",
		row(only, 1) + some:    "is not written",
	})
	due := map[string]string{
		row("NULL", 1) + leaf + whole: "not over",
		row(only, 1) + leaf + some:    "not over",
	}
	refused("without a policy", due)
	if err := exec(t, url, "INSERT INTO retention_policies (at, set_by, token_id, months, withdrawn) VALUES ('2000-01-01', 'me', 0, 1, false)"); err != nil {
		t.Fatal(err)
	}
	refused("with a policy that says of itself that it is old", due)
	// A table of its own does not stand for the database's.
	own := "CREATE TEMP TABLE retention_policies AS SELECT 1::bigint AS id, timestamptz '2000-01-01' AS at, ''::text AS set_by, 0::bigint AS token_id, NULL::bigint AS store_id, NULL::text AS webhook, 1 AS months, false AS withdrawn;"
	refused("with a table of its own", map[string]string{own + row("NULL", 1) + leaf + whole: "not over"})
	aged(t, d.url)
	place(t, s, store.NewHold{SessionID: "s"})
	refused("on hold", map[string]string{
		row("NULL", 1) + leaf + whole: "on legal hold",
		row(only, 1) + leaf + some:    "on legal hold",
		"CREATE TEMP VIEW held_deliveries AS SELECT d.*, now() AS lifted_at, d.id AS delivery_id FROM deliveries d WHERE false;" + row("NULL", 1) + leaf + whole: "on legal hold",
	})
	if err := exec(t, url, "INSERT INTO hold_lifts SELECT id, '2000-01-01', 'me', 0, 'r' FROM legal_holds"); err != nil {
		t.Fatal(err)
	}
	refused("on a hold that was lifted just now", map[string]string{row("NULL", 1) + leaf + whole: "on legal hold"})
	aged(t, d.url)
	refused("with what is not there", map[string]string{
		row("NULL", 2) + leaf + whole:                         "there are 1 deliveries, and not 2",
		row("ARRAY['"+retirement+"'::uuid]", 1) + leaf + some: "there are 0 of the 1 deliveries",
		row(only, 1) + leaf + whole:                           "is not of a month",
		strings.ReplaceAll(row("NULL", 1), month, monthOf(old).AddDate(0, 0, 1).Format(time.RFC3339)) + leaf + whole: "is not of a month",
	})
	s.Close()
	if n := count(t, d.url, "deliveries"); n != "1" {
		t.Fatalf("%s deliveries", n)
	}
	// All that the server does works for the role that it has.
	config, _ := d.config(t)
	config.DatabaseURL = url
	app, err := store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	if done := retire(t, app); done.Deliveries != 1 || done.Partitions != 1 || done.Events != 1 {
		t.Errorf("%+v", done)
	}
}

// Ingest goes on while months are dropped under it, and loses nothing: neither what
// comes now nor what comes late, into the very months that go.
func TestIngestGoesOnWhileMonthsGo(t *testing.T) {
	d := newSigned(t)
	s, _ := d.open(t)
	defer s.Close()
	if err := s.EnsurePartitions(t.Context(), monthsAgo(12, 0), monthsAgo(0, 0)); err != nil {
		t.Fatal(err)
	}
	for n := range 8 {
		for i := range 5 {
			at := monthsAgo(4+n, time.Duration(i)*time.Hour)
			record(t, s, receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, fmt.Sprint("old", n, i), "c", at)), at))
		}
	}
	keepFor(t, d.url, s, store.NewPolicy{Months: months(3)})
	var kept sync.Map
	var ingest sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for w := range 4 {
		ingest.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				at := time.Now()
				del := deliver(t, aifi.RestrictedProductsInteractions, shopped(7, fmt.Sprint("new", w, i), "c", at))
				if i%10 == 0 { // late: it happened in a month that goes
					del = receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, fmt.Sprint("late", w, i), "c", monthsAgo(5, 0))), monthsAgo(0, 0))
				}
				if _, err := s.Record(context.WithoutCancel(ctx), del); err != nil {
					t.Error(err)
					return
				}
				kept.Store(del.ID.String(), true)
			}
		})
	}
	done := retire(t, s)
	stop()
	ingest.Wait()
	if done.Deliveries != 40 || done.Partitions < 8 || len(done.Busy) > 0 {
		t.Errorf("%+v", done)
	}
	there := map[string]bool{}
	for _, id := range storetest.Query(t, d.url, "SELECT d.id::text FROM deliveries d JOIN delivery_bodies b ON b.delivery_id = d.id JOIN events e ON e.id = d.event_id AND e.occurred_at = d.event_occurred_at") {
		there[id] = true
	}
	kept.Range(func(id, _ any) bool {
		if !there[id.(string)] {
			t.Errorf("%s is lost", id)
		}
		delete(there, id.(string))
		return true
	})
	if len(there) > 0 {
		t.Errorf("%d deliveries are left that nobody was told of", len(there))
	}
}

// A run that ends midway, however it ends, leaves what the next completes.
func TestTheNextRunCompletesWhatOneLeft(t *testing.T) {
	for name, end := range map[string]string{
		// Each ends the run where it is at some step.
		"before a month goes":       "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'killed'; END $$; CREATE TRIGGER fail BEFORE INSERT ON log_retirements EXECUTE FUNCTION fail()",
		"before its events go":      "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'killed'; END $$; CREATE TRIGGER fail BEFORE DELETE ON event_personal_info EXECUTE FUNCTION fail()",
		"before its sessions go":    "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'killed'; END $$; CREATE TRIGGER fail BEFORE DELETE ON sessions EXECUTE FUNCTION fail()",
		"before the last is marked": "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'killed'; END $$; CREATE TRIGGER fail BEFORE DELETE ON customers EXECUTE FUNCTION fail()",
	} {
		t.Run(name, func(t *testing.T) {
			d := newSigned(t)
			s, published := d.open(t)
			defer s.Close()
			for i := range 5 {
				at := monthsAgo(3, time.Duration(i)*time.Hour)
				record(t, s, receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, fmt.Sprint("s", i), "c", at)), at))
			}
			young := monthsAgo(0, 0)
			record(t, s, receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "young", "y", young)), young))
			keepFor(t, d.url, s, store.NewPolicy{Months: months(1)})
			wait(t, published, d.sizeWithQueue(t))
			storetest.SQL(t, d.url, end)
			if _, err := s.Retire(t.Context(), today("a", "r")); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Fatal(err)
			}
			findings(t, d) // whatever is left is by the rules
			storetest.SQL(t, d.url, "DROP FUNCTION fail CASCADE")
			retire(t, s)
			for table, want := range map[string]string{"deliveries": "1", "events": "1", "event_products": "2", "sessions": "1", "customers": "1", "retention_sweeps": "0", "log_retirements": "1"} {
				if got := count(t, d.url, table); got != want {
					t.Errorf("%s has %s rows", table, got)
				}
			}
			wait(t, published, d.sizeWithQueue(t))
			if found := findings(t, d); len(found) != 1 {
				t.Errorf("%q", found)
			}
		})
	}
}

// overdue records a delivery whose time is over.
func overdue(t testing.TB, url string, s *store.Store) {
	t.Helper()
	at := monthsAgo(3, 0)
	record(t, s, receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s", "c", at)), at))
	keepFor(t, url, s, store.NewPolicy{Months: months(1)})
}

// A reader who goes on reading keeps a month, and nobody waits for long.
func TestAMonthThatIsReadWaits(t *testing.T) {
	d := newSigned(t)
	s, _ := d.open(t)
	defer s.Close()
	overdue(t, d.url, s)
	reader, err := pgx.Connect(t.Context(), d.url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close(context.Background()) }()
	if _, err := reader.Exec(t.Context(), "BEGIN; SELECT count(*) FROM deliveries"); err != nil {
		t.Fatal(err)
	}
	var done store.RetentionRun
	var run sync.WaitGroup
	run.Go(func() {
		var err error
		if done, err = s.Retire(t.Context(), today("a", "r")); err != nil {
			t.Error(err)
		}
	})
	for range 20 {
		record(t, s, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, uuid.NewString(), "c", time.Now())))
	}
	if _, err := reader.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if run.Wait(); done.Deliveries != 1 || done.Partitions != 1 {
		t.Errorf("%+v", done)
	}
}

// A hold that is placed while a retirement is under way counts, whatever the database is
// set to.
func TestAHoldThatIsPlacedDuringARetirement(t *testing.T) {
	d := newSigned(t)
	storetest.SQL(t, d.url, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''repeatable read''', current_database()); END $$",
		"CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NEW; END'",
		"CREATE TRIGGER dawdle BEFORE INSERT ON log_retirements FOR EACH ROW EXECUTE FUNCTION dawdle()")
	s, _ := d.open(t)
	defer s.Close()
	overdue(t, d.url, s)
	gate, err := pgx.Connect(t.Context(), d.url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = gate.Close(context.Background()) }()
	if _, err := gate.Exec(t.Context(), "SELECT pg_advisory_lock(42)"); err != nil {
		t.Fatal(err)
	}
	retired := make(chan store.RetentionRun, 1)
	go func() {
		done, err := s.Retire(t.Context(), today("Jane Doe", "their time was over"))
		if err != nil {
			t.Error(err)
		}
		retired <- done
	}()
	storetest.Eventually(t, "the retirement waits", func() bool {
		return storetest.Query(t, d.url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted")[0] == "1"
	})
	storetest.SQL(t, d.url, "INSERT INTO legal_holds (id, at, placed_by, token_id, reason, store_id) VALUES (gen_random_uuid(), now(), 'Jane Doe', 0, 'a hearing', 7)")
	if _, err := gate.Exec(t.Context(), "SELECT pg_advisory_unlock(42)"); err != nil {
		t.Fatal(err)
	}
	if done := <-retired; done.Deliveries != 0 || count(t, d.url, "deliveries") != "1" {
		t.Errorf("what is held is gone: %+v", done)
	}
}

// Nothing hides behind a retirement.
func TestWhatARetirementCannotHide(t *testing.T) {
	d := newSigned(t)
	s, published := d.open(t)
	at := monthsAgo(3, 0)
	var ids [3]uuid.UUID
	for i := range ids {
		del := receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, fmt.Sprint("s", i), "c", at)), at)
		record(t, s, del)
		ids[i] = del.ID
	}
	young := deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "young", "c", time.Now()))
	record(t, s, young)
	keepFor(t, d.url, s, store.NewPolicy{Months: months(1)})
	wait(t, published, d.sizeWithQueue(t))
	before := storetest.Clone(t, closed(t, s, d.url))

	s, published = d.open(t)
	retire(t, s)
	wait(t, published, d.sizeWithQueue(t))
	after := closed(t, s, d.url)
	forged := fmt.Sprintf("INSERT INTO log_retirements SELECT gen_random_uuid(), now(), '%[1]s', timestamptz '%[1]s' + interval '1 month', ARRAY['%[2]s'::uuid], 1, 1, secret, actor, reason FROM log_retirements",
		monthsAgo(0, 0).Format(time.RFC3339), young.ID)
	gone := fmt.Sprintf("DELETE FROM deliveries WHERE id = '%s'", young.ID)
	for name, c := range map[string]struct {
		sql  []string
		want []string
	}{
		"nothing":                     {nil, []string{"RETIRED deliveries"}},
		"its row is changed":          {[]string{"UPDATE log_retirements SET reason = 'x'"}, []string{"RETIRED deliveries", "TAMPERED retirement"}},
		"it is widened":               {[]string{"UPDATE log_retirements SET to_time = to_time + interval '4 months'", gone}, []string{"RETIRED deliveries", "TAMPERED event", "TAMPERED retirement", "TAMPERED retirement"}},
		"its row is removed":          {[]string{"DELETE FROM log_retirements"}, []string{"MISSING delivery", "MISSING delivery", "MISSING delivery", "MISSING retirement"}},
		"one is forged":               {[]string{forged, gone}, []string{"MISSING delivery", "RETIRED deliveries", "TAMPERED event", "TAMPERED retirement"}},
		"a young delivery is removed": {[]string{gone}, []string{"MISSING delivery", "RETIRED deliveries", "TAMPERED event"}},
	} {
		t.Run(name, func(t *testing.T) {
			copied := d
			copied.url = storetest.Clone(t, after)
			unguarded(t, copied.url, c.sql...)
			if diff := gocmp.Diff(c.want, classes(findings(t, copied))); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("what was gone before", func(t *testing.T) {
		tampered := d
		tampered.url = before
		tampered.memory += "2"
		unguarded(t, before, fmt.Sprintf("DELETE FROM deliveries WHERE id = '%s'", ids[1]))
		s, published := tampered.open(t)
		defer s.Close()
		retire(t, s)
		wait(t, published, tampered.sizeWithQueue(t))
		if diff := gocmp.Diff([]string{"RETIRED deliveries", "TAMPERED retirement"}, classes(findings(t, tampered))); diff != "" {
			t.Error(diff)
		}
	})
}

// closed closes a store and gives the URL of its database, which can be cloned then.
func closed(t testing.TB, s *store.Store, url string) string {
	t.Helper()
	s.Close()
	return url
}

// classes are the first two words of findings, in order.
func classes(findings []string) []string {
	var classes []string
	for _, f := range findings {
		words := strings.Fields(f)
		classes = append(classes, words[0]+" "+words[1])
	}
	slices.Sort(classes)
	return classes
}

// A webhook that is dated far away is kept like any other, and alarms nobody alone.
func TestWebhooksOfOtherTimesAreHarmless(t *testing.T) {
	d := newSigned(t)
	s, published := d.open(t)
	defer s.Close()
	var ids []uuid.UUID
	for i, at := range []time.Time{time.Unix(0, 0), time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)} {
		del := deliver(t, aifi.RestrictedProductsInteractions, shopped(7, fmt.Sprint("s", i), "c", at.UTC()))
		if r := record(t, s, del); r.Status != store.Stored {
			t.Errorf("%s: %+v", at, r)
		}
		ids = append(ids, del.ID)
		from, to := at, at.Add(time.Second)
		found, _, err := s.Events(t.Context(), store.Scope{}, store.AlcoholInteraction, store.Filter{From: &from, To: &to}, store.Page{Limit: 10})
		if err != nil || len(found) != 1 || found[0].DeliveryID != del.ID {
			t.Errorf("%s: found %v, %v", at, found, err)
		}
	}
	wait(t, published, d.sizeWithQueue(t))
	for table, want := range map[string]string{"events_default": "4", "event_products_default": "8", "deliveries_default": "0"} {
		if got := count(t, d.url, table); got != want {
			t.Errorf("%s has %s rows", table, got)
		}
	}
	if err := s.EnsurePartitions(t.Context(), monthsAgo(3, 0), monthsAgo(0, 0)); err != nil {
		t.Error(err)
	}
	for _, id := range ids {
		d.prove(t, s, id)
	}
	if found := findings(t, d); len(found) > 0 {
		t.Errorf("%q", found)
	}
}
