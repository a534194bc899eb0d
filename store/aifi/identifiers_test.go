package aifi_test

import (
	"testing"

	"aifi-audit/store/aifi"
)

var grace = aifi.Identity{Identifiers: aifi.Identifiers{Emails: []string{"Grace@Example.com"}, Phones: []string{"+44 20 7946-0958"}, Names: []string{"Grace  Hopper"}}.Normal()}

func TestWhichBodiesHaveAnIdentifier(t *testing.T) {
	for body, want := range map[string]bool{
		`{"customerPersonalInfo":{"email":"GRACE@example.COM"}}`:                                             true,
		`{"customerPersonalInfo":{"email":" grace@example.com "}}`:                                           true,
		`{"customerPersonalInfo":{"email":"grace\u0040example.com"}}`:                                        true,
		`{"customerPersonalInfo":{"email":"grace@example.com.au"}}`:                                          false,
		`{"customerPersonalInfo":{"email":"mgrace@example.com"}}`:                                            false,
		`{"customerPersonalInfo":{"phone":"(0044) 2079460958"}}`:                                             false,
		`{"customerPersonalInfo":{"phoneNumber":"44(20)7946.0958"}}`:                                         true,
		`{"customerPersonalInfo":{"phone":442079460958}}`:                                                    true,
		`{"customer":{"id":442079460958}}`:                                                                   false,
		`{"storeId":442079460958,"phone":"442079460958"}`:                                                    false, // nobody's
		`{"customerPersonalInfo":{"firstName":"grace","lastName":"HOPPER"}}`:                                 true,
		`{"customerPersonalInfo":{"lastName":"Hopper","email":"x","firstName":"Grace"}}`:                     true,
		`{"customerPersonalInfo":{"firstName":"Grace","lastName":"Kelly"}}`:                                  false,
		`{"customerPersonalInfo":{"firstName":"Grace"},"customer":{"lastName":"Hopper"}}`:                    false, // two
		`{"customer":{"metadata":{"name":"Grace Hopper"}}}`:                                                  true,
		`{"customers":[{"firstName":"Grace","lastName":"A"},{"firstName":"B","lastName":"Hopper"}]}`:         false,
		`{"customer":{"id":5,"metadata":{"contact":{"mobile":"+442079460958"}}}}`:                            true,
		`{"product":{"name":"Grace Hopper"}}`:                                                                false,
		`{"customerPersonalInfo":{"email":"","phone":"","firstName":"","lastName":""},"customer":{"id":""}}`: false,
		`{"customerPersonalInfo":{"email":"GRACE@example.com"`:                                               true, // cut off: a text
		`{"customerPersonalInfo":{"phone":"44207946095`:                                                      false,
		`email=grace@example.com`:                                                                            true,
		``:                                                                                                   false,
	} {
		if got := grace.Mentions([]byte(body)); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
	if n := grace.Needles(); n != nil {
		t.Errorf("%q can be left out", n)
	}
}

func TestWhoseIdentifiersTheyAre(t *testing.T) {
	for want, infos := range map[bool][]aifi.PersonalInfo{
		true: {
			{Email: "grace@EXAMPLE.com"},
			{Phone: "+44-20-7946-0958", Email: "other@example.com"},
			{PhoneNumber: "442079460958"},
			{FirstName: " grace ", LastName: "hopper"},
			{LastName: "Grace Hopper"},
		},
		false: {{}, {Email: "grace"}, {Phone: "0"}, {FirstName: "Grace"}, {FirstName: "Hopper", LastName: "Grace"}},
	} {
		for _, p := range infos {
			if grace.AreOf(p) != want {
				t.Errorf("%+v: %v", p, !want)
			}
		}
	}
	if (aifi.Identifiers{Emails: []string{""}, Phones: []string{"-"}, Names: []string{" "}}).Normal().AreOf(aifi.PersonalInfo{}) {
		t.Error("nothing is somebody's")
	}
}

func TestIdentifiersThatSomebodyWrote(t *testing.T) {
	for text, want := range map[string]bool{
		"Art. 17 GDPR, case 12": false, "wish of GRACE hopper": true, "asked by grace@example.com.": true, "call 0044 (44)20-7946 0958": true, "grace": false,
	} {
		if got := grace.NamedIn(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
