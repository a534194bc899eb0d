package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

var staff = store.Token{ID: 5, Name: "Jane"}

func note(t testing.TB, s *store.Store, n store.NewNote) store.Note {
	t.Helper()
	made, err := s.AddNote(t.Context(), staff, n)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// theEvent is the only fraud alert.
func theEvent(t testing.TB, s *store.Store) store.Event {
	t.Helper()
	events, _, err := s.Events(t.Context(), store.Scope{}, store.FraudAlert, store.Filter{}, store.Page{Limit: 10})
	if err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
	return events[0]
}

func allNotes(t testing.TB, s *store.Store, f store.Filter) []store.Note {
	t.Helper()
	var all []store.Note
	if err := s.ExportNotes(t.Context(), store.Scope{}, f, func(n store.Note) error {
		all = append(all, n)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestANoteGivesAnEventItsDisposition(t *testing.T) {
	s, _ := open(t)
	const body = `{"storeId":7,"sessionId":"s","timeOfOrigin":"2026-01-02T03:04:05Z"}`
	first, again := deliver(t, aifi.SuspectedFraud, body), deliver(t, aifi.SuspectedFraud, body)
	record(t, s, first)
	record(t, s, again)
	if got := theEvent(t, s).Review; got != (store.Review{}) {
		t.Errorf("an event that nobody reviewed has %+v", got)
	}
	note(t, s, store.NewNote{DeliveryID: first.ID, Disposition: store.UnderReview})
	marked := note(t, s, store.NewNote{DeliveryID: again.ID, Disposition: store.FalseAlarm, Comment: "the duplicate names the same event"})
	note(t, s, store.NewNote{DeliveryID: first.ID, Comment: "\xff\x00 =cmd()"})
	e := theEvent(t, s)
	want := store.Review{Disposition: marked.Disposition, DispositionAt: &marked.At, DispositionBy: &staff.Name, Notes: 3}
	if diff := cmp.Diff(want, e.Review); diff != "" {
		t.Error(diff)
	}
	timeline, _, err := s.Timeline(t.Context(), store.Scope{}, 7, "s", store.Page{Limit: 10})
	if err != nil || !cmp.Equal(timeline[0].Review, want) {
		t.Errorf("the timeline has %+v, %v", timeline, err)
	}
	var got []string
	for _, n := range allNotes(t, s, store.Filter{DeliveryIDs: []uuid.UUID{again.ID}}) {
		if n.EventID != e.ID || n.Kind != store.FraudAlert || n.TokenID != 5 || n.TokenName != "Jane" || *n.SessionID != "s" || !n.OccurredAt.Equal(e.OccurredAt) {
			t.Errorf("got %+v", n)
		}
		line := "-"
		if n.Disposition != nil {
			line = string(*n.Disposition)
		}
		if n.Comment != nil {
			line += " " + *n.Comment
		}
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{"- \ufffd\ufffd =cmd()", "false_alarm the duplicate names the same event", "under_review"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestNotesThatCannotBeMade(t *testing.T) {
	s, _ := open(t)
	alert := deliver(t, aifi.SuspectedFraud, `{"storeId":7,"sessionId":"s"}`)
	other := deliver(t, aifi.Tracking, `{"storeId":7,"sessionId":"s"}`)
	broken := deliver(t, aifi.SuspectedFraud, `not JSON`)
	for _, d := range []store.Delivery{alert, other, broken} {
		record(t, s, d)
	}
	only := func(id int64) store.Token { return store.Token{ID: 6, Name: "limited", StoreIDs: []int64{id}} }
	for name, c := range map[string]struct {
		by    store.Token
		note  store.NewNote
		field string // of an InputError
		err   error
	}{
		"nothing":                    {staff, store.NewNote{DeliveryID: alert.ID}, "", nil},
		"blank":                      {staff, store.NewNote{DeliveryID: alert.ID, Comment: " \n"}, "", nil},
		"unknown disposition":        {staff, store.NewNote{DeliveryID: alert.ID, Disposition: "guilty"}, "disposition", nil},
		"no disposition":             {staff, store.NewNote{DeliveryID: alert.ID, Disposition: store.Unmarked}, "disposition", nil},
		"long comment":               {staff, store.NewNote{DeliveryID: alert.ID, Comment: strings.Repeat("é", store.MaxComment+1)}, "comment", nil},
		"unknown delivery":           {staff, store.NewNote{DeliveryID: uuid.Must(uuid.NewV7()), Comment: "x"}, "", store.ErrNotFound},
		"no delivery's id":           {staff, store.NewNote{DeliveryID: uuid.New(), Comment: "x"}, "", store.ErrNotFound},
		"other event":                {staff, store.NewNote{DeliveryID: other.ID, Comment: "x"}, "", store.ErrNoEvent},
		"quarantined":                {staff, store.NewNote{DeliveryID: broken.ID, Comment: "x"}, "", store.ErrNoEvent},
		"of another store":           {only(8), store.NewNote{DeliveryID: alert.ID, Comment: "x"}, "", store.ErrNotFound},
		"other, of another store":    {only(8), store.NewNote{DeliveryID: other.ID, Comment: "x"}, "", store.ErrNotFound},
		"quarantined, limited token": {only(7), store.NewNote{DeliveryID: broken.ID, Comment: "x"}, "", store.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.AddNote(t.Context(), c.by, c.note)
			var fault *store.InputError
			if c.err != nil && !errors.Is(err, c.err) || c.err == nil && (!errors.As(err, &fault) || fault.Field != c.field) {
				t.Errorf("got %v", err)
			}
		})
	}
	if n := allNotes(t, s, store.Filter{}); len(n) != 0 || theEvent(t, s).Review.Notes != 0 {
		t.Errorf("kept %v", n)
	}
	if _, err := s.AddNote(t.Context(), only(7), store.NewNote{DeliveryID: alert.ID, Comment: strings.Repeat("é", store.MaxComment)}); err != nil {
		t.Errorf("the longest comment: %v", err)
	}
}

// A delivery that was replayed is one of store 0, but its event is the store's.
func TestTheEventOfAReplayedDeliveryCanBeReviewed(t *testing.T) {
	s, _ := open(t)
	d := deliver(t, aifi.SuspectedFraud, `{"storeId":7,"sessionId":"s"}`)
	d.TokenScope = store.OnlyStores([]int64{8})
	record(t, s, d)
	if _, err := s.Replay(t.Context(), store.Scope{}, d.ID); err != nil {
		t.Fatal(err)
	}
	n := store.NewNote{DeliveryID: d.ID, Disposition: store.Confirmed}
	if _, err := s.AddNote(t.Context(), store.Token{StoreIDs: []int64{0}}, n); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a token of store 0: %v", err)
	}
	if _, err := s.AddNote(t.Context(), store.Token{StoreIDs: []int64{7}}, n); err != nil || *theEvent(t, s).Review.Disposition != store.Confirmed {
		t.Errorf("a token of store 7: %v", err)
	}
}

func TestOfNotesAtTheSameTimeTheLaterWins(t *testing.T) {
	s, url := open(t)
	other, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	d := deliver(t, aifi.SuspectedFraud, `{"storeId":7,"sessionId":"s"}`)
	record(t, s, d)
	const each = 60
	var all sync.WaitGroup
	for i := range each {
		for _, process := range []*store.Store{s, other} {
			n := store.NewNote{DeliveryID: d.ID, Disposition: store.Dispositions[i%3], Comment: fmt.Sprint(i)}
			if i%4 == 0 {
				n.Disposition = ""
			}
			all.Go(func() {
				if _, err := process.AddNote(context.Background(), staff, n); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	notes := allNotes(t, s, store.Filter{})
	if len(notes) != 2*each {
		t.Errorf("%d notes stay", len(notes))
	}
	for i := range notes[1:] {
		if !notes[i].At.After(notes[i+1].At) {
			t.Errorf("notes at %s and %s have no order", notes[i].At, notes[i+1].At)
		}
	}
	last := notes[slices.IndexFunc(notes, func(n store.Note) bool { return n.Disposition != nil })]
	want := store.Review{Disposition: last.Disposition, DispositionAt: &last.At, DispositionBy: &staff.Name, Notes: 2 * each}
	if diff := cmp.Diff(want, theEvent(t, s).Review); diff != "" {
		t.Error(diff)
	}
}

func TestTheLaterNoteWinsThoughItsClockIsBehind(t *testing.T) {
	var behind atomic.Int64 // hours
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return start.Add(-time.Duration(behind.Load()) * time.Hour) }
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: storetest.URL(t), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := deliver(t, aifi.SuspectedFraud, `{"storeId":7,"sessionId":"s"}`)
	record(t, s, d)
	note(t, s, store.NewNote{DeliveryID: d.ID, Disposition: store.UnderReview})
	behind.Store(1)
	second := note(t, s, store.NewNote{DeliveryID: d.ID, Disposition: store.Confirmed})
	if got := theEvent(t, s).Review; *got.Disposition != store.Confirmed || !got.DispositionAt.Equal(second.At) || second.At.Before(start) {
		t.Errorf("got %+v", got)
	}
}

// review marks about half of the events, some of them twice, and comments on others.
func review(t testing.TB, s *store.Store, events []store.Event) {
	t.Helper()
	for i, e := range events {
		switch i % 6 {
		case 0, 1, 2:
			note(t, s, store.NewNote{DeliveryID: e.DeliveryID, Disposition: store.Dispositions[i%3], Comment: fmt.Sprint(i)})
		case 3:
			note(t, s, store.NewNote{DeliveryID: e.DeliveryID, Disposition: store.Confirmed})
			note(t, s, store.NewNote{DeliveryID: e.DeliveryID, Disposition: store.FalseAlarm})
		case 4:
			note(t, s, store.NewNote{DeliveryID: e.DeliveryID, Comment: "only a comment"})
		}
	}
}

var anyDisposition = rapid.SliceOfN(rapid.SampledFrom(append(slices.Clone(store.Dispositions), store.Unmarked)), 1, 3)

// ofDisposition is the meaning of a filter by disposition.
func ofDisposition(want []store.Disposition, have *store.Disposition) bool {
	if have == nil {
		return want == nil || slices.Contains(want, store.Unmarked)
	}
	return want == nil || slices.Contains(want, *have)
}

func TestPagingThroughNotesIsTheFullScan(t *testing.T) {
	s, _ := open(t)
	fill(t, s, 40)
	var events []store.Event
	if err := s.ExportEvents(t.Context(), store.Scope{}, store.AlcoholInteraction, store.Filter{}, func(e store.Event) error {
		events = append(events, e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	review(t, s, events)
	all := allNotes(t, s, store.Filter{})
	if len(all) < 30 {
		t.Fatalf("only %d notes", len(all))
	}
	rapid.Check(t, func(t *rapid.T) {
		var f store.Filter
		scope, visible := store.Scope{}, []int64{0, 1, 2}
		if rapid.Bool().Draw(t, "limited") {
			visible = []int64{0, 2}
			scope = store.OnlyStores(visible)
		}
		if rapid.Bool().Draw(t, "store") {
			f.StoreIDs = rapid.SliceOfN(rapid.Int64Range(0, 3), 1, 3).Draw(t, "stores")
		}
		if rapid.Bool().Draw(t, "disposition") {
			f.Dispositions = anyDisposition.Draw(t, "dispositions")
		}
		if rapid.Bool().Draw(t, "kind") {
			f.Kinds = []store.Kind{rapid.SampledFrom([]store.Kind{store.AlcoholInteraction, store.FraudAlert}).Draw(t, "kinds")}
		}
		if rapid.Bool().Draw(t, "delivery") {
			for _, e := range rapid.SliceOfN(rapid.SampledFrom(events), 1, 3).Draw(t, "deliveries") {
				f.DeliveryIDs = append(f.DeliveryIDs, e.DeliveryID)
			}
		}
		if rapid.Bool().Draw(t, "range") {
			f.From, f.To = &all[len(all)-5].At, &all[5].At
		}
		var want, got []string
		for _, n := range all {
			if slices.Contains(visible, n.StoreID) && (f.StoreIDs == nil || slices.Contains(f.StoreIDs, n.StoreID)) &&
				ofDisposition(f.Dispositions, n.Disposition) && (f.Kinds == nil || slices.Contains(f.Kinds, n.Kind)) &&
				(f.DeliveryIDs == nil || slices.Contains(f.DeliveryIDs, n.DeliveryID)) &&
				(f.From == nil || !n.At.Before(*f.From) && n.At.Before(*f.To)) {
				want = append(want, n.ID.String())
			}
		}
		page := store.Page{Limit: rapid.IntRange(3, 40).Draw(t, "limit")}
		for {
			notes, next, err := s.Notes(context.Background(), scope, f, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range notes {
				got = append(got, n.ID.String())
			}
			if next == nil {
				break
			}
			page.After = next
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Events whose time of origin is not known share an id, and not their notes.
func TestNotesOfEventsWithoutATime(t *testing.T) {
	s, _ := open(t)
	alert := func() store.Delivery { return deliver(t, aifi.SuspectedFraud, `{"storeId":7,"sessionId":"s"}`) }
	noted, other := alert(), alert()
	record(t, s, noted)
	record(t, s, other)
	note(t, s, store.NewNote{DeliveryID: noted.ID, Disposition: store.Confirmed})
	if n := allNotes(t, s, store.Filter{DeliveryIDs: []uuid.UUID{noted.ID}}); len(n) != 1 {
		t.Errorf("there are %d notes on it", len(n))
	}
	if n := allNotes(t, s, store.Filter{DeliveryIDs: []uuid.UUID{other.ID}}); len(n) != 0 {
		t.Errorf("the other has %v", n)
	}
}
