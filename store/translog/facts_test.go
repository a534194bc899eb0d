package translog_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/translog"
)

func someFacts(first bool) translog.Facts {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	return translog.Facts{
		SessionID: "s", IssuedAt: at, TokenID: 3, RemoteAddr: "192.0.2.1", Path: "/api/push/x", Headers: map[string]string{"A": "b", "C": "d"},
		BodySize: 10, Event: &translog.EventFacts{
			First: first, ID: uuid.New(), StoreID: 7, Kind: "other", Webhook: "x", OccurredAt: at, OccurredAtKnown: true, ReceivedAt: at, IssuedAt: at,
			EventID: "e", SessionID: "s", ShopperID: "p", StoreExternalID: "x", Flags: []string{"b", "a"}, ProductIDs: []string{"1", "2", "1"},
			GondolaIDs: []string{"g"}, PaymentProvider: "pp", TokenType: "t", CheckInDeviceID: "c", Unreadable: []string{"/x"},
		},
	}
}

// Each fact counts: changing any of them changes the encoding.
func TestEveryFactCounts(t *testing.T) {
	base := someFacts(true)
	want := base.Append(nil)
	changes := map[string]func(*translog.Facts){
		"session": func(f *translog.Facts) { f.SessionID = "" }, "issued": func(f *translog.Facts) { f.IssuedAt = time.Time{} },
		"token": func(f *translog.Facts) { f.TokenID++ }, "address": func(f *translog.Facts) { f.RemoteAddr += "1" },
		"path": func(f *translog.Facts) { f.Path += "/" }, "headers": func(f *translog.Facts) { f.Headers = map[string]string{"A": "bC", "": "d"} },
		"size": func(f *translog.Facts) { f.BodySize++ }, "truncated": func(f *translog.Facts) { f.Truncated = true },
		"no event": func(f *translog.Facts) { f.Event = nil }, "first": func(f *translog.Facts) { f.Event.First = false },
		"event": func(f *translog.Facts) { f.Event.ID = uuid.Nil }, "store": func(f *translog.Facts) { f.Event.StoreID = 8 },
		"kind": func(f *translog.Facts) { f.Event.Kind = "" }, "webhook": func(f *translog.Facts) { f.Event.Webhook = "y" },
		"occurred": func(f *translog.Facts) { f.Event.OccurredAt = f.Event.OccurredAt.Add(time.Microsecond) },
		"known":    func(f *translog.Facts) { f.Event.OccurredAtKnown = false },
		"received": func(f *translog.Facts) { f.Event.ReceivedAt = time.Time{} },
		"sent":     func(f *translog.Facts) { f.Event.IssuedAt = time.Unix(0, 0) },
		"eventId":  func(f *translog.Facts) { f.Event.EventID = "f" }, "event's session": func(f *translog.Facts) { f.Event.SessionID = "" },
		"shopper": func(f *translog.Facts) { f.Event.ShopperID = "" }, "external": func(f *translog.Facts) { f.Event.StoreExternalID = "" },
		"flag": func(f *translog.Facts) { f.Event.Flags = []string{"ba"} }, "order": func(f *translog.Facts) { slices.Reverse(f.Event.Flags) },
		"times": func(f *translog.Facts) { f.Event.ProductIDs = []string{"1", "2"} }, "gondola": func(f *translog.Facts) { f.Event.GondolaIDs = nil },
		"payment": func(f *translog.Facts) { f.Event.PaymentProvider = "" }, "type": func(f *translog.Facts) { f.Event.TokenType = "" },
		"device": func(f *translog.Facts) { f.Event.CheckInDeviceID = "" }, "unreadable": func(f *translog.Facts) { f.Event.Unreadable = nil },
	}
	for name, change := range changes {
		event := *base.Event
		event.Flags = slices.Clone(event.Flags)
		f := base
		f.Event = &event
		change(&f)
		if bytes.Equal(f.Append(nil), want) {
			t.Errorf("%s does not count", name)
		}
	}
}

func TestALaterDeliveryStatesSets(t *testing.T) {
	a, b := someFacts(false), someFacts(false)
	b.Event.ID = a.Event.ID
	b.Event.Flags, b.Event.ProductIDs = []string{"a", "b", "b"}, []string{"2", "1"}
	b.Event.ReceivedAt, b.Event.IssuedAt = time.Time{}, time.Time{}
	if !bytes.Equal(a.Append(nil), b.Append(nil)) {
		t.Error("the order of a set counts")
	}
	b.Event.ProductIDs = []string{"2"}
	if bytes.Equal(a.Append(nil), b.Append(nil)) {
		t.Error("a product less does not count")
	}
}

// A pack holds the facts as JSON: nothing of them may be lost.
func TestFactsSurviveJSON(t *testing.T) {
	for _, want := range []translog.Facts{someFacts(true), someFacts(false), {}, {Event: &translog.EventFacts{}}} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got translog.Facts
		if err := json.Unmarshal(text, &got); err != nil || !bytes.Equal(got.Append(nil), want.Append(nil)) {
			t.Errorf("%v: %s", err, fmt.Sprint(got))
		}
	}
}
