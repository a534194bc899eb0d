package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
	"aifi-audit/store/verify"
)

// clock is a store's clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func askFor(t testing.TB, s *store.Store, by *store.Token, customer string) store.Erasure {
	t.Helper()
	e, err := s.RequestErasure(t.Context(), store.NewErasure{Whom: store.Whom{CustomerID: customer}, Reason: "case 12", Token: by, By: "Jane Doe"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestARequestExpires(t *testing.T) {
	url, c := storetest.URL(t), &clock{now: time.Now()}
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	recordOne(t, s, aifi.RestrictedProductsInteractions, alcohol(1), store.Scope{})
	jane, joe := token(t, s, "Jane", store.MayAdminister), token(t, s, "Joe", store.MayAdminister)
	pending, approved := askFor(t, s, &jane, "1"), askFor(t, s, &jane, "1")
	if _, err := s.DecideErasure(t.Context(), joe, approved.ID, store.Approve, approved.Digest[:]); err != nil {
		t.Fatal(err)
	}
	c.add(store.ErasureTerm - time.Second)
	if e, err := s.Erasure(t.Context(), store.Scope{}, pending.ID); err != nil || e.State != store.ErasurePending {
		t.Errorf("%v %v", e.State, err)
	}
	c.add(time.Second)
	var state *store.ErasureStateError
	if _, err := s.DecideErasure(t.Context(), joe, pending.ID, store.Approve, pending.Digest[:]); !errors.As(err, &state) {
		t.Errorf("it is approved: %v", err)
	}
	for _, id := range []uuid.UUID{pending.ID, approved.ID} {
		for _, alone := range []bool{false, true} {
			if _, err := s.Erase(t.Context(), id, store.Execution{By: "x", Unapproved: alone}); !errors.As(err, &state) {
				t.Errorf("it is executed: %v", err)
			}
		}
	}
	if e, err := s.Erasure(t.Context(), store.Scope{}, approved.ID); err != nil || e.State != store.ErasureExpired || e.CustomerID != nil {
		t.Errorf("%+v %v", e, err)
	}
	s.Close()
	// The next process forgets whom it was about, when it starts.
	again, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	storetest.Eventually(t, "he is forgotten", func() bool {
		return storetest.Query(t, url, "SELECT count(*) FROM erasure_subjects")[0] == "0"
	})
}

// What was approved cannot be made to mean somebody else.
func TestARequestIsBoundToItsCustomer(t *testing.T) {
	s, url := open(t)
	recordOne(t, s, aifi.RestrictedProductsInteractions, alcohol(1), store.Scope{})
	recordOne(t, s, aifi.RestrictedProductsInteractions, alcohol(2), store.Scope{})
	e := askFor(t, s, nil, "1")
	storetest.SQL(t, url, "UPDATE erasure_subjects SET customer_id = '2'")
	if _, err := s.Erase(t.Context(), e.ID, store.Execution{By: "x", Unapproved: true}); !errors.Is(err, store.ErrTampered) {
		t.Error(err)
	}
	for _, table := range []string{"erasure_requests", "erasure_decisions", "erasure_results", "log_access_erasures"} {
		if err := exec(t, url, "TRUNCATE "+table); err == nil || !strings.Contains(err.Error(), "it is evidence") {
			t.Errorf("%s: %v", table, err)
		}
	}
	if err := exec(t, url, "UPDATE erasure_requests SET reason = 'x'"); err == nil || !strings.Contains(err.Error(), "it is evidence") {
		t.Error(err)
	}
	// Who asked on the command line may not approve under the same name.
	jane := token(t, s, "jane doe", store.MayAdminister)
	if _, err := s.DecideErasure(t.Context(), jane, e.ID, store.Approve, e.Digest[:]); !errors.Is(err, store.ErrSecondPerson) {
		t.Error(err)
	}
	// Nor does a request of somebody whose token was revoked lead anywhere.
	asker, joe := token(t, s, "asker", store.MayAdminister), token(t, s, "Joe", store.MayAdminister)
	e = askFor(t, s, &asker, "2")
	if err := s.RevokeToken(t.Context(), "asker"); err != nil {
		t.Fatal(err)
	}
	var state *store.ErasureStateError
	if _, err := s.DecideErasure(t.Context(), joe, e.ID, store.Approve, e.Digest[:]); !errors.As(err, &state) {
		t.Error(err)
	}
}

// Whatever is asked for as a customer is looked for as it is, and nothing else.
func TestCustomersOfOddNames(t *testing.T) {
	d := newSigned(t)
	s, _ := d.open(t)
	defer s.Close()
	odd := []string{`'; DROP TABLE events; --`, `%`, `_`, `*`, `{"a":1}`, `\`, `"`, "\u202eabc", "😀😀😀😀😀😀", "a b\tc", "[erased]", strings.Repeat("x", 512), "Ünïcödé-77"}
	ids := map[string]uuid.UUID{}
	for i, name := range odd {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`).Replace(name)
		ids[name] = recordOne(t, s, aifi.SuspectedFraud, fmt.Sprintf(`{"storeId":7,"sessionId":"s%d","customer":{"id":"%s"}}`, i, quoted), store.Scope{})
	}
	for _, name := range odd {
		p, err := s.FindPerson(t.Context(), store.Whom{CustomerID: name}, true, nil)
		if err != nil || !slices.Equal(p.DeliveryIDs, []uuid.UUID{ids[name]}) {
			t.Errorf("%q: %v, %v", name, p.DeliveryIDs, err)
			continue
		}
		if e := erase(t, s, name); e.Erased.Deliveries != 1 || e.Erased.Events != 1 {
			t.Errorf("%q: %+v", name, e.Erased)
		}
	}
	if n := storetest.Query(t, d.url, "SELECT count(*) FROM events WHERE customer_id IS NOT NULL")[0]; n != "0" {
		t.Errorf("%s are left", n)
	}
}

// huge is a customer with many deliveries, and one of another.
func huge(t testing.TB, s *store.Store, n int) {
	t.Helper()
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = fmt.Sprintf(`{"storeId":7,"sessionId":"s%d","eventId":"e%d","timeOfOrigin":"2026-01-02T03:04:05Z","customer":{"id":"huge-person"},"productIds":["p%d"]}`, i%100, i, i%10)
	}
	for part := range slices.Chunk(bodies, 1000) {
		recordAll(t, s, part...)
	}
	recordOne(t, s, aifi.RestrictedProductsInteractions, alcohol(1), store.Scope{})
}

func TestAHugePersonIsErasedWholeOrNotAtAll(t *testing.T) {
	const n = 3000
	d := newSigned(t)
	s, published := d.open(t)
	defer s.Close()
	huge(t, s, n)
	asked := askFor(t, s, nil, "huge-person")
	if asked.Found.Deliveries != n || asked.Found.Sessions != 100 {
		t.Errorf("%+v", asked.Found)
	}
	// Cancelled in the middle it has done nothing.
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Erase(ctx, asked.ID, store.Execution{By: "x", Unapproved: true, Progress: func(step string, done int64) {
		if step == "erasing deliveries" && done > n/2 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	for sql, want := range map[string]string{
		"SELECT count(*) FROM delivery_bodies": fmt.Sprint(n + 1), "SELECT count(*) FROM log_erasures": "0", "SELECT count(*) FROM erasure_decisions": "0",
		"SELECT count(*) FROM events WHERE customer_id = 'huge-person'": fmt.Sprint(n), "SELECT count(*) FROM erasure_subjects": "1",
	} {
		if got := storetest.Query(t, d.url, sql)[0]; got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
	// While it is carried out webhooks about him go on arriving: each is erased whole, or
	// stays whole.
	stop, arrived := make(chan struct{}), sync.WaitGroup{}
	arrived.Go(func() {
		for i := range 300 {
			select {
			case <-stop:
				return
			default:
			}
			body := fmt.Sprintf(`{"storeId":7,"sessionId":"s%d","eventId":"later%d","timeOfOrigin":"2026-01-02T03:04:05Z","customer":{"id":"huge-person"},"session":{"sessionId":"s%d","updatedAt":"2026-01-02T03:04:05Z"}}`, i%100, i, i%100)
			delivery := deliver(t, aifi.RestrictedProductsInteractions, body)
			if _, err := s.Record(context.Background(), delivery); err != nil {
				t.Error(err)
				return
			}
		}
	})
	e, err := s.Erase(t.Context(), asked.ID, store.Execution{By: "x", Unapproved: true})
	close(stop)
	arrived.Wait()
	if err != nil || e.Erased.Deliveries < n {
		t.Fatalf("%+v, %v", e.Erased, err)
	}
	rest := erasedRest(t, s)
	if n := storetest.Query(t, d.url, "SELECT count(*) FROM events WHERE customer_id = 'huge-person'")[0]; n != "0" {
		t.Errorf("%s events are left", n)
	}
	wait(t, published, d.sizeWithQueue(t))
	c, err := s.Certificate(t.Context(), store.Scope{}, e.ID)
	if err != nil || int64(len(c.Deliveries)) != e.Erased.Deliveries {
		t.Errorf("%d deliveries, %v", len(c.Deliveries), err)
	}
	for _, x := range c.Deliveries {
		if x.Leaf < 0 || x.Erasure < 0 {
			t.Errorf("%+v is not in the log", x)
			break
		}
	}
	result, found := verified(t, d, [victims]uuid.UUID{}, verify.Options{})
	if want := int(e.Erased.Deliveries + rest); !result.Clean() || result.Findings[verify.Erased] != want {
		t.Errorf("%+v, want %d erased: %.2000q", result, want, found)
	}
}

// erasedRest erases what came behind the erasure.
func erasedRest(t testing.TB, s *store.Store) int64 {
	t.Helper()
	p, err := s.FindPerson(t.Context(), store.Whom{CustomerID: "huge-person"}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Found.None() {
		return 0
	}
	return erase(t, s, "huge-person").Erased.Deliveries
}
