package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
	"aifi-audit/store/verify"
)

// jane is who places holds in tests.
var jane = store.Actor{Name: "Jane Doe", Access: store.Access{TokenID: 1, Action: "hold", Path: "/api/v1/holds", Status: 201}}

func place(t testing.TB, s *store.Store, n store.NewHold) store.Hold {
	t.Helper()
	if n.Reason == "" {
		n.Reason = "case 12"
	}
	h, err := s.PlaceHold(t.Context(), jane, n)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestWhatAHoldCovers(t *testing.T) {
	d, ids := matrix(t)
	s, _ := d.open(t)
	defer s.Close()
	number := func(n int64) *int64 { return &n }
	at := func(text string) *time.Time {
		m, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return &m
	}
	soon := time.Now().Add(time.Hour)
	all := []int{victim, twin, repeated, register, notJSON, replayed, last, lastTwin}
	ofStore7 := []int{victim, twin, repeated, register, replayed, last, lastTwin} // replayed by its event
	for name, c := range map[string]struct {
		hold store.NewHold
		want []int
	}{
		"a store":                        {store.NewHold{StoreID: number(7)}, ofStore7},
		"another store":                  {store.NewHold{StoreID: number(8)}, nil},
		"the unknown store":              {store.NewHold{StoreID: number(0)}, []int{notJSON, replayed}},
		"a session":                      {store.NewHold{SessionID: "s0"}, []int{victim, repeated}},
		"a session of a replay":          {store.NewHold{SessionID: "s2"}, []int{replayed}},
		"a session elsewhere":            {store.NewHold{SessionID: "s0", StoreID: number(8)}, nil},
		"a customer":                     {store.NewHold{CustomerID: "1"}, []int{twin, register}},
		"a customer and a session":       {store.NewHold{CustomerID: "1", SessionID: "s1"}, []int{twin}},
		"when it happened":               {store.NewHold{From: at("2026-01-02"), To: at("2026-01-03")}, ofStore7},
		"when it happened, and a store":  {store.NewHold{StoreID: number(7), To: at("2026-01-03")}, ofStore7},
		"before it happened":             {store.NewHold{To: at("2026-01-02")}, nil},
		"when it was received":           {store.NewHold{From: at("2026-01-03"), To: &soon}, all},
		"after it was received":          {store.NewHold{From: &soon}, nil},
		"a session, at no time of its":   {store.NewHold{SessionID: "s0", To: at("2000-01-01")}, nil},
		"an id that is only hostile":     {store.NewHold{SessionID: "'; DROP TABLE events; --\x00"}, nil},
		"a customer, wherever he is not": {store.NewHold{CustomerID: "1", StoreID: number(8)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := place(t, s, c.hold)
			held, err := s.HoldsOfDeliveries(t.Context(), ids[:])
			if err != nil {
				t.Fatal(err)
			}
			for i, id := range ids {
				if got := len(held[id]) == 1 && held[id][0].ID == h.ID; got != slices.Contains(c.want, i) {
					t.Errorf("delivery %d: %v", i, held[id])
				}
			}
			if _, err := s.LiftHold(t.Context(), jane, h.ID, "closed"); err != nil {
				t.Error(err)
			}
			if held, err := s.HoldsOfDeliveries(t.Context(), ids[:]); err != nil || len(held) != 0 {
				t.Errorf("still held: %v, %v", held, err)
			}
		})
	}
}

func TestWhatIsHeldIsNotErased(t *testing.T) {
	d, ids := matrix(t)
	s, published := d.open(t)
	defer s.Close()
	asked, err := s.RequestErasure(t.Context(), store.NewErasure{Whom: store.Whom{CustomerID: "1"}, By: "a", Reason: "r"})
	if err != nil {
		t.Fatal(err)
	}
	first, second := place(t, s, store.NewHold{SessionID: "s1"}), place(t, s, store.NewHold{CustomerID: "1", Reason: "the court asked"})
	for _, left := range []int{2, 1} {
		_, err := s.Erase(t.Context(), asked.ID, store.Execution{By: "a", Unapproved: true})
		var held *store.HeldError
		if !errors.As(err, &held) || len(held.Holds) != left || !strings.Contains(err.Error(), "the court asked") {
			t.Fatalf("%d: %v", left, err)
		}
		if _, err := s.RequestErasure(t.Context(), store.NewErasure{Whom: store.Whom{CustomerID: "1"}, By: "a", Reason: "r"}); !errors.As(err, &held) || len(held.Holds) != left {
			t.Errorf("%d: %v", left, err)
		}
		if n := storetest.Query(t, d.url, "SELECT count(*) FROM log_erasures")[0]; n != "0" {
			t.Errorf("%s erasures", n)
		}
		if left == 2 {
			if _, err := s.LiftHold(t.Context(), jane, first.ID, "closed"); err != nil {
				t.Fatal(err)
			}
		}
	}
	// The database itself refuses, too.
	for _, sql := range []string{
		"INSERT INTO log_erasures SELECT store_id, received_at, id, now(), '', '', '', '', '' FROM deliveries WHERE id = '" + ids[twin].String() + "'; " +
			"SELECT erase_delivery(store_id, received_at, id) FROM deliveries WHERE id = '" + ids[twin].String() + "'",
		"SELECT erase_person(store_id, kind, occurred_at, id) FROM events WHERE delivery_id = '" + ids[register].String() + "'",
	} {
		if err := exec(t, d.url, sql); err == nil || !strings.Contains(err.Error(), "on legal hold") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if holds, err := s.HoldsOfSession(t.Context(), 7, "s1"); err != nil || len(holds) != 1 || holds[0].ID != second.ID {
		t.Errorf("%v, %v", holds, err)
	}
	if _, err := s.LiftHold(t.Context(), jane, second.ID, "closed"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Erase(t.Context(), asked.ID, store.Execution{By: "a", Unapproved: true}); err != nil {
		t.Fatal(err)
	}
	if n := storetest.Query(t, d.url, "SELECT count(*) FROM legal_holds WHERE customer_id = '[erased]'")[0]; n != "1" {
		t.Errorf("%s holds name nobody any more", n)
	}
	wait(t, published, d.sizeWithQueue(t))
	if result, found := verified(t, d, ids, verify.Options{}); !result.Clean() || len(found) != 4 { // two bodies, an entry of the access log, a hold
		t.Errorf("%q", found)
	}
}

func TestHoldsAreKeptAsTheyWere(t *testing.T) {
	s := storetest.Open(t)
	seven, from, to := int64(7), time.Unix(1_700_000_000, 123_456_789), time.Unix(1_800_000_000, 0)
	placed := place(t, s, store.NewHold{StoreID: &seven, SessionID: "s", CustomerID: "c", From: &from, To: &to, Reason: "  a \x00 reason  "})
	if placed.Reason != "a \ufffd reason" || placed.PlacedBy != "Jane Doe" || placed.At.IsZero() || !placed.From.Equal(from.Truncate(time.Microsecond)) {
		t.Errorf("%+v", placed)
	}
	lifted, err := s.LiftHold(t.Context(), store.Actor{Name: "Joe", Access: jane.Access}, placed.ID, "why not")
	if err != nil || lifted.LiftedAt == nil || *lifted.LiftedBy != "Joe" || *lifted.LiftReason != "why not" || lifted.Reason != placed.Reason {
		t.Errorf("%+v, %v", lifted, err)
	}
	if _, err := s.LiftHold(t.Context(), jane, placed.ID, "again"); !errors.Is(err, store.ErrLifted) {
		t.Error(err)
	}
	if _, err := s.LiftHold(t.Context(), jane, uuid.New(), "r"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	long := strings.Repeat("x", 513)
	for name, n := range map[string]store.NewHold{
		"nothing": {Reason: "r"}, "no reason": {SessionID: "s"}, "a blank reason": {SessionID: "s", Reason: " \n"}, "turned round": {From: &to, To: &from, Reason: "r"},
		"empty": {From: &to, To: &to, Reason: "r"}, "a long reason": {SessionID: "s", Reason: strings.Repeat("x", store.MaxReason+1)},
		"a long session": {SessionID: long, Reason: "r"}, "a long customer": {CustomerID: long, Reason: "r"},
	} {
		var input *store.InputError
		if _, err := s.PlaceHold(t.Context(), jane, n); !errors.As(err, &input) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Who sees some stores only may hold what is of these, and sees their holds.
func TestHoldsOfOtherStores(t *testing.T) {
	s := storetest.Open(t)
	seven, eight := int64(7), int64(8)
	limited := store.Actor{Name: "Jill", Scope: store.OnlyStores([]int64{7}), Access: jane.Access}
	own := place(t, s, store.NewHold{StoreID: &seven})
	other, anywhere := place(t, s, store.NewHold{StoreID: &eight}), place(t, s, store.NewHold{SessionID: "s"})
	for _, n := range []store.NewHold{{StoreID: &eight, Reason: "r"}, {SessionID: "s", Reason: "r"}} {
		if _, err := s.PlaceHold(t.Context(), limited, n); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	}
	for _, h := range []store.Hold{other, anywhere} {
		if _, err := s.LiftHold(t.Context(), limited, h.ID, "r"); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	}
	listed, _, err := s.Holds(t.Context(), limited.Scope, store.Filter{}, store.Page{Limit: 10})
	if err != nil || len(listed) != 1 || listed[0].ID != own.ID {
		t.Errorf("%v, %v", listed, err)
	}
	if _, err := s.PlaceHold(t.Context(), limited, store.NewHold{StoreID: &seven, Reason: "r"}); err != nil {
		t.Error(err)
	}
}

// A hold that cannot be written to the access log is not placed.
func TestAHoldIsInTheLogOrIsNotPlaced(t *testing.T) {
	url := storetest.URL(t)
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h := place(t, s, store.NewHold{SessionID: "s"})
	got := storetest.Query(t, url, "SELECT detail FROM access_log")
	if want := fmt.Sprintf(`{"placed":"%s","by":"Jane Doe","sessionId":"s","reason":"case 12"}`, h.ID); len(got) != 1 || got[0] != want {
		t.Errorf("%q", got)
	}
	storetest.SQL(t, url, "ALTER TABLE access_log RENAME TO gone")
	if _, err := s.PlaceHold(t.Context(), jane, store.NewHold{SessionID: "s", Reason: "r"}); err == nil {
		t.Error("it is placed")
	}
	if _, err := s.LiftHold(t.Context(), jane, h.ID, "r"); err == nil {
		t.Error("it is lifted")
	}
	if n := storetest.Query(t, url, "SELECT count(*) FROM holds WHERE lifted_at IS NULL")[0]; n != "1" {
		t.Errorf("%s holds", n)
	}
}
