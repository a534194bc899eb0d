package aifi_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store/aifi"
)

func TestDecodePerson(t *testing.T) {
	for body, want := range map[string]aifi.Person{
		`{}`:                                   {},
		"\ufeff" + `{"customer":{"id":7}}`:     {CustomerID: "7"},
		`{"customer":{"role":"x","id":["a"]}}`: {CustomerID: "a"},
		`{"customer":null,"session":{"customerId":8,"metadata":{"customerId":9}}}`:              {CustomerID: "8"},
		`{"session":{"customerId":8},"customer":{"id":"7"},"metadata":{"customer":{"id":"9"}}}`: {CustomerID: "7"},
		`{"customer":{"id":"7","id":"8"},"session":{"customerId":"9"}}`:                         {CustomerID: "8"},
		`{"customer":{"id":"7","id":null},"session":{"customerId":"9"}}`:                        {CustomerID: "9"},
		`{"customer":{"id":"7"},"customer":null}`:                                               {},
		`{"c\u0075stomer":{"i\u0064":"\u0037"}}`:                                                {CustomerID: "7"},
		`{"session":{"customerId":true}}`:                                                       {},
		`{"customerPersonalInfo":{"email":"a","phone":1},"customerPersonalInfo":{"email":"b"}}`: {Info: &aifi.PersonalInfo{Email: "b"}},
		`{"customerPersonalInfo":7,"customer":{"id":"\u0000"}}`:                                 {CustomerID: "\ufffd"},
		"{\"customer\":{\"id\":\"\xff\"}}":                                                      {CustomerID: "\ufffd"},
	} {
		got, ok := aifi.DecodePerson([]byte(body))
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("%s: %v %s", body, ok, diff)
		}
	}
	for _, body := range []string{``, `7`, `[{}]`, `{"customer":{"id":"7"}`, `{"customer":{"id":"7"}} 1`, `{"customer":"7"}`, `{"customer":{"id":{}}}`, `{"a":1,}`} {
		if got, ok := aifi.DecodePerson([]byte(body)); ok {
			t.Errorf("%s names %v", body, got)
		}
	}
}

// A person is that of the statement, wherever there is one.
func FuzzDecodePerson(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		s, _ := aifi.Decode(aifi.Tracking, body)
		if s == nil {
			return
		}
		got, ok := aifi.DecodePerson(body)
		if diff := cmp.Diff(aifi.Person{CustomerID: s.CustomerID(), Info: s.PersonalInfo}, got); diff != "" || !ok {
			t.Fatal(ok, diff)
		}
	})
}
