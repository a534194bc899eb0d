package aifi_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store/aifi"
)

var ada = aifi.Identity{IDs: []string{"5", "cust-8812", "LOY-77001"}, Other: aifi.Telling([]string{"ada@example.com", "+44 20 7946 0958", "12", "ada@example.com"})}

func TestWhichBodiesMentionAPerson(t *testing.T) {
	for body, want := range map[string]bool{
		`{"customer":{"id":5}}`:                                    true,
		`{"customer":{"id":"5"}}`:                                  true,
		`{"session":{"customerId":5}}`:                             true,
		`{"x":{"Customer_ID":["4","5"]}}`:                          true,
		`{"gondolaIds":[5],"storeId":5,"customer":{"id":6}}`:       false,
		`{"customer":{"id":55}}`:                                   false,
		`{"customerCount":6}`:                                      false,
		`{"5":{"customer":7}}`:                                     false,
		`{"note":"call cust-8812, please"}`:                        true,
		`{"note":"cust-88123"}`:                                    false,
		`{"note":"xcust-8812 cust-8812x cust-8812"}`:               true,
		`{"cust-8812":1}`:                                          true,
		`{"a":[{"b":"to ADA or ada@example.com"}]}`:                true,
		`{"a":"ada\u0040example.com"}`:                             true,
		`{"a":"ada@example.com.au"}`:                               true, // too much is erased rather than too little
		`{"a":"+44 20 7946 0958"}`:                                 true,
		`{"a":12,"customer":12}`:                                   false, // too short to tell, and no id
		`{"customer":{"externalId":"LOY-77001"}}`:                  true,
		"\xef\xbb\xbf" + `{"customer":{"id":5}}`:                   true,
		`{"storeId":7,"customer":{"id":5,`:                         true, // cut off
		`{"storeId":5,"customer":{"id":51,`:                        false,
		`{"customerId":5`:                                          true,
		`customerId=5&storeId=7`:                                   true,
		`storeId=5`:                                                false,
		"\xff\xfe cust-8812":                                       true,
		``:                                                         false,
		`{} {"customer":5}`:                                        true,
		strings.Repeat("[", 600) + `{"customer":5}`:                true,
		`{"customer":{"id":1},"customer":{"id":5}}`:                true,
		`{"customer":{"metadata":{"friends":[{"id":5}],"n":1.5}}}`: true,
	} {
		if got := ada.Mentions([]byte(body)); got != want {
			t.Errorf("%.80q: %v", body, got)
		}
	}
}

func TestNeedlesAreInEachBodyThatMentions(t *testing.T) {
	if diff := cmp.Diff([]string{"5", "77001", "7946", "cust", "example"}, ada.Needles()); diff != "" {
		t.Error(diff)
	}
	if n := (aifi.Identity{IDs: []string{"пять"}, Other: []string{"xxxxxx"}}).Needles(); n != nil {
		t.Errorf("%q can be left out", n)
	}
}

func TestWhatSomebodyWroteNamesAPerson(t *testing.T) {
	of := aifi.Identity{IDs: []string{"5", "3268"}}
	for text, want := range map[string]bool{
		"Art. 17 GDPR, case 12": false, "case 5": false, "customer: 5": true, "Customer 3268 asked": true, "3268": true, "case 32681": false,
	} {
		if got := of.NamedIn(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestIdentifiersInMetadata(t *testing.T) {
	got := aifi.IdentifiersIn([]byte(`{"loyaltyCard":{"number":"LC-1","tier":2},"colour":"red","emails":["a@b.c"],"memberSince":2019,"n":null}`))
	if diff := cmp.Diff([]string{"LC-1", "2", "a@b.c", "2019"}, got); diff != "" {
		t.Error(diff)
	}
	if got := aifi.IdentifiersIn([]byte(`{"loyalty":"x",`)); len(got) != 1 {
		t.Error(got)
	}
}

func FuzzMentions(f *testing.F) {
	f.Add([]byte(`{"customer":{"id":5}}`))
	f.Add([]byte(`{"a":"ada\u0040example.com"`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if ada.Mentions(body) != ada.Mentions(append([]byte(" "), body...)) && !strings.HasPrefix(string(body), "\xef\xbb\xbf") {
			t.Error("white space counts")
		}
	})
}
