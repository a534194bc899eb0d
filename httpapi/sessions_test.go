package httpapi_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
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

// No id is so long, or so dear in JSON, that the list stops at it.
func TestPagesGoOnAtLongIDs(t *testing.T) {
	s := serve(t)
	var ids []string
	for _, c := range []string{"a", "<", "&", `"`, `\`, "\x01", "\u2028", "é", "🍷"} {
		ids = append(ids, strings.Repeat(c, 600), strings.Repeat(c, 4096/len(c)))
	}
	visitOdd(t, s, ids)
	longest := strings.Repeat("<", 8000)
	s.push(t, "suspected-fraud", `{"storeId":7,"sessionId":"`+longest+`"}`)
	ids = append(ids, longest)
	slices.Sort(ids)
	var got []string
	for next := "/api/v1/sessions?limit=1"; next != ""; {
		a := s.get(t, next)
		got = append(got, a.items(t)[0]["sessionId"].(string))
		next, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
	}
	if slices.Sort(got); !slices.Equal(got, ids) {
		t.Errorf("%d of %d ids", len(got), len(ids))
	}
	// There and back.
	p := s.person(t).signIn(t, s.staff)
	next := "/sessions?limit=1"
	for _, turn := range []string{"cursor", "before"} {
		link := regexp.MustCompile(`href="(/sessions\?[^"]*` + turn + `=[^"]*)"`)
		pages := 1
		for m := link.FindStringSubmatch(p.page(t, next)); m != nil; m = link.FindStringSubmatch(p.page(t, next)) {
			next = html.UnescapeString(m[1])
			pages++
		}
		if pages != len(ids) {
			t.Errorf("by %s there are %d of %d pages", turn, pages, len(ids))
		}
	}
}
