package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// refusedFor records a delivery that its token may not speak for, so that it can be
// replayed by somebody else.
func refusedFor(t *testing.T, s *store.Store, customer string, at time.Time) store.Delivery {
	t.Helper()
	d := receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s", customer, at)), at)
	d.TokenScope = store.OnlyStores([]int64{8})
	if r := record(t, s, d); r.Status != store.Quarantined {
		t.Fatalf("it is %s", r.Status)
	}
	return d
}

type replayOutcome struct {
	receipt store.Receipt
	err     error
}

// A replay that meets an erasure does not bring back what is erased.
func TestAReplayDuringAnErasure(t *testing.T) {
	d := newSigned(t)
	s, _ := d.open(t)
	defer s.Close()
	quarantined := refusedFor(t, s, "victim", time.Now().UTC().Add(-time.Hour))
	record(t, s, deliver(t, aifi.RestrictedProductsInteractions, shopped(8, "s8", "victim", time.Now().UTC())))
	asked, err := s.RequestErasure(t.Context(), store.NewErasure{Whom: store.Whom{CustomerID: "victim"}, By: "Jane Doe", Reason: "Art. 17 GDPR"})
	if err != nil {
		t.Fatal(err)
	}
	replay := make(chan replayOutcome, 1)
	_, err = s.Erase(t.Context(), asked.ID, store.Execution{By: "Jane Doe", Unapproved: true, Progress: func(step string, _ int64) {
		if step != "erasing rows" {
			return
		}
		go func() {
			r, err := s.Replay(t.Context(), store.Scope{}, quarantined.ID)
			replay <- replayOutcome{r, err}
		}()
		storetest.Eventually(t, "the replay waits for the erasure", func() bool {
			return storetest.Query(t, d.url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%name: ExpectQuarantined%' AND wait_event_type = 'Lock'")[0] == "1"
		})
	}})
	if err != nil {
		t.Fatal(err)
	}
	if r := <-replay; !errors.Is(r.err, store.ErrNotFound) {
		t.Errorf("the replay came to %+v", r)
	}
	for table, query := range map[string]string{
		"events": "SELECT count(*) FROM events WHERE customer_id = 'victim'", "sessions": "SELECT count(*) FROM sessions WHERE customer_id = 'victim'", "customers": "SELECT count(*) FROM customers",
	} {
		if got := storetest.Query(t, d.url, query)[0]; got != "0" {
			t.Errorf("%s of %s name the person", got, table)
		}
	}
}

// refusing opens a store that has refused a webhook about the victim, whom an erasure is to
// be about.
func (d signed) refusing(t testing.TB) (s *store.Store, refused store.Delivery, asked store.Erasure) {
	t.Helper()
	config, _ := d.config(t)
	config.Refusals = store.Refusals{Most: 10, MostBytes: 1 << 20}
	s, err := store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	record(t, s, deliver(t, aifi.RestrictedProductsInteractions, shopped(8, "s8", "victim", time.Now().UTC())))
	refused = deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s", "victim", time.Now().UTC()))
	s.KeepRefused("mistyped", store.UnknownToken, refused)
	storetest.Eventually(t, "what was refused is written", func() bool { return count(t, d.url, "refused") == "1" })
	if asked, err = s.RequestErasure(t.Context(), store.NewErasure{Whom: store.Whom{CustomerID: "victim"}, By: "Jane Doe", Reason: "Art. 17 GDPR"}); err != nil {
		t.Fatal(err)
	}
	return s, refused, asked
}

// waits reports whether a statement of the store waits for a lock.
func (d signed) waits(t testing.TB, statement string) bool {
	return storetest.Query(t, d.url, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%name: ' || $1 || ' %' AND wait_event_type = 'Lock'`, statement)[0] == "1"
}

// namesNobody checks that nothing of the victim is left.
func (d signed) namesNobody(t testing.TB) {
	t.Helper()
	for table, query := range map[string]string{
		"events": "SELECT count(*) FROM events WHERE customer_id = 'victim'", "sessions": "SELECT count(*) FROM sessions WHERE customer_id = 'victim'",
		"customers": "SELECT count(*) FROM customers", "bodies": "SELECT count(*) FROM delivery_bodies", "refused": "SELECT count(*) FROM refused",
	} {
		if got := storetest.Query(t, d.url, query)[0]; got != "0" {
			t.Errorf("%s of %s name the person", got, table)
		}
	}
}

// What was refused, and is replayed while it is erased, does not come back, nor do webhooks
// wait for the erasure behind it.
func TestARefusedWebhookIsReplayedDuringAnErasure(t *testing.T) {
	d := newSigned(t)
	s, refused, asked := d.refusing(t)
	var replays []error
	_, err := s.Erase(t.Context(), asked.ID, store.Execution{By: "Jane Doe", Unapproved: true, Progress: func(step string, _ int64) {
		if step == "erasing rows" {
			_, err := s.ReplayRefused(t.Context(), store.Scope{}, refused.ID)
			replays = append(replays, err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(replays) == 0 {
		t.Error("nothing was replayed")
	}
	for _, err := range replays {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the replay came to %v", err)
		}
	}
	d.namesNobody(t)
	if got := count(t, d.url, "deliveries"); got != "1" {
		t.Errorf("%s deliveries are there", got)
	}
}

// A replay that is under way when an erasure comes is erased with the rest.
func TestAnErasureDuringTheReplayOfARefusedWebhook(t *testing.T) {
	d := newSigned(t)
	s, refused, asked := d.refusing(t)
	storetest.SQL(t, d.url, "CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END'",
		"CREATE TRIGGER pause BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION pause()")
	gate, err := pgx.Connect(t.Context(), d.url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = gate.Close(t.Context()) }()
	if _, err := gate.Exec(t.Context(), "SELECT pg_advisory_lock(1)"); err != nil {
		t.Fatal(err)
	}
	replay, erased := make(chan replayOutcome, 1), make(chan error, 1)
	go func() {
		r, err := s.ReplayRefused(t.Context(), store.Scope{}, refused.ID)
		replay <- replayOutcome{r, err}
	}()
	storetest.Eventually(t, "the replay is under way", func() bool { return d.waits(t, "UpsertSessions") })
	var done store.Erasure
	go func() {
		var err error
		done, err = s.Erase(t.Context(), asked.ID, store.Execution{By: "Jane Doe", Unapproved: true})
		erased <- err
	}()
	storetest.Eventually(t, "the erasure waits for the replay", func() bool { return d.waits(t, "EraseRefused") })
	if _, err := gate.Exec(t.Context(), "SELECT pg_advisory_unlock(1)"); err != nil {
		t.Fatal(err)
	}
	if r := <-replay; r.err != nil || r.receipt.Status != store.Stored {
		t.Errorf("the replay came to %+v", r)
	}
	if err := <-erased; err != nil {
		t.Fatal(err)
	}
	if done.Erased == nil || done.Erased.Deliveries != 2 || done.Erased.Refused != 1 {
		t.Errorf("erased were %+v", done.Erased)
	}
	d.namesNobody(t)
}

// A replay of what retention removes meanwhile leaves no event without a delivery.
func TestAReplayDuringARetirement(t *testing.T) {
	d := newSigned(t)
	s, _ := d.open(t)
	defer s.Close()
	quarantined := refusedFor(t, s, "c", monthsAgo(2, time.Hour))
	retiring, err := pgx.Connect(t.Context(), d.url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = retiring.Close(t.Context()) }()
	if _, err := retiring.Exec(t.Context(), "SET application_name = 'aifi-audit retires'; BEGIN; DELETE FROM deliveries; DELETE FROM delivery_bodies; DELETE FROM quarantine"); err != nil {
		t.Fatal(err)
	}
	replay := make(chan replayOutcome, 1)
	go func() {
		r, err := s.Replay(t.Context(), store.Scope{}, quarantined.ID)
		replay <- replayOutcome{r, err}
	}()
	storetest.Eventually(t, "the replay waits for the retirement", func() bool {
		return storetest.Query(t, d.url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%name: ExpectQuarantined%' AND wait_event_type = 'Lock'")[0] == "1"
	})
	if _, err := retiring.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if r := <-replay; !errors.Is(r.err, store.ErrNotFound) {
		t.Errorf("the replay came to %+v", r)
	}
	if got := count(t, d.url, "events"); got != "0" {
		t.Errorf("%s events are of no delivery", got)
	}
}

// A delivery that could not be stored, and is recorded again when it can, is not there
// twice: the first lies under no store.
func TestADeliveryIsNotRecordedUnderTwoStores(t *testing.T) {
	d := newSigned(t)
	config, _ := d.config(t)
	config.Local = &store.Local{Dir: t.TempDir(), CommitDeadline: 50 * time.Millisecond}
	s, err := store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.SQL(t, d.url, "CREATE SEQUENCE tries",
		"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF nextval(''tries'') = 1 THEN PERFORM pg_sleep(0.5); RAISE data_exception; END IF; RETURN NEW; END'",
		"CREATE TRIGGER refuse BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION refuse()")
	if r := record(t, s, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s", "c", time.Now().UTC()))); r.Status != store.Spooled {
		t.Fatalf("it is %s", r.Status)
	}
	storetest.Eventually(t, "the spool is drained", func() bool { return s.Spool().Records == 0 && count(t, d.url, "deliveries") != "0" })
	if got := count(t, d.url, "deliveries"); got != "1" {
		t.Errorf("it is there %s times", got)
	}
}
