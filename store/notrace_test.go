package store_test

import (
	"bytes"
	"fmt"
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

// A person who is in everything that AiFi sends: what names her is found nowhere else.
const (
	graceID      = "cust-graceh-8812"
	graceLoyalty = "LOY-graceh-77001"
	graceEmail   = "grace.hopper@example.com"
	gracePhone   = "+44 20 7946 0958"
	graceCard    = "CARD-99-graceh"
	graceFirst   = "Gracetta"
	graceLast    = "Hopperton"
)

var traces = []string{graceID, graceLoyalty, graceEmail, gracePhone, graceCard, graceFirst, graceLast, "2079460958", "paid-with-graceh"}

var graceBodies = []struct {
	webhook aifi.Webhook
	body    string
}{
	{aifi.CustomerCreated, `{"storeId":7,"timeOfOrigin":"2026-01-02T03:00:00Z","customer":{"id":"cust-graceh-8812","externalId":"LOY-graceh-77001","metadata":{"loyaltyCard":"CARD-99-graceh","likes":"Gracetta Hopperton"}}}`},
	{aifi.RestrictedProductsInteractions, `{"storeId":7,"sessionId":"visit","eventId":"1","timeOfOrigin":"2026-01-02T03:04:05Z","customer":{"id":"cust-graceh-8812"},"shopper":{"shopperId":"shadow","shopperFlags":["A"]},
		"session":{"sessionId":"visit","updatedAt":"2026-01-02T03:04:05Z","customerId":"cust-graceh-8812","customerPaymentInstrumentId":"paid-with-graceh","metadata":{"name":"Gracetta"}},"productIds":["beer"]}`},
	{aifi.RestrictedProductsInteractions, `{"storeId":7,"sessionId":"visit","eventId":"2","timeOfOrigin":"2026-01-02T03:05:05Z","productIds":["wine"],"note":"Hopperton again"}`},                                                                                                         // his session, names nobody
	{aifi.RestrictedProductsInteractions, `{"storeId":7,"eventId":"3","timeOfOrigin":"2026-01-02T03:06:05Z","shopper":{"shopperId":"shadow"},"productIds":["rum"],"note":"Hopperton, Gracetta"}`},                                                                                         // only the shopper
	{aifi.RemoteRegister, `{"storeId":7,"token":"visit","tokenType":"SESSION_ID","timeOfOrigin":"2026-01-02T02:59:00Z","customerPersonalInfo":{"email":"grace.hopper@example.com","firstName":"Gracetta","lastName":"Hopperton","phone":"2079460958","phoneNumber":"+44 20 7946 0958"}}`}, // no customer
	{aifi.SuspectedFraud, `{"storeId":7,"timeOfOrigin":"2026-01-02T03:07:05Z","session":{"sessionId":"second","updatedAt":"2026-01-02T03:07:05Z","customerId":"cust-graceh-8812"}}`},
	{aifi.Tracking, `{"storeId":8,"timeOfOrigin":"2026-01-03T03:00:00Z","uniqueEventId":"u","data":{"contact":["grace.hopper@example.com"]}}`},                                                                                                      // nothing but her address
	{aifi.Tracking, `{"storeId":8,"timeOfOrigin":"2026-01-03T04:00:00Z","customer":{"externalId":"LOY-graceh-77001"}}`},                                                                                                                             // nothing but the retailer's id
	{aifi.IdentityMatching, `{"storeId":8,"timeOfOrigin":"2026-01-03T05:00:00Z","matchedTo":"CARD-99-graceh"}`},                                                                                                                                     // nothing but her card
	{aifi.SuspectedFraud, `{"storeId":7,"customer":{"id":"cust-graceh-8812","metadata":{"a":"Gracetta Hopperton"`},                                                                                                                                  // cut off: quarantine
	{aifi.RestrictedProductsInteractions, `{"storeId":7,"sessionId":"visit","eventId":"1","timeOfOrigin":"2026-01-02T03:04:05Z","customer":{"id":"cust-graceh-8812"},"shopper":{"shopperId":"shadow","shopperFlags":["A"]},"productIds":["beer"]}`}, // stated before
}

// Others of whom nothing may be lost.
var otherBodies = []struct {
	webhook aifi.Webhook
	body    string
}{
	{aifi.RestrictedProductsInteractions, `{"storeId":7,"sessionId":"visit","eventId":"4","timeOfOrigin":"2026-01-02T03:05:05Z","customer":{"id":"another"},"productIds":["gin"]}`}, // in her session
	{aifi.RestrictedProductsInteractions, `{"storeId":7,"sessionId":"elsewhere","eventId":"5","timeOfOrigin":"2026-01-02T03:05:05Z","customer":{"id":"cust-graceh-881"},"productIds":["cust"]}`},
	{aifi.RestrictedProductsInteractions, `{"storeId":7,"eventId":"6","timeOfOrigin":"2026-01-09T03:06:05Z","shopper":{"shopperId":"shadow"},"productIds":["rum"]}`}, // the shopper's name a week later
	{aifi.RestrictedProductsInteractions, `{"storeId":8,"eventId":"7","timeOfOrigin":"2026-01-02T03:06:05Z","shopper":{"shopperId":"shadow"},"productIds":["rum"]}`}, // and in another store
	{aifi.RestrictedProductsInteractions, `not JSON`},
}

// grace is a database that knows her.
func grace(t testing.TB) (d signed, s *store.Store, hers, others []uuid.UUID, closed func()) {
	t.Helper()
	d = newSigned(t)
	c, published := d.config(t)
	c.Refusals = store.Refusals{Most: 100, MostBytes: 1 << 20}
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	closed = sync.OnceFunc(s.Close)
	t.Cleanup(closed)
	for _, b := range graceBodies {
		hers = append(hers, recordOne(t, s, b.webhook, b.body, store.Scope{}))
	}
	for _, b := range otherBodies {
		others = append(others, recordOne(t, s, b.webhook, b.body, store.Scope{}))
	}
	// One that came with the token of another store, and was replayed.
	replayed := recordOne(t, s, aifi.SuspectedFraud, `{"storeId":7,"timeOfOrigin":"2026-01-02T09:00:00Z","customer":{"id":"cust-graceh-8812"}}`, store.OnlyStores([]int64{8}))
	if _, err := s.Replay(t.Context(), store.Scope{}, replayed); err != nil {
		t.Fatal(err)
	}
	hers = append(hers, replayed)
	staff := token(t, s, "Carla Staff", store.MayRead, store.MayReview)
	if _, err := s.AddNote(t.Context(), staff, store.NewNote{DeliveryID: hers[1], Disposition: store.Confirmed, Comment: "It is Gracetta from next door."}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddNote(t.Context(), staff, store.NewNote{DeliveryID: others[1], Comment: "Stays."}); err != nil {
		t.Fatal(err)
	}
	for _, a := range []store.Access{
		{Action: "search", Path: "/api/v1/alcohol-interactions", Query: "storeId=7&customerId=cust-graceh-8812"},
		{Action: "search", Path: "/sessions", Query: "customerId=cust%2Dgraceh%2D8812"},
		{Action: "view", Path: "/api/v1/customers/cust-graceh-8812/subject-access"},
		{Action: "search", Path: "/x", Query: "q=grace.hopper%40example.com&%zz"},
		{Action: "search", Path: "/x", Query: "customerId=another"},
		{Action: "evidence ended", Path: "/x", Detail: "of LOY-graceh-77001"},
	} {
		a.TokenID, a.Status, a.RemoteAddr = staff.ID, 200, "192.0.2.7"
		if err := s.LogAccess(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	s.KeepRefused("wrong", store.UnknownToken, deliver(t, aifi.SuspectedFraud, `{"customer":{"id":"cust-graceh-8812"}}`))
	s.KeepRefused("wrong", store.UnknownToken, deliver(t, aifi.SuspectedFraud, `{"customer":{"id":"somebody"}}`))
	storetest.Eventually(t, "what was refused is written", func() bool {
		return storetest.Query(t, d.url, "SELECT count(*) FROM refused")[0] == "2"
	})
	wait(t, published, d.sizeWithQueue(t))
	return d, s, hers, others, closed
}

// token makes a token, and gives it as the API knows it.
func token(t testing.TB, s *store.Store, name string, rights ...store.Right) store.Token {
	t.Helper()
	secret, err := s.CreateToken(t.Context(), name, rights, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	found, why := s.Authenticate(t.Context(), secret)
	if why != "" {
		t.Fatal("the token is not good: ", why)
	}
	return found
}

// everywhere finds texts in every column of every table that can hold text.
func everywhere(t testing.TB, url string, texts ...string) (found []string) {
	t.Helper()
	columns := storetest.Query(t, url, `SELECT format('%I %I %s', c.table_name, c.column_name, c.data_type) FROM information_schema.columns c
		JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name AND t.table_type = 'BASE TABLE'
		WHERE c.table_schema = 'public' AND c.data_type IN ('text', 'jsonb', 'json', 'bytea', 'character varying', 'ARRAY', 'name')`)
	if len(columns) < 100 {
		t.Fatalf("there are only %d columns", len(columns))
	}
	for _, c := range columns {
		part := strings.SplitN(c, " ", 3)
		has := fmt.Sprintf("position(lower(w) IN lower(%s::text)) > 0", part[1])
		switch part[2] {
		case "bytea":
			has = fmt.Sprintf("position(convert_to(w, 'UTF8') IN %s) > 0", part[1])
		case "ARRAY": // of bytes it is shown in hexadecimal digits
			has += fmt.Sprintf(" OR position(encode(convert_to(w, 'UTF8'), 'hex') IN %s::text) > 0", part[1])
		}
		sql := fmt.Sprintf("SELECT w FROM unnest($1::text[]) AS w WHERE EXISTS (SELECT 1 FROM %s WHERE %s)", part[0], has)
		for _, text := range storetest.Query(t, url, sql, texts) {
			found = append(found, fmt.Sprintf("%s.%s has %q", part[0], part[1], text))
		}
	}
	storetest.EachBody(t, url, func(id string, body []byte, err error) {
		if err != nil {
			t.Errorf("the body of %s: %v", id, err)
		}
		for _, text := range texts {
			if bytes.Contains(body, []byte(text)) {
				found = append(found, fmt.Sprintf("the body of %s has %q", id, text))
			}
		}
	})
	return found
}

func TestNoTraceOfAnErasedPersonIsLeft(t *testing.T) {
	d, s, hers, others, _ := grace(t)
	if found := everywhere(t, d.url, traces...); len(found) < 20 {
		t.Fatalf("there is too little to erase: %q", found)
	}
	kept := storetest.Query(t, d.url, "SELECT count(*) FROM events")[0]
	p, err := s.FindPerson(t.Context(), store.Whom{CustomerID: graceID}, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range hers {
		if !contains(p.DeliveryIDs, id) {
			t.Errorf("delivery %d of hers is not found", i)
		}
	}
	want := store.Found{
		Deliveries: int64(len(hers)), Mentions: 4, Events: 7, Sessions: 2, Customers: 1, PersonalInfos: 1, Comments: 1, Refused: 1, AccessEntries: 5, Complete: true,
	}
	got := p.Found
	got.FirstAt, got.LastAt = nil, nil
	if got != want {
		t.Errorf("found %+v, want %+v", got, want)
	}
	e := erase(t, s, graceID)
	got = *e.Erased
	got.FirstAt, got.LastAt = nil, nil
	if got != want || e.CustomerID != nil {
		t.Errorf("erased %+v, want %+v", got, want)
	}
	for _, trace := range everywhere(t, d.url, traces...) {
		t.Error(trace)
	}
	if n := storetest.Query(t, d.url, "SELECT count(*) FROM events WHERE customer_id = $1", graceID)[0]; n != "0" {
		t.Errorf("%s events name her", n)
	}
	// Others lost nothing, and no event is gone.
	for i, id := range others {
		if _, err := s.Body(t.Context(), store.Scope{}, id); err != nil {
			t.Errorf("delivery %d of others: %v", i, err)
		}
	}
	if n := storetest.Query(t, d.url, "SELECT count(*) FROM events")[0]; n != kept {
		t.Errorf("%s events are left of %s", n, kept)
	}
	for sql, want := range map[string]string{
		"SELECT count(*) FROM events WHERE 'wine' = ANY (product_ids) AND session_id = 'visit'":     "1",
		"SELECT count(*) FROM event_notes WHERE comment = '[erased]' AND disposition = 'confirmed'": "1",
		"SELECT count(*) FROM event_notes WHERE comment = 'Stays.'":                                 "1",
		"SELECT count(*) FROM access_log WHERE query = '[erased]'":                                  "3",
		"SELECT count(*) FROM access_log WHERE query = 'customerId=another'":                        "1",
		"SELECT count(*) FROM access_log WHERE path = '/api/v1/customers/[erased]/subject-access'":  "1",
		"SELECT count(*) FROM refused":                                                              "1",
		"SELECT count(*) FROM sessions WHERE session_id = 'elsewhere' AND customer_id IS NOT NULL":  "1",
	} {
		if got := storetest.Query(t, d.url, sql)[0]; got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
	if again, err := s.FindPerson(t.Context(), store.Whom{CustomerID: graceID}, true, nil); err != nil || !again.Found.None() {
		t.Errorf("she is found again: %+v, %v", again.Found, err)
	}
	// AiFi may repeat what it said; and the database is still as it was signed.
	recordOne(t, s, graceBodies[1].webhook, graceBodies[1].body, store.Scope{})
	result, found := verified(t, d, [victims]uuid.UUID{}, verify.Options{})
	if !result.Clean() || result.Findings[verify.Erased] != len(hers)+6 { // five entries of the access log, and a comment
		t.Errorf("%+v: %q", result, found)
	}
}

func contains(ids []uuid.UUID, id uuid.UUID) bool {
	for _, x := range ids {
		if x == id {
			return true
		}
	}
	return false
}

// What an erasure left in the access log and its statement are guarded like all else.
func TestWhatAnErasureLeftIsGuarded(t *testing.T) {
	d, s, _, _, closed := grace(t)
	e := erase(t, s, graceID)
	for deadline := time.Now().Add(time.Minute); ; {
		if _, err := s.Certificate(t.Context(), store.Scope{}, e.ID); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	closed()
	for name, c := range map[string]struct{ sql, want string }{
		"who looked":        {"UPDATE access_log SET token_id = 99 WHERE query = '[erased]'", "TAMPERED access"},
		"the redacted text": {"UPDATE access_log SET query = 'x' WHERE query = '[erased]'", "TAMPERED access"},
		"what is left":      {"DELETE FROM log_access_erasures", "MISSING access erasure"},
		"its commitment":    {"UPDATE log_access_erasures SET facts_commitment = sha256('')", "TAMPERED access"},
		"the statement":     {"UPDATE erasure_results SET statement = replace(statement, 'Jane', 'John')", "TAMPERED certificate"},
		"no statement":      {"DELETE FROM erasure_results", "MISSING certificate"},
		"a false erasure": {
			"INSERT INTO log_access_erasures SELECT entry_id, now(), sha256(''), sha256(''), gen_random_uuid() FROM access_log WHERE query = 'customerId=another'",
			"TAMPERED access",
		},
		"a false statement": {"INSERT INTO erasure_results VALUES (gen_random_uuid(), now(), '{}', 'x', sha256(''))", "UNSEQUENCED certificate"},
	} {
		copied := d
		copied.url = storetest.Clone(t, d.url)
		unguarded(t, copied.url, c.sql)
		result, found := verified(t, copied, [victims]uuid.UUID{}, verify.Options{})
		if result.Clean() || !strings.Contains(strings.Join(found, "; "), c.want) {
			t.Errorf("%s: %q", name, found)
		}
	}
}

func TestAnEntryThatNamesTwoIsErasedOnce(t *testing.T) {
	d := newSigned(t)
	c, published := d.config(t)
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, customer := range []string{"cust-one-111", "cust-two-222"} {
		recordOne(t, s, aifi.SuspectedFraud, fmt.Sprintf(`{"storeId":7,"sessionId":"s%d","timeOfOrigin":"2026-01-02T03:04:05Z","customer":{"id":%q}}`, i, customer), store.Scope{})
	}
	staff := token(t, s, "Carla Staff", store.MayRead)
	err = s.LogAccess(t.Context(), store.Access{
		TokenID: staff.ID, Action: "subject access", Path: "/api/v1/customers/cust-two-222/subject-access", Query: "name=cust-one-111", Detail: "beside cust-two-222", Status: 200,
	})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, published, d.sizeWithQueue(t))
	if e := erase(t, s, "cust-one-111"); e.Erased.AccessEntries != 1 {
		t.Errorf("erased %+v", e.Erased)
	}
	if found := everywhere(t, d.url, "cust-one-111"); len(found) != 0 {
		t.Errorf("%q", found)
	}
	if e := erase(t, s, "cust-two-222"); e.Erased.AccessEntries != 0 {
		t.Errorf("the entry is erased again: %+v", e.Erased)
	}
	if found := everywhere(t, d.url, "cust-two-222"); len(found) != 0 {
		t.Errorf("%q", found)
	}
	if result, found := verified(t, d, [victims]uuid.UUID{}, verify.Options{}); !result.Clean() {
		t.Errorf("%+v: %q", result, found)
	}
}
