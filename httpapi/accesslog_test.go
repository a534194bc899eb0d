package httpapi_test

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"

	"aifi-audit/httpapi"
	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

func TestWhoLookedIsSearchedByAdminsOnly(t *testing.T) {
	s := serve(t)
	s.get(t, "/api/v1/stores?storeId=7")
	s.do(t, http.MethodGet, "/api/v1/sessions", s.shop7, nil)
	s.get(t, "/api/v1/sessions/none")
	s.sequenced(t, 3)
	get := func(path, token string) answer { return s.do(t, http.MethodGet, "/api/v1/access-log"+path, token, nil) }
	page := get("?limit=2", s.admin)
	items := page.items(t)
	if len(items) != 2 || items[0]["status"] != 404.0 || items[0]["tokenName"] != "staff" || items[1]["tokenName"] != "staff of store 7" {
		t.Errorf("got %v", items)
	}
	next := page.json(t)["nextCursor"].(string)
	if items := get("?limit=2&cursor="+next, s.admin).items(t); len(items) != 1 || items[0]["query"] != "storeId=7" {
		t.Errorf("got %v", items)
	}
	if items := get("?token=staff&action=search", s.admin).items(t); len(items) != 1 || items[0]["rows"] != 0.0 {
		t.Errorf("got %v", items)
	}
	if items := get("?order=oldest&limit=1", s.admin).items(t); items[0]["query"] != "storeId=7" {
		t.Errorf("the oldest is %v", items)
	}
	if items := get("?denied=true&counts=false&sessionId=none", s.admin).items(t); len(items) != 1 || items[0]["path"] != "/api/v1/sessions/none" {
		t.Errorf("denied was %v", items)
	}
	rows, err := csv.NewReader(strings.NewReader(string(get(".csv?token=staff", s.admin).body))).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Errorf("%v, %v", rows, err)
	}
	for name, token := range map[string]string{"staff": s.staff, "ingest": s.ingest} {
		for _, path := range []string{"", ".csv"} {
			if a := get(path, token); a.status != http.StatusForbidden {
				t.Errorf("%s: %d", name, a.status)
			}
		}
	}
	limited := s.token(t, "admin of store 7", []int64{7}, store.MayAdminister)
	if items := get("", limited).items(t); len(items) != 0 {
		t.Errorf("a limited admin sees %v", items)
	}
	if a := get("?storeId=7", s.admin); a.status != http.StatusBadRequest {
		t.Error(a.status)
	}
	for _, made := range []string{`{}`, `{"i":"x"}`} {
		if a := get("?cursor="+httpapi.ForgeCursor([]byte(made), "/api/v1/access-log?"), s.admin); a.status != http.StatusBadRequest {
			t.Errorf("a cursor of %s is answered %d", made, a.status)
		}
	}
}

// One entry of a time that cannot be told would hide all others.
func TestAnEntryPutThereByHandHidesNoOther(t *testing.T) {
	s := serve(t)
	s.get(t, "/api/v1/stores")
	storetest.SQL(t, s.database, `INSERT INTO access_log (at, token_id, action, path, query, remote_addr)
		SELECT at::timestamptz, 1, 'view', '/', '', '' FROM unnest(ARRAY['infinity', '-infinity', '20000-01-01Z', '4000-01-01Z BC']) at`)
	for _, path := range []string{"?action=search&token=staff", "?order=oldest&token=staff", ".csv?token=staff"} {
		if a := s.do(t, http.MethodGet, "/api/v1/access-log"+path, s.admin, nil); a.status != http.StatusOK || strings.Count(string(a.body), "/api/v1/stores") != 1 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := s.do(t, http.MethodGet, "/api/v1/access-log", s.admin, nil); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestWhatThePageDeniesIsWritten(t *testing.T) {
	s := serve(t)
	fill(t, s)
	reader := s.person(t).signIn(t, s.token(t, "reader of store 9", []int64{9}, store.MayRead))
	id := delivered(t, s, "night", "suspected-fraud")
	for path, want := range map[string]int{"/deliveries/" + id: http.StatusNotFound, "/refused": http.StatusForbidden} {
		if a := reader.get(t, path); a.status != want {
			t.Errorf("%s: %d", path, a.status)
		}
		items := s.do(t, http.MethodGet, "/api/v1/access-log?limit=1&token=reader+of+store+9", s.admin, nil).items(t)
		if len(items) != 1 || items[0]["path"] != path || items[0]["status"] != float64(want) {
			t.Errorf("%s: %v", path, items)
		}
	}
	// A form that is not of the page is refused, and that is told too.
	reader.do(t, http.MethodPost, "/deliveries/"+id+"/notes", map[string][]string{"comment": {"x"}})
	if items := s.do(t, http.MethodGet, "/api/v1/access-log?limit=1&token=reader+of+store+9", s.admin, nil).items(t); items[0]["status"] != 403.0 || items[0]["action"] != "review" {
		t.Errorf("%v", items)
	}
	// Whoever is not signed in can write nothing.
	before := storetest.Query(t, s.database, "SELECT count(*) FROM access_log")[0]
	s.person(t).get(t, "/deliveries/"+id)
	s.person(t).get(t, "/nowhere")
	if after := storetest.Query(t, s.database, "SELECT count(*) FROM access_log")[0]; after != before {
		t.Errorf("%s entries, and then %s", before, after)
	}
}
