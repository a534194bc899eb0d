package httpapi_test

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// addNote posts a note, given by its members.
func (s *server) addNote(t testing.TB, token string, members map[string]any) answer {
	t.Helper()
	body, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return s.do(t, http.MethodPost, "/api/v1/notes", token, body)
}

func TestStaffMarkAnEvent(t *testing.T) {
	s := serve(t)
	stock(t, s)
	jane := s.token(t, "Jane", nil, store.MayReview)
	alert := s.get(t, "/api/v1/fraud-alerts?storeId=7").items(t)[0]
	if alert["disposition"] != nil || alert["notes"] != 0.0 {
		t.Errorf("a new event has %v", alert)
	}
	const comment = "=1+1 \u0000 <script>alert('é')</script>\n@x"
	a := s.addNote(t, jane, map[string]any{"deliveryId": alert["deliveryId"], "disposition": "confirmed", "comment": comment})
	got := a.json(t)
	if a.status != http.StatusCreated {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	listed := s.get(t, "/api/v1/notes?storeId=7&kind=fraud_alert&disposition=confirmed&deliveryId="+alert["deliveryId"].(string)).items(t)
	if len(listed) != 1 || !cmp.Equal(listed[0], got) {
		t.Errorf("listed is %v", listed)
	}
	at := got["at"]
	delete(got, "id")
	delete(got, "at")
	want := map[string]any{
		"storeId": 7.0, "kind": "fraud_alert", "event": alert["id"], "deliveryId": alert["deliveryId"], "sessionId": alert["sessionId"],
		"occurredAt": alert["occurredAt"], "tokenName": "Jane", "disposition": "confirmed", "comment": strings.ReplaceAll(comment, "\x00", "\ufffd"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	if a := s.addNote(t, jane, map[string]any{"deliveryId": alert["deliveryId"], "comment": "looked at the video", "disposition": nil}); a.status != 201 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	marked := s.get(t, "/api/v1/fraud-alerts?disposition=confirmed&disposition=under_review").items(t)
	if len(marked) != 1 || marked[0]["id"] != alert["id"] || marked[0]["disposition"] != "confirmed" ||
		marked[0]["dispositionBy"] != "Jane" || marked[0]["dispositionAt"] != at || marked[0]["notes"] != 2.0 {
		t.Errorf("marked is %v", marked)
	}
	if rest := s.get(t, "/api/v1/fraud-alerts?disposition=none").items(t); len(rest) != 1 || rest[0]["storeId"] != 8.0 {
		t.Errorf("not marked is %v", rest)
	}
	session := s.get(t, "/api/v1/sessions/"+alert["sessionId"].(string)+"?storeId=7").json(t)
	if !strings.Contains(string(mustJSON(t, session["timeline"])), `"disposition":"confirmed"`) {
		t.Errorf("the session has %v", session)
	}

	rows := func(path string) [][]string {
		t.Helper()
		rows, err := csv.NewReader(strings.NewReader(string(s.get(t, path).body))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	last := func(row []string, n int) []string { return row[len(row)-n:] }
	events := rows("/api/v1/fraud-alerts.csv?storeId=7")
	if diff := cmp.Diff([][]string{{"disposition", "disposition_at", "disposition_by"}, {"confirmed", at.(string), "Jane"}}, [][]string{last(events[0], 3), last(events[1], 3)}); diff != "" {
		t.Error(diff)
	}
	notes := rows("/api/v1/notes.csv?disposition=confirmed")
	if diff := cmp.Diff([]string{"confirmed", "'=1+1 \ufffd <script>alert('é')</script>\n@x"}, last(notes[1], 2)); diff != "" || len(notes) != 2 {
		t.Error(diff)
	}
	counts := rows("/api/v1/summary.csv?from=2019-08-01&to=2019-09-01&by=disposition")
	if diff := cmp.Diff([][]string{{"confirmed", "7", "0", "1", "0", "0"}, {"none", "7", "1", "0", "1", "1"}, {"none", "8", "1", "1", "1", "1"}}, counts[1:]); diff != "" {
		t.Error(diff)
	}
	if items := s.get(t, "/api/v1/summary?from=2019-08-01&to=2019-09-01&by=disposition&by=day").items(t); len(items) != 3 || items[0]["disposition"] != "confirmed" {
		t.Errorf("the summary has %v", items)
	}
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNotesThatAreRefused(t *testing.T) {
	s := serve(t)
	stock(t, s)
	jane := s.token(t, "Jane", nil, store.MayReview)
	jane8 := s.token(t, "Jane in store 8", []int64{8}, store.MayReview, store.MayRead)
	id := func(path string) string { return s.get(t, path).items(t)[0]["deliveryId"].(string) }
	alert, broken := id("/api/v1/fraud-alerts?storeId=7"), id("/api/v1/quarantine")
	left := s.get(t, "/api/v1/deliveries?webhook=transition/left&storeId=7").items(t)[0]["id"].(string)
	for name, c := range map[string]struct {
		token, body string
		status      int
		pointer     any
	}{
		"no review":              {s.staff, `{"deliveryId":"` + alert + `","comment":"x"}`, 403, nil},
		"admin":                  {s.admin, `{"deliveryId":"` + alert + `","comment":"x"}`, 403, nil},
		"no token":               {"", `{"deliveryId":"` + alert + `","comment":"x"}`, 401, nil},
		"of another store":       {jane8, `{"deliveryId":"` + alert + `","comment":"x"}`, 404, nil},
		"unknown":                {jane, `{"deliveryId":"019a0a6e-5f3c-7a10-8b1e-3f1d2c4b5a69","comment":"x"}`, 404, nil},
		"quarantined":            {jane, `{"deliveryId":"` + broken + `","comment":"x"}`, 422, "/deliveryId"},
		"quarantined, limited":   {jane8, `{"deliveryId":"` + broken + `","comment":"x"}`, 404, nil},
		"other":                  {jane, `{"deliveryId":"` + left + `","comment":"x"}`, 422, "/deliveryId"},
		"no delivery":            {jane, `{"comment":"x"}`, 400, "/deliveryId"},
		"no UUID":                {jane, `{"deliveryId":"x","comment":"x"}`, 400, "/deliveryId"},
		"a number":               {jane, `{"deliveryId":7,"comment":"x"}`, 400, "/deliveryId"},
		"nothing":                {jane, `{"deliveryId":"` + alert + `"}`, 400, nil},
		"blank":                  {jane, `{"deliveryId":"` + alert + `","comment":" "}`, 400, nil},
		"an unknown disposition": {jane, `{"deliveryId":"` + alert + `","disposition":"guilty"}`, 400, "/disposition"},
		"an empty disposition":   {jane, `{"deliveryId":"` + alert + `","disposition":"","comment":"x"}`, 400, "/disposition"},
		"none":                   {jane, `{"deliveryId":"` + alert + `","disposition":"none"}`, 400, "/disposition"},
		"a list":                 {jane, `{"deliveryId":"` + alert + `","disposition":["confirmed"]}`, 400, "/disposition"},
		"a long comment":         {jane, `{"deliveryId":"` + alert + `","comment":"` + strings.Repeat("x", 4001) + `"}`, 400, "/comment"},
		"an object as comment":   {jane, `{"deliveryId":"` + alert + `","comment":{}}`, 400, "/comment"},
		"somebody else's name":   {jane, `{"deliveryId":"` + alert + `","comment":"x","tokenName":"Joe"}`, 400, "/tokenName"},
		"too long":               {jane, `{"deliveryId":"` + alert + `","comment":"` + strings.Repeat("x", 70_000) + `"}`, 413, nil},
		"no JSON":                {jane, "deliveryId=" + alert, 400, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.do(t, http.MethodPost, "/api/v1/notes", c.token, []byte(c.body))
			if v := a.json(t); a.status != c.status || v["pointer"] != c.pointer {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	if items := s.get(t, "/api/v1/notes").items(t); len(items) != 0 {
		t.Errorf("kept %v", items)
	}
	// The longest comment may come with each of its characters escaped.
	if a := s.do(t, http.MethodPost, "/api/v1/notes", jane, []byte(`{"deliveryId":"`+alert+`","comment":"`+strings.Repeat(`\ud83c\udf77`, 4000)+`"}`)); a.status != 201 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	for query, parameter := range map[string]string{
		"disposition=guilty": "disposition", "kind=other": "kind", "deliveryId=x": "deliveryId", "sessionId=x": "sessionId",
	} {
		if a := s.get(t, "/api/v1/notes?"+query); a.status != 400 || a.json(t)["parameter"] != parameter {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

func TestNotesOfOtherStoresDoNotShow(t *testing.T) {
	s := serve(t)
	stock(t, s)
	jane := s.token(t, "Jane", nil, store.MayReview)
	alert := s.get(t, "/api/v1/fraud-alerts?storeId=8").items(t)[0]["deliveryId"].(string)
	s.addNote(t, jane, map[string]any{"deliveryId": alert, "disposition": "confirmed"})
	for _, path := range []string{
		"notes", "notes?deliveryId=" + alert, "notes?storeId=8", "fraud-alerts?disposition=confirmed", "alcohol-interactions?disposition=confirmed",
		"summary?by=disposition&storeId=8&from=2019-08-01&to=2019-09-01",
	} {
		if items := s.do(t, http.MethodGet, "/api/v1/"+path, s.shop7, nil).items(t); len(items) != 0 {
			t.Errorf("%s shows %v", path, items)
		}
	}
}

func TestANoteIsInTheAccessLogOrIsNotMade(t *testing.T) {
	s := serve(t)
	stock(t, s)
	jane := s.token(t, "Jane", nil, store.MayReview)
	alert := s.get(t, "/api/v1/fraud-alerts?storeId=8").items(t)[0]["deliveryId"].(string)
	s.addNote(t, jane, map[string]any{"deliveryId": alert, "disposition": "confirmed"})
	got := storetest.Query(t, s.database, "SELECT path FROM access_log WHERE action = 'review'")
	if diff := cmp.Diff([]string{"/api/v1/notes"}, got); diff != "" {
		t.Error(diff)
	}
	storetest.SQL(t, s.database, "ALTER TABLE access_log RENAME TO gone")
	if a := s.addNote(t, jane, map[string]any{"deliveryId": alert, "disposition": "false_alarm"}); a.status != 500 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if got := storetest.Query(t, s.database, "SELECT count(*) FROM event_notes"); got[0] != "1" {
		t.Errorf("%s notes", got[0])
	}
}
