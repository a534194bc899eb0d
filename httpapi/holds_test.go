package httpapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

func (s *server) post(t testing.TB, path, token, body string) answer {
	t.Helper()
	return s.do(t, http.MethodPost, path, token, []byte(body))
}

func TestAdminsPlaceAndLiftHolds(t *testing.T) {
	s := serve(t)
	a := s.post(t, "/api/v1/holds", s.admin, `{"storeId":7,"from":"2026-01-01","to":"2026-02-01T00:00:00.5+01:00","reason":"case 12","sessionId":null}`)
	placed := a.json(t)
	if a.status != http.StatusCreated {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	id := placed["id"].(string)
	if got := s.get(t, "/api/v1/holds/"+id).json(t); !cmp.Equal(got, placed) {
		t.Error(cmp.Diff(placed, got))
	}
	delete(placed, "id")
	delete(placed, "at")
	want := map[string]any{
		"placedBy": "admin", "reason": "case 12", "storeId": 7.0, "sessionId": nil, "customerId": nil, "from": "2026-01-01T00:00:00Z",
		"to": "2026-01-31T23:00:00.5Z", "liftedAt": nil, "liftedBy": nil, "liftReason": nil,
	}
	if diff := cmp.Diff(want, placed); diff != "" {
		t.Error(diff)
	}
	for query, n := range map[string]int{"": 1, "?lifted=false": 1, "?lifted=true": 0, "?storeId=7": 1, "?storeId=8": 0, "?sessionId=x": 0, "?customerId=x": 0} {
		if items := s.get(t, "/api/v1/holds"+query).items(t); len(items) != n {
			t.Errorf("%s: %v", query, items)
		}
	}
	if items := s.do(t, http.MethodGet, "/api/v1/holds", s.shop7, nil).items(t); len(items) != 1 {
		t.Errorf("who sees store 7 sees %v", items)
	}
	lifted := s.post(t, "/api/v1/holds/"+id+"/lift", s.admin, `{"reason":"closed"}`)
	if v := lifted.json(t); lifted.status != 200 || v["liftedAt"] == nil || v["liftedBy"] != "admin" || v["liftReason"] != "closed" {
		t.Errorf("got %d %s", lifted.status, lifted.body)
	}
	if again := s.post(t, "/api/v1/holds/"+id+"/lift", s.admin, `{"reason":"closed"}`); again.status != 409 {
		t.Errorf("got %d %s", again.status, again.body)
	}
	rows := strings.Split(strings.TrimSpace(string(s.get(t, "/api/v1/holds.csv?lifted=true").body)), "\r\n")
	if len(rows) != 2 || !strings.HasPrefix(rows[1], id+",") || !strings.Contains(rows[1], ",admin,case 12,7,,,2026-01-01T00:00:00.000000Z,2026-01-31T23:00:00.500000Z,") {
		t.Errorf("%q", rows)
	}
	got := storetest.Query(t, s.database, "SELECT path || ' ' || status FROM access_log WHERE action = 'hold' ORDER BY id")
	if diff := cmp.Diff([]string{"/api/v1/holds 201", "/api/v1/holds/" + id + "/lift 200"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestHoldsThatAreRefused(t *testing.T) {
	s := serve(t)
	admin7 := s.token(t, "admin of store 7", []int64{7}, store.MayAdminister, store.MayRead)
	other := s.post(t, "/api/v1/holds", s.admin, `{"storeId":8,"reason":"r"}`).json(t)["id"].(string)
	long := strings.Repeat("x", 513)
	for name, c := range map[string]struct {
		path, token, body string
		status            int
		pointer           any
	}{
		"no admin":                {"", s.staff, `{"storeId":7,"reason":"r"}`, 403, nil},
		"no token":                {"", "", `{"storeId":7,"reason":"r"}`, 401, nil},
		"of another store":        {"", admin7, `{"storeId":8,"reason":"r"}`, 403, nil},
		"of all stores":           {"", admin7, `{"sessionId":"s","reason":"r"}`, 403, nil},
		"nothing":                 {"", s.admin, `{"reason":"r"}`, 400, nil},
		"only null":               {"", s.admin, `{"storeId":null,"from":null,"reason":"r"}`, 400, nil},
		"no reason":               {"", s.admin, `{"storeId":7}`, 400, "/reason"},
		"a blank reason":          {"", s.admin, `{"storeId":7,"reason":" "}`, 400, "/reason"},
		"an empty reason":         {"", s.admin, `{"storeId":7,"reason":""}`, 400, "/reason"},
		"a long reason":           {"", s.admin, `{"storeId":7,"reason":"` + strings.Repeat("é", 2001) + `"}`, 400, "/reason"},
		"a store in quotes":       {"", s.admin, `{"storeId":"7","reason":"r"}`, 400, "/storeId"},
		"a store with a fraction": {"", s.admin, `{"storeId":7.5,"reason":"r"}`, 400, "/storeId"},
		"a huge store":            {"", s.admin, `{"storeId":9223372036854775808,"reason":"r"}`, 400, "/storeId"},
		"an empty session":        {"", s.admin, `{"sessionId":"","reason":"r"}`, 400, "/sessionId"},
		"a long session":          {"", s.admin, `{"sessionId":"` + long + `","reason":"r"}`, 400, "/sessionId"},
		"a list of sessions":      {"", s.admin, `{"sessionId":["s"],"reason":"r"}`, 400, "/sessionId"},
		"a long customer":         {"", s.admin, `{"customerId":"` + long + `","reason":"r"}`, 400, "/customerId"},
		"no time":                 {"", s.admin, `{"from":"yesterday","reason":"r"}`, 400, "/from"},
		"an impossible day":       {"", s.admin, `{"to":"2026-02-30","reason":"r"}`, 400, "/to"},
		"turned round":            {"", s.admin, `{"from":"2026-02-01","to":"2026-01-01","reason":"r"}`, 400, "/to"},
		"from after all years":    {"", s.admin, `{"storeId":1,"from":"9999-12-31T23:59:59-23:59","reason":"r"}`, 400, "/from"},
		"to after all years":      {"", s.admin, `{"storeId":1,"to":"9999-12-31T23:59:59-23:59","reason":"r"}`, 400, "/to"},
		"from before all years":   {"", s.admin, `{"storeId":1,"from":"0000-12-31","reason":"r"}`, 400, "/from"},
		"to before all years":     {"", s.admin, `{"storeId":1,"to":"0001-01-01T00:00:00+00:01","reason":"r"}`, 400, "/to"},
		"somebody else's name":    {"", s.admin, `{"storeId":7,"reason":"r","placedBy":"Joe"}`, 400, "/placedBy"},
		"no JSON":                 {"", s.admin, `storeId=7`, 400, nil},
		"too long":                {"", s.admin, `{"storeId":7,"reason":"` + strings.Repeat("x", 70_000) + `"}`, 413, nil},
		"lift: no admin":          {"/" + other + "/lift", s.staff, `{"reason":"r"}`, 403, nil},
		"lift: of another store":  {"/" + other + "/lift", admin7, `{"reason":"r"}`, 404, nil},
		"lift: no reason":         {"/" + other + "/lift", s.admin, `{}`, 400, "/reason"},
		"lift: unknown":           {"/019a0a6e-5f3c-7a10-8b1e-3f1d2c4b5a69/lift", s.admin, `{"reason":"r"}`, 404, nil},
		"lift: no UUID":           {"/x/lift", s.admin, `{"reason":"r"}`, 404, nil},
		"lift: more than why":     {"/" + other + "/lift", s.admin, `{"reason":"r","at":"2026-01-01"}`, 400, "/at"},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.post(t, "/api/v1/holds"+c.path, c.token, c.body)
			if v := a.json(t); a.status != c.status || v["pointer"] != c.pointer {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	if items := s.get(t, "/api/v1/holds?lifted=false").items(t); len(items) != 1 {
		t.Errorf("kept %v", items)
	}
	for path, status := range map[string]int{"/x": 404, "/" + other + "?x=y": 400, "?sessionId=": 400, "?lifted=maybe": 400, "?from=2026-01-01": 400} {
		if a := s.get(t, "/api/v1/holds"+path); a.status != status {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := s.do(t, http.MethodGet, "/api/v1/holds/"+other, admin7, nil); a.status != 404 {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

func TestStaffSeeAndPlaceHolds(t *testing.T) {
	s := serve(t)
	fill(t, s)
	both := s.token(t, "Jane", nil, store.MayRead, store.MayAdminister)
	jane := s.person(t).signIn(t, both)
	night, delivery := "/sessions/night?storeId=7", "/deliveries/"+delivered(t, s, "night", "suspected-fraud")
	for _, page := range []string{night, delivery, "/holds"} {
		if text := jane.page(t, page); !strings.Contains(text, "case 12") || strings.Contains(text, "case 11") {
			t.Errorf("%s does not say that it is held: %s", page, text)
		}
	}
	if text := jane.page(t, "/holds?lifted=true"); !strings.Contains(text, "case 11") || !strings.Contains(text, "closed") {
		t.Errorf("lifted holds: %s", text)
	}
	const other = "/sessions/both?storeId=8"
	if text := jane.page(t, other); strings.Contains(text, "On legal hold") {
		t.Error("what is not held is")
	}
	if a := jane.send(t, other, "/sessions/both/hold?storeId=8", url.Values{"reason": {" "}}); a.status != http.StatusBadRequest {
		t.Errorf("without a reason: %d", a.status)
	}
	if a := jane.send(t, other, "/sessions/both/hold?storeId=8", url.Values{"reason": {"<b>case</b> 13"}}); a.status != http.StatusSeeOther || a.header.Get("Location") != other {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	if text := jane.page(t, other); !strings.Contains(text, "On legal hold: &lt;b&gt;case&lt;/b&gt; 13") {
		t.Errorf("it is not held: %s", text)
	}
	if text := jane.page(t, "/sessions/both?storeId=7"); strings.Contains(text, "case 13") {
		t.Error("the session of the same name in another store is held too")
	}
	placed := s.get(t, "/api/v1/holds?sessionId=both").items(t)[0]
	if placed["placedBy"] != "Jane" || placed["storeId"] != 8.0 {
		t.Errorf("placed %v", placed)
	}
	lift := "/holds/" + placed["id"].(string) + "/lift"
	if a := jane.send(t, "/holds", lift, url.Values{"reason": {"over"}}); a.status != http.StatusSeeOther {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := jane.send(t, "/holds", lift, url.Values{"reason": {"over"}}); a.status != http.StatusConflict {
		t.Errorf("lifted twice: %d", a.status)
	}
	reader := s.person(t).signIn(t, s.staff)
	if text := reader.page(t, night); !strings.Contains(text, "case 12") || strings.Contains(text, "Place a legal hold") {
		t.Errorf("a reader sees %s", text)
	}
	if a := reader.send(t, night, "/sessions/night/hold?storeId=7", url.Values{"reason": {"r"}}); a.status != http.StatusForbidden {
		t.Errorf("a reader places: %d", a.status)
	}
	shop7 := s.person(t).signIn(t, s.shop7)
	if text := shop7.page(t, night) + shop7.page(t, "/holds"); strings.Count(text, "case 12") != 1 {
		t.Errorf("who sees store 7 sees %s", text)
	}
}
