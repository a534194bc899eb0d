package aifi_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store/aifi"
)

func decoded(t *testing.T, body string) *aifi.Statement {
	t.Helper()
	s, problem := aifi.Decode(aifi.TransitionEntered, []byte(body))
	if problem != nil {
		t.Fatal(problem)
	}
	return s
}

func TestChangesBetweenTwoWebhooks(t *testing.T) {
	const full = `{"sessionId":"s","session":{"sessionId":"s","status":"created","visitors":0,"updatedAt":"2026-01-01T10:00:00Z","shoppingSessionFlags":["B","A"],"suspectedFraud":false}}`
	for name, c := range map[string]struct {
		before, after string
		want          []aifi.Change
	}{
		"the same": {full, full, nil},
		"only the time of the update": {
			full, `{"session":{"sessionId":"s","status":"created","visitors":0,"updatedAt":"2026-01-01T11:00:00Z","shoppingSessionFlags":["A","B"],"suspectedFraud":false}}`, nil,
		},
		"a shopper enters, is flagged and suspected": {
			full, `{"session":{"sessionId":"s","status":"active","visitors":2,"customerFirstEnteredAt":"2026-01-01T11:00:00+01:00","shoppingSessionFlags":["A","B","C"],"suspectedFraud":true}}`,
			[]aifi.Change{
				{"status", "created", "active"},
				{"suspectedFraud", "false", "true"},
				{"shoppingSessionFlags", "A, B", "A, B, C"},
				{"visitors", "0", "2"},
				{"customerFirstEnteredAt", "", "2026-01-01T10:00:00Z"},
			},
		},
		"a member falls silent":     {full, `{"session":{"sessionId":"s","status":"created","shoppingSessionFlags":["A","B"],"suspectedFraud":false}}`, []aifi.Change{{"visitors", "0", ""}}},
		"no session beforehand":     {`{"sessionId":"s"}`, full, nil},
		"no session afterwards":     {full, `{"sessionId":"s","session":null}`, nil},
		"metadata that is a change": {`{"session":{"id":1,"metadata":{"a":1}}}`, `{"session":{"id":1,"metadata":{"a":2}}}`, []aifi.Change{{"metadata", `{"a":1}`, `{"a":2}`}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, aifi.Changes(decoded(t, c.before), decoded(t, c.after))); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := aifi.Changes(nil, decoded(t, full)); got != nil {
		t.Errorf("from nothing: %v", got)
	}
}

// Each member of Session must be compared: setting it has to be one change.
func TestChangesKnowEveryMemberOfASession(t *testing.T) {
	number, yes := int64(7), true
	for i := range reflect.TypeFor[aifi.Session]().NumField() {
		field := reflect.TypeFor[aifi.Session]().Field(i)
		if field.Name == "UpdatedAt" || field.Name == "SessionID" { // the first is left out; the second is what is compared
			continue
		}
		after := &aifi.Session{}
		v := reflect.ValueOf(after).Elem().Field(i)
		switch v.Interface().(type) {
		case string:
			v.SetString("x")
		case *int64:
			v.Set(reflect.ValueOf(&number))
		case *bool:
			v.Set(reflect.ValueOf(&yes))
		case []byte:
			v.SetBytes([]byte(`{}`))
		default:
			v.Set(reflect.ValueOf(decoded(t, `{"timeOfOrigin":"2026-01-01T00:00:00Z"}`).TimeOfOrigin))
		}
		got := aifi.Changes(&aifi.Statement{Session: &aifi.Session{}}, &aifi.Statement{Session: after})
		if len(got) != 1 {
			t.Errorf("%s: %v", field.Name, got)
		}
	}
}
