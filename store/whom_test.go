package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// A guest whom no customer's id names: what he gave of himself does, however it is spelled.
var guestBodies = []struct {
	webhook aifi.Webhook
	body    string
}{
	{aifi.RestrictedProductsInteractions, `{"storeId":7,"sessionId":"guest","eventId":"1","timeOfOrigin":"2026-01-02T03:04:05Z","productIds":["beer"]}`},
	{aifi.RemoteRegister, `{"storeId":7,"token":"guest","timeOfOrigin":"2026-01-02T03:09:00Z","customerPersonalInfo":{"email":"Guy.Guest@Example.com","firstName":"Guy","lastName":"Guest"}}`},
	{aifi.RemoteRegister, `{"storeId":8,"token":"by phone","timeOfOrigin":"2026-01-03T03:09:00Z","customerPersonalInfo":{"phoneNumber":"+44 (20) 7946-0959"}}`},
	{aifi.RemoteRegister, `{"storeId":8,"token":"by name","timeOfOrigin":"2026-01-04T03:09:00Z","customerPersonalInfo":{"firstName":"GUY","lastName":"guest"}}`},
	{aifi.Tracking, `{"storeId":8,"timeOfOrigin":"2026-01-05T03:00:00Z","customer":{"contact":{"mobile":442079460959}}}`},
	{aifi.SuspectedFraud, `{"storeId":8,"customerPersonalInfo":{"email":"guy.guest@example.COM"},"sessionId":"cut off`},
	{aifi.RemoteRegister, `{"storeId":9,"token":"account","timeOfOrigin":"2026-01-06T03:09:00Z","customer":{"id":"account"},"customerPersonalInfo":{"email":"GUY.guest@example.com"}}`},
}

var strangerBodies = []struct {
	webhook aifi.Webhook
	body    string
}{
	{aifi.RestrictedProductsInteractions, `{"storeId":9,"sessionId":"account","eventId":"2","timeOfOrigin":"2026-01-06T03:04:05Z","customer":{"id":"account"},"productIds":["gin"]}`},
	{aifi.RestrictedProductsInteractions, `{"storeId":9,"sessionId":"account","eventId":"3","timeOfOrigin":"2026-01-06T03:05:05Z","productIds":["gin"]}`},
	{aifi.RemoteRegister, `{"storeId":7,"token":"other","timeOfOrigin":"2026-01-02T03:09:00Z","customerPersonalInfo":{"email":"not.guy.guest@example.org","firstName":"Guy","lastName":"Ghost","phone":"02079460959"}}`},
	{aifi.Tracking, `{"storeId":8,"timeOfOrigin":"2026-01-05T03:00:00Z","product":{"name":"Guy Guest"},"phone":442079460959}`},
}

var guest = store.Whom{Identifiers: store.Identifiers{
	Emails: []string{"guy.guest@example.com"}, Phones: []string{"44 20 7946 0959"}, Names: []string{"guy  Guest"},
}}

func TestAPersonWithoutACustomersID(t *testing.T) {
	d := newSigned(t)
	s, published := d.open(t)
	t.Cleanup(s.Close)
	var his, others []uuid.UUID
	for _, b := range guestBodies {
		his = append(his, recordOne(t, s, b.webhook, b.body, store.Scope{}))
	}
	for _, b := range strangerBodies {
		others = append(others, recordOne(t, s, b.webhook, b.body, store.Scope{}))
	}
	wait(t, published, int64(len(his)+len(others)))

	p, err := s.FindPerson(t.Context(), guest, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(his, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	if !slices.Equal(p.DeliveryIDs, his) || p.Found.Identified != 4 || p.Found.Events != 5 || p.Found.Mentions != 2 || !slices.Equal(p.Others, []string{"account"}) {
		t.Errorf("found %+v of %d deliveries, beside customers %q", p.Found, len(p.DeliveryIDs), p.Others)
	}
	for _, part := range []store.Identifiers{{Emails: []string{"x@example.com"}}, {Phones: []string{"7946 0959"}}, {Names: []string{"Guest Guy"}}} {
		if p, err := s.FindPerson(t.Context(), store.Whom{Identifiers: part}, true, nil); err != nil || !p.Found.None() {
			t.Errorf("%+v: %v %+v", part, err, p.Found)
		}
	}
	if p, err := s.FindPerson(t.Context(), store.Whom{CustomerID: "account", Identifiers: guest.Identifiers}, true, nil); err != nil || p.Found.Deliveries != int64(len(his)+2) || p.Others != nil {
		t.Errorf("with his account: %v %+v %q", err, p.Found, p.Others)
	}

	asked, err := s.RequestErasure(t.Context(), store.NewErasure{Whom: store.Whom{Identifiers: guest.Identifiers}, By: "Jane Doe", Reason: "case 12"})
	if err != nil {
		t.Fatal(err)
	}
	if open, err := s.Erasure(t.Context(), store.Scope{}, asked.ID); err != nil || open.CustomerID != nil || len(open.Identifiers.Emails) != 1 || open.Found.Identified != 4 {
		t.Errorf("the open request: %v %+v", err, open)
	}
	done, err := s.Erase(t.Context(), asked.ID, store.Execution{By: "Jane Doe", Unapproved: true})
	if err != nil {
		t.Fatal(err)
	}
	if done.Erased.Deliveries != int64(len(his)) || done.Erased.Identified != 4 || !done.Identifiers.None() {
		t.Errorf("erased %+v of %+v", done.Erased, done)
	}
	if n := storetest.Query(t, d.url, "SELECT count(*) FROM delivery_bodies WHERE delivery_id = ANY ($1)", others)[0]; n != "4" {
		t.Errorf("of the others %s bodies are left", n)
	}
	if got := storetest.Query(t, d.url, "SELECT count(*) FROM events WHERE customer_id = 'account'")[0]; got != "1" {
		t.Errorf("%s events of the account are left", got)
	}
	if left := everywhere(t, d.url, "Guy.Guest@Example.com", `"guy.guest@example.COM"`, "7946-0959", "lastName\":\"Guest", "guy  Guest"); len(left) > 0 {
		t.Errorf("left of him: %q", left)
	}
	if again, err := s.FindPerson(t.Context(), guest, true, nil); err != nil || !again.Found.None() {
		t.Errorf("found again: %v %+v", err, again.Found)
	}

	wait(t, published, int64(2*len(his)+len(others)+1))
	c, err := s.Certificate(t.Context(), store.Scope{}, asked.ID)
	if err != nil || !strings.Contains(c.Statement, "looked for by: 1 e-mail addresses, 1 phone numbers, 1 names\n") || strings.Contains(strings.ToLower(c.Statement), "guest") {
		t.Errorf("the statement: %v %s", err, c.Statement)
	}
	subject, _, _ := strings.Cut(c.Statement[strings.Index(c.Statement, "subject: ")+len("subject: "):], "\n")
	spelled := store.Whom{Identifiers: store.Identifiers{Emails: []string{"GUY.GUEST@example.com"}, Phones: []string{"+442079460959"}, Names: []string{"Guy Guest"}}}
	if !store.IsSubject(subject, done.SubjectKey, spelled) || store.IsSubject(subject, done.SubjectKey, store.Whom{Identifiers: store.Identifiers{Emails: spelled.Emails}}) {
		t.Error("the certificate does not tell whom it is about")
	}
}

func TestWhomThatIsNobody(t *testing.T) {
	many := slices.Repeat([]string{"a@example.com"}, 21)
	for field, all := range map[string][]store.Whom{
		"customerId": {{}, {CustomerID: strings.Repeat("x", 513)}, {CustomerID: "a\x00"}, {Identifiers: store.Identifiers{Emails: []string{}}}},
		"emails":     {{Identifiers: store.Identifiers{Emails: []string{"example.com"}}}, {CustomerID: "5", Identifiers: store.Identifiers{Emails: []string{""}}}, {Identifiers: store.Identifiers{Emails: many}}},
		"phones":     {{Identifiers: store.Identifiers{Phones: []string{"+44 (20)"}}}, {Identifiers: store.Identifiers{Phones: []string{"none"}}}},
		"names":      {{Identifiers: store.Identifiers{Names: []string{" "}}}, {Identifiers: store.Identifiers{Names: []string{"a\x00b"}}}},
	} {
		for _, w := range all {
			var input *store.InputError
			if err := w.Check(); !errors.As(err, &input) || input.Field != field {
				t.Errorf("%+v: %v", w, err)
			}
		}
	}
	if err := guest.Check(); err != nil {
		t.Error(err)
	}
}
