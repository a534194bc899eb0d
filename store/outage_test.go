package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// spooling opens a Store that keeps deliveries below dir while the database is away.
func spooling(t testing.TB, url, dir string) *store.Store {
	t.Helper()
	return spoolingAfter(t, url, dir, 200*time.Millisecond)
}

// spoolingAfter is spooling with another deadline for commits.
func spoolingAfter(t testing.TB, url, dir string, deadline time.Duration) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Local: &store.Local{Dir: dir, CommitDeadline: deadline}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drained reports whether nothing is left in the spool, once that is known.
func drained(s *store.Store) bool {
	st := s.Spool()
	return st.Records == 0 && !st.Counting
}

func interactionOf(t testing.TB, n int) store.Delivery {
	t.Helper()
	return deliver(t, aifi.RestrictedProductsInteractions,
		fmt.Sprintf(`{"storeId":%d,"sessionId":"s%d","eventId":"e%d","timeOfOrigin":"2026-01-02T03:04:05Z"}`, n%5, n%7, n))
}

// kept checks that the database holds exactly these deliveries, byte for byte, and
// an event for each.
func kept(t testing.TB, url string, all []store.Delivery) {
	t.Helper()
	var want []string
	for _, d := range all {
		want = append(want, fmt.Sprintf("%s %s %x", d.ID, store.ReceivedAt(d.ID).Format("2006-01-02 15:04:05.000000"), sha256.Sum256(d.Body)))
	}
	slices.Sort(want)
	got := storetest.Query(t, url, `SELECT d.id || ' ' || to_char(d.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || ' '
		FROM deliveries d JOIN delivery_bodies b ON b.store_id = d.store_id AND b.received_at = d.received_at AND b.delivery_id = d.id
		JOIN events e ON e.store_id = d.store_id AND e.kind = d.event_kind AND e.occurred_at = d.event_occurred_at AND e.id = d.event_id
		ORDER BY 1`)
	sums := map[string]string{}
	storetest.EachBody(t, url, func(id string, body []byte, err error) {
		if err != nil {
			t.Errorf("the body of %s: %v", id, err)
		}
		sums[id] = fmt.Sprintf("%x", sha256.Sum256(body))
	})
	for i, line := range got {
		id, _, _ := strings.Cut(line, " ")
		got[i] += sums[id]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := storetest.Query(t, url, "SELECT count(*) FROM events"); got[0] != fmt.Sprint(len(all)) {
		t.Errorf("%s events, want %d", got[0], len(all))
	}
}

func TestDeliveriesOutlastAnOutage(t *testing.T) {
	for name, fail := range map[string]func(*storetest.Proxy){"connections cut": (*storetest.Proxy).Cut, "server hangs": (*storetest.Proxy).Hold} {
		t.Run(name, func(t *testing.T) {
			url := storetest.URL(t)
			proxy := storetest.NewProxy(t, url)
			s := spoolingAfter(t, proxy.URL, t.TempDir(), 5*time.Second) // a busy machine commits in time too
			defer s.Close()
			var all []store.Delivery
			statuses := map[store.Status]int{}
			send := func(from, to int) {
				var mu sync.Mutex
				var senders sync.WaitGroup
				for n := from; n < to; n++ {
					d := interactionOf(t, n)
					all = append(all, d)
					senders.Go(func() {
						r, err := s.Record(context.Background(), d)
						if err != nil {
							t.Error(err)
						}
						mu.Lock()
						defer mu.Unlock()
						statuses[r.Status]++
					})
				}
				senders.Wait()
			}
			send(0, 50)
			fail(proxy)
			send(50, 150)
			if s.ReadyToRead(t.Context()) == nil {
				t.Error("ready to read without a database")
			}
			if err := s.ReadyToIngest(t.Context()); err != nil {
				t.Errorf("not ready to keep deliveries: %v", err)
			}
			proxy.Mend()
			storetest.Eventually(t, "the spool is empty", func() bool { return drained(s) })
			send(150, 200)
			if statuses[store.Spooled] < 100 || statuses[store.Stored] < 50 {
				t.Errorf("became %v", statuses)
			}
			kept(t, url, all)
		})
	}
}

func TestStartWithoutTheDatabase(t *testing.T) {
	url, dir := storetest.URL(t), t.TempDir()
	proxy := storetest.NewProxy(t, url)
	s := spooling(t, proxy.URL, dir)
	good, err := s.CreateToken(t.Context(), "good", []store.Right{store.MayIngest}, []int64{3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	revoked, err := s.CreateToken(t.Context(), "revoked", []store.Right{store.MayIngest}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RevokeToken(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	s.Close()

	proxy.Cut()
	s = spooling(t, proxy.URL, dir)
	token, why := s.Authenticate(t.Context(), good)
	if why != "" || !token.May(store.MayIngest) || token.Scope().Allows(4) || !token.Scope().Allows(3) {
		t.Errorf("a good token is %+v, %v", token, why)
	}
	for name, secret := range map[string]string{"revoked": revoked, "unknown": "aifi_audit_x"} {
		if _, why := s.Authenticate(t.Context(), secret); why == "" {
			t.Errorf("a token that is %s passes", name)
		}
	}
	all := []store.Delivery{interactionOf(t, 1), interactionOf(t, 2)}
	for _, d := range all {
		if r := record(t, s, d); r.Status != store.Spooled {
			t.Errorf("a delivery is %v", r.Status)
		}
	}
	// What is spooled outlasts the process.
	s.Close()
	s = spooling(t, proxy.URL, dir)
	defer s.Close()
	proxy.Mend()
	storetest.Eventually(t, "the spool is empty", func() bool { return drained(s) })
	kept(t, url, all)
	if err := s.ReadyToRead(t.Context()); err != nil {
		t.Error(err)
	}
}

// What an operator must see to is told also when the database takes long to say so.
func TestALateRefusalIsTold(t *testing.T) {
	proxy := storetest.NewProxy(t, ordinaryOwner(t)) // there are no tables
	proxy.Hold()
	var logged lockedBuffer
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: proxy.URL, Logger: logged.logger(), Local: &store.Local{Dir: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	proxy.Mend()
	logged.wait(t, "run `aifi-audit migrate up`")
}

func TestTokensAreGoodForAWhileOnly(t *testing.T) {
	url, dir := storetest.URL(t), t.TempDir()
	now := time.Now()
	config := store.Config{DatabaseURL: url, Now: func() time.Time { return now }, Local: &store.Local{Dir: dir, TokenGrace: time.Hour}}
	s, err := store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := s.CreateToken(t.Context(), "a", []store.Right{store.MayIngest}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if text, err := os.ReadFile(filepath.Join(dir, "tokens.json")); err != nil || len(text) == 0 {
		t.Fatal(err)
	}
	proxy := storetest.NewProxy(t, url)
	proxy.Cut()
	config.DatabaseURL = proxy.URL
	for age, want := range map[time.Duration]bool{59 * time.Minute: true, 61 * time.Minute: false} {
		later := now.Add(age)
		config.Now = func() time.Time { return later }
		s, err := store.Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		if _, why := s.Authenticate(t.Context(), secret); (why == "") != want {
			t.Errorf("after %s the token is %q", age, why)
		}
		s.Close()
	}
}

// A full spool is told, and the next delivery after there is room again is kept.
func TestAFullSpool(t *testing.T) {
	url := storetest.URL(t)
	proxy := storetest.NewProxy(t, url)
	s, err := store.Open(t.Context(), store.Config{
		DatabaseURL: proxy.URL, Local: &store.Local{Dir: t.TempDir(), SpoolBytes: 4000, CommitDeadline: 100 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	proxy.Cut()
	var all []store.Delivery
	for n := 0; ; n++ {
		d := interactionOf(t, n)
		_, err := s.Record(t.Context(), d)
		if err == nil {
			all = append(all, d)
			continue
		}
		if !errors.Is(err, store.ErrSpoolFull) {
			t.Errorf("the first that does not fit: %v", err)
		}
		break
	}
	if err := s.ReadyToIngest(t.Context()); !errors.Is(err, store.ErrSpoolFull) {
		t.Errorf("with a full spool it is ready: %v", err)
	}
	proxy.Mend()
	storetest.Eventually(t, "the spool is empty", func() bool { return drained(s) })
	if err := s.ReadyToIngest(t.Context()); err != nil {
		t.Errorf("with room again it is not ready: %v", err)
	}
	d := interactionOf(t, 1000)
	record(t, s, d)
	kept(t, url, append(all, d))
}

// A spool that does not work is told, once, and works again when it can.
func TestASpoolThatDoesNotWork(t *testing.T) {
	url, dir := storetest.URL(t), t.TempDir()
	proxy := storetest.NewProxy(t, url)
	var log lockedBuffer
	local := store.Local{Dir: dir, CommitDeadline: 100 * time.Millisecond}
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: proxy.URL, Local: &local, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	proxy.Cut()
	for _, err := range []error{os.RemoveAll(local.SpoolDir()), os.WriteFile(local.SpoolDir(), nil, 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range 3 {
		if _, err := s.Record(t.Context(), interactionOf(t, n)); !errors.Is(err, store.ErrSpoolFails) {
			t.Errorf("got %v", err)
		}
	}
	if err := s.ReadyToIngest(t.Context()); !errors.Is(err, store.ErrSpoolFails) {
		t.Errorf("it is ready: %v", err)
	}
	if got := s.State(t.Context(), store.Scope{}, nil).SpoolRefuses; !errors.Is(got, store.ErrSpoolFails) {
		t.Errorf("the state says %v", got)
	}
	log.mu.Lock()
	text := log.text.String()
	log.mu.Unlock()
	if n := strings.Count(text, "webhooks are refused"); n != 1 {
		t.Errorf("it is logged %d times:\n%s", n, text)
	}
	if err := os.Remove(local.SpoolDir()); err != nil {
		t.Fatal(err)
	}
	d := interactionOf(t, 3)
	record(t, s, d)
	if err := s.ReadyToIngest(t.Context()); err != nil {
		t.Errorf("it is not ready: %v", err)
	}
	proxy.Mend()
	storetest.Eventually(t, "the spool is empty", func() bool { return drained(s) })
	kept(t, url, []store.Delivery{d})
}

func TestARecordThatIsNoneIsSetAside(t *testing.T) {
	url, dir := storetest.URL(t), t.TempDir()
	all := []store.Delivery{interactionOf(t, 1), interactionOf(t, 2)}
	store.SpoolForTest(t, dir, all[0], []byte("\x05{"), []byte(""), all[1])
	s := spooling(t, url, dir)
	defer s.Close()
	storetest.Eventually(t, "the spool is empty", func() bool { return drained(s) })
	if got := s.Spool().Damaged; got != 2 {
		t.Errorf("%d records are set aside", got)
	}
	kept(t, url, all)
}

// A delivery that is spooled while the database takes its time may yet turn out to be at
// fault. The race detector looks on.
func TestTheDatabaseRefusesWhatIsSpooled(t *testing.T) {
	url := storetest.URL(t)
	storetest.SQL(t, url,
		`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RAISE EXCEPTION 'poison' USING ERRCODE = '22000'; END $$`,
		`CREATE TRIGGER refuse BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION refuse()`)
	s := spooling(t, url, t.TempDir())
	defer s.Close()
	if r := record(t, s, interactionOf(t, 1)); r.Status != store.Spooled {
		t.Errorf("it is %v", r)
	}
	storetest.Eventually(t, "the spool is empty", func() bool { return drained(s) })
	if got := storetest.Query(t, url, "SELECT reason FROM quarantine"); !cmp.Equal(got, []string{string(store.Unstorable)}) {
		t.Errorf("in quarantine are %q", got)
	}
}

// A spool that cannot be opened costs nothing while the database is there, and is told.
func TestASpoolThatCannotBeOpened(t *testing.T) {
	for name, of := range map[string]func(store.Local) string{"spool": store.Local.SpoolDir, "undecided": store.Local.UndecidedDir} {
		t.Run(name, func(t *testing.T) {
			url, local := storetest.URL(t), store.Local{Dir: t.TempDir(), Optional: true}
			if err := os.WriteFile(of(local), []byte("in the way"), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Local: &local})
			if err != nil {
				t.Fatal(err)
			}
			if r := record(t, s, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s", "c", time.Now()))); r.Status != store.Stored {
				t.Errorf("a delivery is %s", r.Status)
			}
			if state := s.State(t.Context(), store.Scope{}, nil); state.SpoolError == nil || (state.Spool == nil) != (name == "spool") {
				t.Errorf("the state is %+v", state)
			}
			s.Close()
			local.Optional = false
			if s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Local: &local}); err == nil {
				s.Close()
				t.Error("it opens also if it needs the spool")
			}
			if got := count(t, url, "deliveries"); got != "1" {
				t.Errorf("%s deliveries are kept", got)
			}
		})
	}
	local := store.Local{Dir: t.TempDir(), Optional: true}
	if err := os.WriteFile(local.SpoolDir(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := store.Open(t.Context(), store.Config{DatabaseURL: "postgres://127.0.0.1:1/none", Local: &local}); err == nil || !strings.Contains(err.Error(), "spool") {
		t.Errorf("without a database it opens: %v, %v", s, err)
	}
}

// A server ends although its database hangs, soon enough that what starts it anew does not
// have to kill it: meanwhile nobody takes webhooks.
func TestAStoreClosesAlthoughTheDatabaseHangs(t *testing.T) {
	proxy := storetest.NewProxy(t, storetest.URL(t))
	s := spooling(t, proxy.URL, t.TempDir())
	for n := range 8 {
		record(t, s, interactionOf(t, n))
	}
	proxy.Hold()
	if r := record(t, s, interactionOf(t, 8)); r.Status != store.Spooled {
		t.Errorf("it is %s", r.Status)
	}
	closed := make(chan struct{})
	go func() {
		s.Close()
		close(closed)
	}()
	storetest.Eventually(t, "it is closed", func() bool {
		select {
		case <-closed:
			return true
		default:
			return false
		}
	})
}
