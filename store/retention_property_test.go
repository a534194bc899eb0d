package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// told is a delivery of a random history, as the model of retention sees it.
type told struct {
	id                 uuid.UUID
	received, happened time.Time // when it was received, and when it happened
	storeID            int64     // in quarantine it is 0
	stated             int64     // the store of the event; 0 if there is none
	webhook            aifi.Webhook
	session, customer  string
	event              string // what it states; "" if nothing
}

// history is a random history with policies and holds.
type history struct {
	*rand.Rand
	told     []told
	policies []store.NewPolicy
	holds    []store.NewHold
}

func pick[T any](h *history, from ...T) T { return from[h.IntN(len(from))] }

func newHistory(seed uint64) *history {
	h := &history{Rand: rand.New(rand.NewPCG(seed, 1))}
	for range 1 + h.IntN(3) {
		n := store.NewPolicy{Months: months(pick[int32](h, 1, 1, 2, 3))}
		if h.IntN(2) == 0 {
			n.StoreID = pick(h, number(7), number(8), number(0))
		}
		if h.IntN(2) == 0 {
			n.Webhook = string(pick(h, aifi.RestrictedProductsInteractions, aifi.SuspectedFraud))
		}
		if h.IntN(5) == 0 {
			n.Months, n.Withdrawn = nil, h.IntN(2) == 0
		}
		h.policies = append(h.policies, n)
	}
	for range h.IntN(3) {
		n := store.NewHold{Reason: "r"}
		switch h.IntN(5) {
		case 0:
			n.SessionID = fmt.Sprint("s", h.IntN(8))
		case 1:
			n.CustomerID = fmt.Sprint("c", h.IntN(4))
		case 2:
			n.StoreID, n.SessionID = number(7), fmt.Sprint("s", h.IntN(8))
		case 3:
			from := monthsAgo(h.IntN(5), time.Duration(h.IntN(28*24))*time.Hour)
			to := from.Add(time.Duration(1+h.IntN(20*24)) * time.Hour)
			n.From, n.To = &from, &to
		case 4:
			to := monthsAgo(3, 10*24*time.Hour)
			n.StoreID, n.To = number(8), &to
		}
		h.holds = append(h.holds, n)
	}
	return h
}

func number(n int64) *int64 { return &n }

// tell records a random delivery.
func (h *history) tell(t testing.TB, s *store.Store) {
	t.Helper()
	at := monthsAgo(h.IntN(6), time.Duration(h.IntN(28*24))*time.Hour)
	d := told{received: at, webhook: pick(h, aifi.RestrictedProductsInteractions, aifi.SuspectedFraud, aifi.TransitionLeft)}
	body := "not JSON"
	switch h.IntN(8) {
	case 0: // not understood
	case 1: // what was told before, again
		if len(h.told) > 0 {
			before := pick(h, h.told...)
			if before.event != "" {
				before.received, d = at, before
				body = before.event
			}
		}
	default:
		d.happened = pick(h, at, at, at, at, at.AddDate(0, -1, 0), time.Unix(3600, 0), time.Date(2099, 5, 5, 0, 0, 0, 0, time.UTC))
		d.session, d.customer, d.storeID = fmt.Sprint("s", h.IntN(8)), fmt.Sprint("c", h.IntN(4)), pick[int64](h, 7, 8)
		d.stated = d.storeID
		body = shopped(d.storeID, d.session, d.customer, d.happened.Truncate(time.Second))
		d.event = body
	}
	del := receivedAt(t, deliver(t, d.webhook, body), d.received)
	replay := d.event != "" && h.IntN(10) == 0
	if replay { // a token for another store: it goes to quarantine first
		del.TokenScope, d.storeID = store.OnlyStores([]int64{99}), 0
	} else if d.event != "" {
		d.storeID = d.stated
	}
	d.id = del.ID
	record(t, s, del)
	if replay {
		if r, err := s.Replay(t.Context(), store.Scope{}, d.id); err != nil || r.Status != store.Replayed {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	h.told = append(h.told, d)
}

// months is the policy that counts for a delivery; nil is for ever.
func (h *history) months(d told) *int32 {
	best, rank := (*int32)(nil), -1
	for i, p := range h.policies {
		if p.StoreID != nil && *p.StoreID != d.storeID || p.Webhook != "" && p.Webhook != string(d.webhook) {
			continue
		}
		r := 0
		if p.Webhook != "" {
			r++
		}
		if p.StoreID != nil {
			r += 2
		}
		replaced := slices.ContainsFunc(h.policies[i+1:], func(later store.NewPolicy) bool {
			return later.Webhook == p.Webhook && gocmp.Equal(later.StoreID, p.StoreID)
		})
		if !replaced && !p.Withdrawn && r > rank {
			best, rank = p.Months, r
		}
	}
	return best
}

func (h *history) held(d told) bool {
	within := func(n store.NewHold, at time.Time) bool {
		return !at.IsZero() && (n.From == nil || !at.Before(*n.From)) && (n.To == nil || at.Before(*n.To))
	}
	return slices.ContainsFunc(h.holds, func(n store.NewHold) bool {
		return (n.StoreID == nil || *n.StoreID == d.storeID || *n.StoreID == d.stated && d.event != "") && (n.SessionID == "" || n.SessionID == d.session) &&
			(n.CustomerID == "" || n.CustomerID == d.customer) && (n.From == nil && n.To == nil || within(n, d.received) || within(n, d.happened))
	})
}

// stays reports whether retention is to leave a delivery.
func (h *history) stays(d told) bool {
	n := h.months(d)
	return n == nil || h.held(d) || !monthOf(d.received).AddDate(0, int(*n), 0).Before(monthsAgo(0, 0))
}

func monthOf(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) }

// Whatever came, whatever is held and whatever the policies are: exactly what is due
// goes, and the log shows that it went by the rules.
func TestExactlyWhatIsDueGoes(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			d := newSigned(t)
			s, published := d.open(t)
			defer s.Close()
			h := newHistory(seed)
			for range 40 + h.IntN(60) {
				h.tell(t, s)
			}
			for _, n := range h.policies {
				if _, err := s.SetRetention(t.Context(), jane, n); err != nil {
					t.Fatal(err)
				}
			}
			for _, n := range h.holds {
				place(t, s, n)
			}
			aged(t, d.url)
			wait(t, published, d.sizeWithQueue(t))
			done := retire(t, s)
			var want, events []string
			sessions := map[string]bool{}
			for _, x := range h.told {
				if !h.stays(x) {
					continue
				}
				want = append(want, x.id.String())
				if x.event != "" {
					events = append(events, fmt.Sprint(x.stated, x.session, x.customer, x.webhook, x.happened.Unix()))
					sessions[fmt.Sprint(x.stated, x.session)] = true
				}
			}
			slices.Sort(want)
			if diff := gocmp.Diff(want, storetest.Query(t, d.url, "SELECT id::text FROM deliveries ORDER BY id::text COLLATE \"C\"")); diff != "" {
				t.Errorf("policies %+v, holds %+v: %s", h.policies, h.holds, diff)
			}
			if got := storetest.Query(t, d.url, "SELECT delivery_id::text FROM delivery_bodies ORDER BY 1"); len(got) != len(want) || int64(len(h.told)-len(want)) != done.Deliveries {
				t.Errorf("%d bodies, %d retired, %d deliveries", len(got), done.Deliveries, len(want))
			}
			slices.Sort(events)
			events = slices.Compact(events)
			got := storetest.Query(t, d.url, "SELECT store_id || session_id || customer_id || webhook || extract(epoch FROM occurred_at)::bigint FROM events")
			if len(got) != len(events) {
				t.Errorf("%d events, not %d", len(got), len(events))
			}
			if n := count(t, d.url, "sessions"); n != fmt.Sprint(len(sessions)) {
				t.Errorf("%s sessions, not %d", n, len(sessions))
			}
			if n := count(t, d.url, "retention_sweeps"); n != "0" {
				t.Errorf("%s sweeps are not done", n)
			}
			miscounted(t, d.url)
			findings(t, d)
		})
	}
}
