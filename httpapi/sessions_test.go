package httpapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"aifi-audit/store"
)

func TestASessionOfAnyID(t *testing.T) {
	s := serve(t)
	ids := oddIDs()
	visitOdd(t, s, ids)
	for _, id := range ids {
		path := "/api/v1/session?limit=1&" + url.Values{"sessionId": {id}}.Encode()
		var steps []any
		for next := path; next != ""; {
			v := s.get(t, next).json(t)
			if v["sessionId"] != id {
				t.Fatalf("%q: %v", id, v)
			}
			timeline := v["timeline"].(map[string]any)
			steps = append(steps, timeline["items"].([]any)...)
			cursor, _ := timeline["nextCursor"].(string)
			if next = ""; cursor != "" {
				next = path + "&cursor=" + cursor
			}
		}
		if len(steps) != 2 {
			t.Errorf("%q has %d events", id, len(steps))
		}
		if a := s.get(t, "/api/v1/session/evidence?"+url.Values{"sessionId": {id}}.Encode()); a.status != http.StatusOK || !strings.HasPrefix(string(a.body), "PK") {
			t.Errorf("the pack of %q: %d", id, a.status)
		}
	}
	for query, parameter := range map[string]string{
		"": "sessionId", "?sessionId=": "sessionId", "?sessionId=a&sessionId=b": "sessionId", "?id=a": "id", "?sessionId=%00": "sessionId", "?sessionId=%2E&storeId=x": "storeId",
	} {
		for _, path := range []string{"/api/v1/session", "/api/v1/session/evidence"} {
			a := s.get(t, path+query)
			if a.status != http.StatusBadRequest || a.json(t)["parameter"] != parameter {
				t.Errorf("%s%s: %d %s", path, query, a.status, a.body)
			}
		}
	}
	if a := s.get(t, "/api/v1/session?sessionId=nobody"); a.status != http.StatusNotFound {
		t.Errorf("a session that does not exist: %d", a.status)
	}
	if a := s.get(t, "/api/v1/sessions/night?sessionId=.."); a.status != http.StatusBadRequest {
		t.Errorf("two ids: %d", a.status)
	}
	limited := s.token(t, "of another store", []int64{8}, store.MayRead)
	if a := s.do(t, http.MethodGet, "/api/v1/session?sessionId=..", limited, nil); a.status != http.StatusNotFound {
		t.Errorf("the session of another store: %d", a.status)
	}
}
