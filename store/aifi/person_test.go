package aifi_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store/aifi"
)

func TestDecodePerson(t *testing.T) {
	for body, want := range map[string]aifi.Person{
		`{}`:                                    {},
		"\ufeff" + `{"customer":{"id":7}}`:      {CustomerID: "7"},
		` { "customer" : { "id" : 7.50 } } `:    {CustomerID: "7.50"},
		`{"customer":{"role":"id","id":"a"}}`:   {CustomerID: "a"},
		`{"a":"\\\"}","customer":{"id":"\\"}}`:  {CustomerID: `\`},
		`{"customer":{"id":"M\u00fcller"}}`:     {CustomerID: "Müller"},
		`{"customer":{"id":"Müller","id2":[]}}`: {CustomerID: "Müller"},
		`{"customer":null,"session":{"customerId":8,"metadata":{"customerId":9}}}`:              {CustomerID: "8"},
		`{"session":{"customerId":8},"customer":{"id":"7"},"metadata":{"customer":{"id":"9"}}}`: {CustomerID: "7"},
		`{"list":[{"customer":{"id":"9"}},"]"],"customer":{"id":"7"}}`:                          {CustomerID: "7"},
		`{"customer":{"id":"7","id":"8"},"session":{"customerId":"9"}}`:                         {CustomerID: "8"},
		`{"customer":{"id":"7","id":null},"session":{"customerId":"9"}}`:                        {CustomerID: "9"},
		`{"customer":{"id":"7"},"customer":null}`:                                               {},
		`{"customerPersonalInfo":null}`:                                                         {},
		`{"customerPersonalInfo":{"email":"a","phone":1},"customerPersonalInfo":{"email":"b"}}`: {Info: &aifi.PersonalInfo{Email: "b"}},
		`{"customerPersonalInfo":{"firstName":"a","lastName":"b","phone":1,"phoneNumber":"2"}}`: {Info: &aifi.PersonalInfo{FirstName: "a", LastName: "b", Phone: "1", PhoneNumber: "2"}},
		`{"customer":{"id":"\u0000"}}`:                                                          {CustomerID: "\ufffd"},
		"{\"customer\":{\"id\":\"\xff\"}}":                                                      {CustomerID: "\ufffd"},
	} {
		got, ok := aifi.DecodePerson([]byte(body))
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("%s: %v %s", body, ok, diff)
		}
		s, problem := aifi.Decode(aifi.Tracking, []byte(body))
		if problem != nil || cmp.Diff(want, aifi.Person{CustomerID: s.CustomerID(), Info: s.PersonalInfo}) != "" {
			t.Errorf("%s: Decode makes another: %v", body, problem)
		}
	}
	for _, body := range []string{
		``, `"`, `7`, `[{}]`, `{`, `{"`, `{"a`, `{"a":`, `{"a":"\`, `{"a":[`, `{7:8}`, `{"customer":{"id":"7"}`, `{"customer":"7"}`, `{"customer":{"id":{}}}`,
		`{"customer":{"id":["a"]}}`, `{"c\u0075stomer":{"id":"7"}}`, `{"customer":{"i\u0064":"7"}}`, `{"session":{"customerId":true}}`, `{"customerPersonalInfo":7}`,
	} {
		if got, ok := aifi.DecodePerson([]byte(body)); ok {
			t.Errorf("%s names %v", body, got)
		}
	}
}

// What AiFi sends is understood without Decode.
func TestDecodePersonOfTheSamples(t *testing.T) {
	for _, w := range []aifi.Webhook{aifi.RestrictedProductsInteractions, aifi.SuspectedFraud, aifi.RemoteRegister, "transition-left"} {
		body := read(t, "samples/"+string(w)+".json")
		s := decode(t, w, string(body))
		got, ok := aifi.DecodePerson(body)
		if diff := cmp.Diff(aifi.Person{CustomerID: s.CustomerID(), Info: s.PersonalInfo}, got); diff != "" || !ok || got == (aifi.Person{}) {
			t.Errorf("%s: %v %s", w, ok, diff)
		}
	}
}

// A person is that of the statement, wherever there is one.
func FuzzDecodePerson(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, ok := aifi.DecodePerson(body)
		if s, _ := aifi.Decode(aifi.Tracking, body); s != nil && ok {
			if diff := cmp.Diff(aifi.Person{CustomerID: s.CustomerID(), Info: s.PersonalInfo}, got); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func BenchmarkDecodePerson(b *testing.B) {
	body := read(b, "samples/"+string(aifi.RestrictedProductsInteractions)+".json")
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, ok := aifi.DecodePerson(body); !ok {
			b.Fatal("not understood")
		}
	}
}
