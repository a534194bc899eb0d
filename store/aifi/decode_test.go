package aifi_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"aifi-audit/store/aifi"
)

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t testing.TB, w aifi.Webhook, body string) *aifi.Statement {
	t.Helper()
	s, problem := aifi.Decode(w, []byte(body))
	if problem != nil {
		t.Fatalf("%s: %v", body, problem)
	}
	return s
}

// The documentation's examples use one time for all.
var documented = time.Date(2019, 8, 24, 14, 15, 22, 0, time.UTC)

func TestDecodeReadsEveryDocumentedField(t *testing.T) {
	const id = "d3a00526-1864-4f6e-bb2d-46e3ab7fa780"
	zero, yes, satisfaction := int64(0), false, int64(95)
	session := &aifi.Session{
		ID: "0", SessionID: id, SessionToken: id, CustomerID: "0", Code: "c69bb289-1190-4156-b9f6-bfb7f61e85db", Status: "active",
		LocationID: "string", StoreID: &zero, StoreIDScannableAt: "0", CustomerPaymentInstrumentID: "0",
		CustomerSatisfaction: &satisfaction, CustomerSatisfactionSubmitted: &yes, GroupSize: &zero, Visitors: &zero, Priority: &zero,
		SuspectedFraud: &yes, CreatedAt: documented, UpdatedAt: documented, ExpiresAt: documented,
		CodeFirstSuccessfullyScannedAt: documented, CodeLastSuccessfullyScannedAt: documented,
		CustomerFirstEnteredAt: documented, CustomerLastEnteredAt: documented, CustomerFirstExitedAt: documented, CustomerLastExitedAt: documented,
		Metadata: []byte(`{"events":[{"eventId":"6bdbfb2d-65b2-491c-bc97-c0ac73338476","metadata":{"key":"value"}}],"exampleKey":"exampleValue"}`),
	}
	customer := &aifi.Customer{ID: "string", ExternalID: "string", Role: "customer", Metadata: []byte(`{"arbitraryKey":"arbitraryValue"}`)}
	flags := []string{"POTENTIALLY_INTERACTED_WITH_ALCOHOL"}
	for webhook, want := range map[aifi.Webhook]*aifi.Statement{
		aifi.RestrictedProductsInteractions: {
			EventID: "string", SessionID: id, ShopperID: "string", Customer: customer, Session: session,
			ShopperFlags: flags, SessionFlags: flags, WebhookFlags: flags, ProductIDs: []string{"string"}, GondolaIDs: []string{"0"},
		},
		aifi.SuspectedFraud: {SessionID: id, Customer: customer, Session: session, PaymentProvider: "NONE"},
		aifi.RemoteRegister: {
			SessionID: id, Customer: customer, Token: id, CheckInDeviceID: "0",
			PersonalInfo: &aifi.PersonalInfo{Email: "user@example.com", FirstName: "string", LastName: "string", Phone: "string", PhoneNumber: "string"},
		},
	} {
		t.Run(string(webhook), func(t *testing.T) {
			got := decode(t, webhook, string(read(t, "samples/"+string(webhook)+".json")))
			want.Webhook, want.StoreExternalID, want.AifiUniqueStoreID = webhook, "string", "string"
			want.TimeOfOrigin, want.TimeOfIssue, want.Fingerprint = documented, documented, got.Fingerprint
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeTolerates(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		ok   func(*aifi.Statement) bool
	}{
		"a number for a string": {`{"storeId":"7","sessionId":12}`, func(s *aifi.Statement) bool { return s.StoreID == 7 && s.SessionID == "12" }},
		"an integral float":     {`{"storeId":1.2e1}`, func(s *aifi.Statement) bool { return s.StoreID == 12 }},
		"a value for a list": {`{"storeId":7,"productIds":"p","gondolaIds":3}`, func(s *aifi.Statement) bool {
			return cmp.Equal(s.ProductIDs, []string{"p"}) && cmp.Equal(s.GondolaIDs, []string{"3"})
		}},
		"a list for a value":      {`{"storeId":7,"eventId":["e"]}`, func(s *aifi.Statement) bool { return s.EventID == "e" }},
		"a bare flag":             {`{"storeId":7,"shopper":{"shopperFlags":"F"}}`, func(s *aifi.Statement) bool { return cmp.Equal(s.ShopperFlags, []string{"F"}) }},
		"nulls":                   {`{"storeId":7,"session":null,"customer":null,"shopper":null,"productIds":[null]}`, func(s *aifi.Statement) bool { return s.Session == nil && s.ProductIDs == nil }},
		"the store in store":      {`{"storeId":0,"store":{"oasisApiStoreId":9}}`, func(s *aifi.Statement) bool { return s.StoreID == 9 }},
		"the session in session":  {`{"storeId":7,"session":{"sessionToken":"t"}}`, func(s *aifi.Statement) bool { return s.SessionID == "t" }},
		"the customer in session": {`{"storeId":7,"session":{"customerId":4}}`, func(s *aifi.Statement) bool { return s.CustomerID() == "4" }},
		"a time without zone":     {`{"storeId":7,"timeOfOrigin":"2026-01-02 03:04:05"}`, func(s *aifi.Statement) bool { return s.TimeOfOrigin.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) }},
		"a leap second":           {`{"storeId":7,"timeOfOrigin":"2016-12-31T23:59:60Z"}`, func(s *aifi.Statement) bool { return s.TimeOfOrigin.Equal(time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)) }},
		"an unusable time": {`{"storeId":7,"timeOfOrigin":"yesterday"}`, func(s *aifi.Statement) bool {
			return s.TimeOfOrigin.IsZero() && cmp.Equal(s.Unreadable, []string{"/timeOfOrigin"})
		}},
		"an unusable count": {`{"storeId":7,"session":{"groupSize":"many"}}`, func(s *aifi.Statement) bool {
			return s.Session.GroupSize == nil && cmp.Equal(s.Unreadable, []string{"/session/groupSize"})
		}},
		"a member that stands twice":       {`{"storeId":5,"storeId":6}`, func(s *aifi.Statement) bool { return s.StoreID == 6 && cmp.Equal(s.Unreadable, []string{"/storeId"}) }},
		"NUL":                              {`{"storeId":5,"sessionId":"a\u0000b"}`, func(s *aifi.Statement) bool { return s.SessionID == "a\ufffdb" && len(s.Unreadable) == 1 }},
		"metadata that jsonb would refuse": {`{"storeId":5,"customer":{"metadata":{"a":1e999999}}}`, func(s *aifi.Statement) bool { return string(s.Customer.Metadata) == `"{\"a\":1e999999}"` }},
	} {
		t.Run(name, func(t *testing.T) {
			if s := decode(t, aifi.RestrictedProductsInteractions, c.body); !c.ok(s) {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		body    string
		reason  aifi.Reason
		pointer string
	}{
		"nothing":          {"", aifi.NotJSON, ""},
		"HTML":             {"<html>", aifi.NotJSON, ""},
		"two values":       {"{}{}", aifi.NotJSON, ""},
		"a list":           {"[]", aifi.NotAnObject, ""},
		"deep nesting":     {`{"a":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + "}", aifi.TooDeep, ""},
		"an empty object":  {"{}", aifi.StatesNothing, ""},
		"an object for id": {`{"sessionId":{}}`, aifi.WrongType, "/sessionId"},
		"a boolean for id": {`{"shopper":{"shopperId":true}}`, aifi.WrongType, "/shopper/shopperId"},
		"text for session": {`{"session":"s"}`, aifi.WrongType, "/session"},
		"text for storeId": {`{"storeId":"many"}`, aifi.WrongType, "/storeId"},
		"lists of lists":   {`{"productIds":[["a"]]}`, aifi.WrongType, "/productIds/0"},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := aifi.Decode(aifi.RestrictedProductsInteractions, []byte(c.body))
			if p == nil || p.Reason != c.reason || p.Pointer != c.pointer {
				t.Errorf("got %+v and %+v", s, p)
			}
		})
	}
}

func TestFingerprintIsOfWhatIsStated(t *testing.T) {
	base := `{"storeId":7,"sessionId":"s","eventId":"e","timeOfOrigin":"2026-01-02T03:04:05Z","timeOfIssue":"2026-01-02T03:04:06Z","productIds":["a","b"],"more":{"x":1,"y":2}}`
	same := map[string]string{
		"issued later":     strings.Replace(base, "03:04:06Z", "09:09:09Z", 1),
		"other zone":       strings.Replace(base, "03:04:05Z", "04:04:05+01:00", 1),
		"other order":      `{"more":{"y":2,"x":1},"productIds":["b","a","b"],"timeOfOrigin":"2026-01-02T03:04:05Z","eventId":"e","sessionId":"s","storeId":7}`,
		"session's state":  strings.Replace(base, `"storeId":7`, `"storeId":7,"session":{"status":"active"}`, 1),
		"number or string": strings.Replace(base, `"storeId":7`, `"storeId":"7"`, 1),
	}
	other := map[string]string{
		"store":            strings.Replace(base, `"storeId":7`, `"storeId":8`, 1),
		"session":          strings.Replace(base, `"s"`, `"t"`, 1),
		"event id":         strings.Replace(base, `"e"`, `"f"`, 1),
		"time of origin":   strings.Replace(base, "03:04:05Z", "03:04:05.000001Z", 1),
		"products":         strings.Replace(base, `["a","b"]`, `["a"]`, 1),
		"product boundary": strings.Replace(base, `["a","b"]`, `["ab"]`, 1),
		"unknown member":   strings.Replace(base, `"y":2`, `"y":3`, 1),
		"flags":            strings.Replace(base, `"storeId":7`, `"storeId":7,"shoppingSessionFlags":"F"`, 1),
		"flags elsewhere":  strings.Replace(base, `"storeId":7`, `"storeId":7,"shopper":{"shopperFlags":"F"}`, 1),
	}
	want := decode(t, aifi.RestrictedProductsInteractions, base).Fingerprint
	for name, body := range same {
		if decode(t, aifi.RestrictedProductsInteractions, body).Fingerprint != want {
			t.Errorf("%s changes the fingerprint", name)
		}
	}
	seen := map[[16]byte]string{want: "base"}
	for name, body := range other {
		got := decode(t, aifi.RestrictedProductsInteractions, body).Fingerprint
		if twin, ok := seen[got]; ok {
			t.Errorf("%s has the fingerprint of %s", name, twin)
		}
		seen[got] = name
	}
	if decode(t, aifi.SuspectedFraud, base).Fingerprint == want {
		t.Error("the webhook does not change the fingerprint")
	}
}

func TestFingerprintIgnoresOrderAndSpacing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.MapOfN(rapid.StringMatching(`[a-z]{1,6}`), rapid.StringMatching(`[a-z0-9 ]{0,8}`), 1, 8).Draw(t, "members")
		names := make([]string, 0, len(members))
		for name := range members {
			names = append(names, name)
		}
		body := func(order []string, space string) []byte {
			parts := make([]string, len(order))
			for i, name := range order {
				parts[i] = space + `"` + name + `":` + space + `"` + members[name] + `"`
			}
			return []byte("{" + strings.Join(parts, ",") + "}")
		}
		a, p := aifi.Decode("test", body(names, ""))
		b, q := aifi.Decode("test", body(rapid.Permutation(names).Draw(t, "order"), " "))
		if p != nil || q != nil || a.Fingerprint != b.Fingerprint {
			t.Fatalf("%v %v: %+v and %+v", p, q, a, b)
		}
	})
}

func TestParseWebhook(t *testing.T) {
	for path, want := range map[string]aifi.Webhook{
		"suspected-fraud": aifi.SuspectedFraud, "/Suspected-Fraud/": aifi.SuspectedFraud, "transition/left": aifi.TransitionLeft,
		"Something-New": "Something-New", "": "",
	} {
		if got := aifi.ParseWebhook(path); got != want {
			t.Errorf("%q: got %q", path, got)
		}
	}
}

// addSeeds adds the samples, and what was hostile before.
func addSeeds(f *testing.F) {
	f.Helper()
	for _, pattern := range []string{"testdata/samples/*", "testdata/hostile/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatal("no seeds in ", pattern)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
}

func FuzzDecode(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		s, p := aifi.Decode(aifi.RestrictedProductsInteractions, bytes.Clone(body))
		if (s == nil) == (p == nil) {
			t.Fatalf("statement %v, problem %v", s, p)
		}
		if p != nil {
			storable(t, p.Pointer)
			return
		}
		again, _ := aifi.Decode(aifi.RestrictedProductsInteractions, body)
		if diff := cmp.Diff(s, again); diff != "" {
			t.Fatal(diff)
		}
		storable(t, s.StoreExternalID, s.AifiUniqueStoreID, s.EventID, s.SessionID, s.ShopperID, s.CustomerID(), s.PaymentProvider, s.Token)
		for _, list := range [][]string{s.ShopperFlags, s.SessionFlags, s.WebhookFlags, s.ProductIDs, s.GondolaIDs, s.Unreadable} {
			storable(t, list...)
		}
		for _, at := range []time.Time{s.TimeOfOrigin, s.TimeOfIssue} {
			if at.Year() < 1 || at.Year() > 9999 || at.Nanosecond()%1000 != 0 {
				t.Fatalf("time %v", at)
			}
		}
		if s.Customer != nil && s.Customer.Metadata != nil && !json.Valid(s.Customer.Metadata) {
			t.Fatalf("metadata %q", s.Customer.Metadata)
		}
		if s.Session != nil && s.Session.Metadata != nil && !json.Valid(s.Session.Metadata) {
			t.Fatalf("metadata %q", s.Session.Metadata)
		}
	})
}

func storable(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			t.Fatalf("not storable: %q", text)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	body := read(b, "samples/restricted-products-interactions.json")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, p := aifi.Decode(aifi.RestrictedProductsInteractions, body); p != nil {
			b.Fatal(p)
		}
	}
}
