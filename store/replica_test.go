package store_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// replicated is a Store that reads from a replica.
type replicated struct {
	*store.Store
	log *lockedBuffer
}

func openReplicated(t *testing.T, p *storetest.Pair, readURL string, maxLag time.Duration) replicated {
	t.Helper()
	r := replicated{log: new(lockedBuffer)}
	var err error
	r.Store, err = store.Open(t.Context(), store.Config{DatabaseURL: p.URL, ReadURL: readURL, ReadMaxLag: maxLag, Logger: r.log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// stands waits until the replica stands so.
func (r replicated) stands(t *testing.T, want store.ReplicaStanding) {
	t.Helper()
	storetest.Eventually(t, "the replica is "+string(want), func() bool { return r.State(t.Context(), store.Scope{}, nil).Replica.Standing == want })
}

// answers fails the test unless a server answers staff.
func (r replicated) answers(t *testing.T, who string) {
	t.Helper()
	got, err := store.ReadText(t.Context(), r.Store, "SELECT CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE 'primary' END")
	if err != nil || got != who {
		t.Errorf("%q answers, not the %s: %v", got, who, err)
	}
}

// alerts is how many fraud alerts of store 7 staff see.
func (r replicated) alerts(t *testing.T) int {
	t.Helper()
	events, _, err := r.Events(t.Context(), store.Scope{}, store.FraudAlert, store.Filter{StoreIDs: []int64{7}}, store.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return len(events)
}

// alert records a fraud alert of store 7.
func (r replicated) alert(t *testing.T) store.Delivery {
	t.Helper()
	d := deliver(t, aifi.SuspectedFraud, fmt.Sprintf(`{"storeId":7,"sessionId":"s","eventId":%q,"timeOfOrigin":"2026-01-02T03:04:05Z"}`, time.Now()))
	record(t, r.Store, d)
	return d
}

// A pair of servers takes long to make, so that all share one. The promotion is last.
func TestReplica(t *testing.T) {
	p := storetest.NewPair(t)
	t.Run("what is none is refused", func(t *testing.T) { noReplica(t, p) })
	t.Run("it is verified", func(t *testing.T) { replicaIsClean(t, p) })
	t.Run("one that is too late is not read", func(t *testing.T) { tooLate(t, p) })
	t.Run("one that hangs is left", func(t *testing.T) { hangs(t, p) })
	t.Run("staff read from it", func(t *testing.T) { isRead(t, p) })
}

func isRead(t *testing.T, p *storetest.Pair) {
	t.Helper()
	r := openReplicated(t, p, p.ReplicaURL, time.Hour)
	r.stands(t, store.ReplicaUsed)
	before := r.alerts(t)
	r.alert(t)
	storetest.Eventually(t, "the replica shows it", func() bool { return r.alerts(t) == before+1 })
	r.answers(t, "replica")

	t.Run("which may be late", func(t *testing.T) {
		p.Pause(t)
		defer p.Resume(t)
		late := r.alert(t)
		if n := r.alerts(t); n != before+1 {
			t.Errorf("%d alerts are seen: it is not the replica that answers", n)
		}
		// What is asked for by its id, and not found there, is there.
		if _, err := r.Delivery(t.Context(), store.Scope{}, late.ID); err != nil {
			t.Error(err)
		}
		storetest.Eventually(t, "the lag is told", func() bool { return r.State(t.Context(), store.Scope{}, nil).Replica.Lag > 0 })

		// But not with what staff wrote themselves.
		note(t, r.Store, store.NewNote{DeliveryID: late.ID, Disposition: store.Confirmed})
		if n := r.alerts(t); n != before+2 {
			t.Errorf("%d alerts are seen after a note", n)
		}
		notes, _, err := r.Notes(t.Context(), store.Scope{}, store.Filter{}, store.Page{Limit: 10})
		if err != nil || len(notes) != 1 {
			t.Errorf("the notes are %v: %v", notes, err)
		}
		r.answers(t, "primary")
	})
	storetest.Eventually(t, "the replica shows the note", func() bool {
		who, err := store.ReadText(t.Context(), r.Store, "SELECT pg_is_in_recovery()::text")
		return err == nil && who == "true"
	})

	t.Run("whose conflicts with the replay are tried again", func(t *testing.T) {
		const slow = "SELECT CASE WHEN pg_is_in_recovery() THEN 'replica' || pg_sleep(60) ELSE 'primary' END FROM stores LIMIT 1"
		type answer struct {
			who string
			err error
		}
		answered := make(chan answer)
		go func() {
			who, err := store.ReadText(t.Context(), r.Store, slow)
			answered <- answer{who, err}
		}()
		storetest.Eventually(t, "the query runs", func() bool {
			return storetest.Query(t, p.ReplicaURL, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")[0] == "1"
		})
		storetest.SQL(t, p.URL, "BEGIN; LOCK TABLE stores IN ACCESS EXCLUSIVE MODE; COMMIT")
		if a := <-answered; a.err != nil || a.who != "primary" {
			t.Errorf("%q answered: %v", a.who, a.err)
		}
	})

	t.Run("whose conflicts with the replay break an export", func(t *testing.T) {
		storetest.SQL(t, p.URL, `INSERT INTO events (store_id, kind, occurred_at, id, occurred_at_known, delivery_id, received_at, webhook, flags, product_ids, gondola_ids, unreadable)
			SELECT 7, 'alcohol_interaction', now(), gen_random_uuid(), true, gen_random_uuid(), now(), 'x', '{}', '{}', '{}', '{}' FROM generate_series(1, 50000)`)
		storetest.Eventually(t, "the replica shows them", func() bool {
			return storetest.Query(t, p.ReplicaURL, "SELECT count(*) FROM events WHERE kind = 'alcohol_interaction'")[0] == "50000"
		})
		rows := 0
		err := r.ExportEvents(t.Context(), store.Scope{}, store.AlcoholInteraction, store.Filter{}, func(store.Event) error {
			if rows++; rows == 1 {
				storetest.SQL(t, p.URL, "BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE; COMMIT")
				end := storetest.Query(t, p.URL, "SELECT pg_current_wal_flush_lsn()::text")[0]
				storetest.Eventually(t, "the replica has the lock to replay", func() bool {
					return storetest.Query(t, p.ReplicaURL, "SELECT pg_last_wal_receive_lsn() >= $1::text::pg_lsn", end)[0] == "true"
				})
			}
			return nil
		})
		if !errors.Is(err, store.ErrUnavailable) || rows == 0 {
			t.Errorf("got %d rows and %v", rows, err)
		}
	})

	t.Run("and from the primary while it is away", func(t *testing.T) {
		p.Stop(t)
		r.answers(t, "primary") // at once
		r.stands(t, store.ReplicaAway)
		r.answers(t, "primary")
		if err := r.ExportStores(t.Context(), store.Scope{}, store.Filter{}, func(store.Shop) error { return nil }); err != nil {
			t.Error(err)
		}
		if err := r.ExportNotes(t.Context(), store.Scope{}, store.Filter{}, func(store.Note) error { return nil }); err != nil {
			t.Error(err)
		}
		p.Start(t)
		r.stands(t, store.ReplicaUsed)
		r.answers(t, "replica")
	})

	t.Run("and from the primary once it was promoted", func(t *testing.T) {
		p.Promote(t)
		r.log.wait(t, "it does not follow a primary")
		r.stands(t, store.ReplicaUnfit)
		r.answers(t, "primary")
	})
}

func tooLate(t *testing.T, p *storetest.Pair) {
	t.Helper()
	p.Pause(t)
	// It has not got the schema's last changes, for all that is known.
	storetest.SQL(t, p.URL, "COMMENT ON TABLE stores IS 'changed'")
	r := openReplicated(t, p, p.ReplicaURL, time.Hour)
	if got := r.State(t.Context(), store.Scope{}, nil).Replica.Standing; got != store.ReplicaBehind {
		t.Errorf("a replica that may have an older schema is %s", got)
	}
	r.answers(t, "primary")
	p.Resume(t)
	r.stands(t, store.ReplicaUsed)
	r.answers(t, "replica")

	strict := openReplicated(t, p, p.ReplicaURL, time.Millisecond)
	p.Pause(t)
	strict.alert(t)
	strict.stands(t, store.ReplicaBehind)
	strict.answers(t, "primary")
	p.Resume(t)
	strict.stands(t, store.ReplicaUsed)
}

// A replica that neither answers nor ends costs a moment, once.
func hangs(t *testing.T, p *storetest.Pair) {
	t.Helper()
	proxy := storetest.NewProxy(t, p.ReplicaURL)
	r := openReplicated(t, p, proxy.URL, time.Hour)
	r.stands(t, store.ReplicaUsed)
	r.answers(t, "replica")
	proxy.Hold()
	r.answers(t, "primary")
	if got := r.State(t.Context(), store.Scope{}, nil).Replica.Standing; got != store.ReplicaAway {
		t.Errorf("it is %s", got)
	}
	proxy.Mend()
	r.stands(t, store.ReplicaUsed)
	r.answers(t, "replica")
}

func noReplica(t *testing.T, p *storetest.Pair) {
	t.Helper()
	storetest.SQL(t, p.URL, "CREATE DATABASE other")
	other, err := url.Parse(p.ReplicaURL)
	if err != nil {
		t.Fatal(err)
	}
	other.Path = "/other"
	_, elsewhere := open(t)
	for name, test := range map[string]struct{ readURL, says string }{
		"another cluster":  {elsewhere, "it belongs to another cluster"},
		"another database": {other.String(), `it is the database "other"`},
		"the primary":      {p.URL, "it is the primary itself"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "another database" {
				r := openReplicated(t, p, p.ReplicaURL, time.Hour)
				r.stands(t, store.ReplicaUsed) // by then it has the other, too
			}
			s, err := store.Open(t.Context(), store.Config{DatabaseURL: p.URL, ReadURL: test.readURL})
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, store.ErrReplica) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("no URL", func(t *testing.T) {
		if _, err := store.Open(t.Context(), store.Config{DatabaseURL: p.URL, ReadURL: "postgres://%zz"}); err == nil {
			t.Error("it is taken")
		}
	})
	// One that is not there yet may come.
	r := openReplicated(t, p, "postgres://127.0.0.1:1/x?sslmode=disable", time.Hour)
	r.answers(t, "primary")
}
