package httpapi_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

var lists = []string{"alcohol-interactions", "fraud-alerts", "registrations", "sessions", "deliveries", "quarantine", "stores", "notes"}

// stock delivers a sample of each kind for two stores, and one malformed body.
func stock(t testing.TB, s *server) {
	t.Helper()
	for _, store := range []string{"7", "8"} {
		for _, webhook := range []string{"restricted-products-interactions", "suspected-fraud", "remote-register"} {
			s.push(t, webhook, ofStore(sample(t, webhook), store))
		}
		s.push(t, "transition/left", ofStore(sample(t, "transition-left"), store))
	}
	s.push(t, "suspected-fraud", "not JSON")
}

// noted is stock with a note of an event of each store.
func noted(t testing.TB, s *server) {
	t.Helper()
	stock(t, s)
	reviewer := s.token(t, "reviewer", nil, store.MayReview)
	for _, event := range s.get(t, "/api/v1/fraud-alerts").items(t) {
		s.addNote(t, reviewer, map[string]any{"deliveryId": event["deliveryId"], "disposition": "confirmed"})
	}
}

func TestEveryListAnswersAsJSONAndCSV(t *testing.T) {
	s := serve(t)
	for _, name := range lists {
		if items := s.get(t, "/api/v1/"+name).items(t); len(items) != 0 {
			t.Errorf("%s of an empty store has %v", name, items)
		}
	}
	noted(t, s)
	for _, name := range lists {
		items := s.get(t, "/api/v1/"+name).items(t)
		a := s.get(t, "/api/v1/"+name+".csv")
		if got := s.do(t, http.MethodGet, "/api/v1/"+name, s.staff, nil, "Accept", "text/csv"); string(got.body) != string(a.body) {
			t.Errorf("%s: Accept gives another CSV", name)
		}
		rows, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
		if err != nil || len(items) == 0 || len(rows) != len(items)+1 {
			t.Errorf("%s: %d items, %d rows of CSV, %v", name, len(items), len(rows), err)
		}
		if !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") || !strings.Contains(string(a.body), "\r\n") {
			t.Errorf("%s: not RFC 4180: %v", name, a.header)
		}
	}
	if items := s.get(t, "/api/v1/summary?from=2019-08-01&to=2019-09-01").items(t); len(items) != 2 {
		t.Errorf("summary has %v", items)
	}
}

// Clients that are generated name all that an operation may answer.
func TestCSVIsForWhoWouldRatherHaveIt(t *testing.T) {
	s := serve(t)
	for accept, want := range map[string]string{
		"":                                   "application/json",
		"*/*":                                "application/json",
		"text/csv":                           "text/csv",
		"TEXT/CSV":                           "text/csv",
		"text/csv, application/problem+json": "text/csv",
		"application/problem+json, text/csv": "text/csv",
		"text/csv, */*;q=0.1":                "text/csv",
		"application/json;q=0.5, text/csv":   "text/csv",
		"text/csv, application/json":         "text/csv",
		"application/json, text/csv, application/problem+json": "application/json",
		"text/csv;q=0.5, application/json":                     "application/json",
		"text/csv;q=0":                                         "application/json",
		"text/csvx":                                            "application/json",
	} {
		a := s.do(t, http.MethodGet, "/api/v1/stores", s.staff, nil, "Accept", accept)
		if got, _, _ := strings.Cut(a.header.Get("Content-Type"), ";"); a.status != http.StatusOK || got != want {
			t.Errorf("Accept: %s is answered %d with %s", accept, a.status, got)
		}
	}
}

func TestAFoundEventHasWhatWasStated(t *testing.T) {
	s := serve(t)
	stock(t, s)
	items := s.get(t, "/api/v1/alcohol-interactions?storeId=7&flag=POTENTIALLY_INTERACTED_WITH_ALCOHOL&productId=string&gondolaId=0&from=2019-08-24&to=2019-08-25").items(t)
	if len(items) != 1 {
		t.Fatal(items)
	}
	got := items[0]
	for _, name := range []string{"id", "deliveryId", "receivedAt"} {
		if got[name] == "" {
			t.Errorf("no %s", name)
		}
		delete(got, name)
	}
	want := map[string]any{
		"webhook": "restricted-products-interactions", "eventId": "string", "storeId": 7.0, "storeExternalId": "string",
		"sessionId": "d3a00526-1864-4f6e-bb2d-46e3ab7fa780", "customerId": "string", "shopperId": "string",
		"occurredAt": "2019-08-24T14:15:22Z", "occurredAtKnown": true, "issuedAt": "2019-08-24T14:15:22Z",
		"flags": []any{"POTENTIALLY_INTERACTED_WITH_ALCOHOL"}, "productIds": []any{"string"}, "gondolaIds": []any{"0"},
		"disposition": nil, "dispositionAt": nil, "dispositionBy": nil, "notes": 0.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestASessionHasItsTimeline(t *testing.T) {
	s := serve(t)
	stock(t, s)
	const path = "/api/v1/sessions/d3a00526-1864-4f6e-bb2d-46e3ab7fa780"
	if a := s.get(t, path); a.status != http.StatusConflict {
		t.Errorf("an ambiguous session: %d %s", a.status, a.body)
	}
	v := s.get(t, path+"?storeId=7").json(t)
	timeline, _ := v["timeline"].(map[string]any)
	if events, _ := timeline["items"].([]any); len(events) != 4 || v["customerSatisfaction"] != 95.0 {
		t.Errorf("got %v", v)
	}
	if a := s.get(t, "/api/v1/sessions/nobody%2Fknows"); a.status != http.StatusNotFound {
		t.Errorf("got %d", a.status)
	}
}

func TestATokenOfOneStoreSeesNoOther(t *testing.T) {
	s := serve(t)
	noted(t, s)
	for _, name := range append(lists, "summary") {
		query := "?storeId=7&storeId=8"
		if name == "summary" {
			query += "&from=2019-08-01&to=2019-09-01"
		}
		for _, suffix := range []string{"", ".csv"} {
			if name == "quarantine" {
				query = ""
			}
			a := s.do(t, http.MethodGet, "/api/v1/"+name+suffix+query, s.shop7, nil)
			if a.status != 200 || strings.Contains(string(a.body), `"storeId":8`) || strings.Contains(string(a.body), ",8,") {
				t.Errorf("%s%s: %d %s", name, suffix, a.status, a.body)
			}
		}
	}
	for _, d := range s.get(t, "/api/v1/deliveries").items(t) {
		want := 404
		if d["storeId"] == 7.0 {
			want = 200
		}
		for _, suffix := range []string{"", "/body"} {
			if a := s.do(t, http.MethodGet, "/api/v1/deliveries/"+d["id"].(string)+suffix, s.shop7, nil); a.status != want {
				t.Errorf("delivery of store %v: %d", d["storeId"], a.status)
			}
		}
	}
	if a := s.do(t, http.MethodGet, "/api/v1/sessions/d3a00526-1864-4f6e-bb2d-46e3ab7fa780", s.shop7, nil); a.json(t)["storeId"] != 7.0 {
		t.Errorf("the session of the other store shows: %s", a.body)
	}
}

func TestPagesFollowEachOther(t *testing.T) {
	s := serve(t)
	for i := range 5 {
		s.push(t, "suspected-fraud", fmt.Sprintf(`{"storeId":7,"sessionId":"s%d","timeOfOrigin":"2026-01-0%dT00:00:00Z"}`, i, i+1))
	}
	var got []any
	path := "/api/v1/fraud-alerts?limit=2"
	for path != "" {
		a := s.get(t, path)
		for _, item := range a.items(t) {
			got = append(got, item["sessionId"])
		}
		path, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
		if (path == "") != (a.json(t)["nextCursor"] == nil) {
			t.Errorf("Link %q and cursor disagree", path)
		}
	}
	if diff := cmp.Diff([]any{"s4", "s3", "s2", "s1", "s0"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestBadParametersAreNamed(t *testing.T) {
	s := serve(t)
	cursor, _ := s.get(t, "/api/v1/stores").json(t)["nextCursor"].(string)
	for query, parameter := range map[string]string{
		"nonsense=1": "nonsense", "storeId=x": "storeId", "storeId=": "storeId", "limit=0": "limit", "limit=1001": "limit", "limit=1&limit=2": "limit",
		"from=yesterday": "from", "from=2026-01-02&to=2026-01-01": "to", "cursor=x": "cursor", "cursor=AAAAAAAAAAAAe30" + cursor: "cursor",
		"flag=%00": "flag", "flag=%ff": "flag", "sessionId=" + strings.Repeat("x", 5000): "sessionId", "flag=a" + strings.Repeat("&flag=a", 100): "flag",
		"webhook=x": "webhook",
	} {
		a := s.get(t, "/api/v1/alcohol-interactions?"+query)
		if v := a.json(t); a.status != 400 || v["parameter"] != parameter {
			t.Errorf("%.60s: %d %s", query, a.status, a.body)
		}
	}
	for _, query := range []string{"flag='%20OR%201=1--", "sessionId=%25", "productId=%7B%22a", "storeId=-1", "from=0001-01-01&to=9999-12-31"} {
		if a := s.get(t, "/api/v1/alcohol-interactions?"+query); a.status != 200 {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

func TestSummaryGroupsAsAsked(t *testing.T) {
	s := serve(t)
	for _, at := range []string{"2026-03-01T08:00:00Z", "2026-03-02T08:00:00Z", "2026-03-09T08:59:59Z", "2026-03-09T09:00:00Z"} {
		s.push(t, "suspected-fraud", `{"storeId":7,"sessionId":"s","timeOfOrigin":"`+at+`"}`)
	}
	for query, want := range map[string]string{
		"from=2026-03-02&to=2026-04-01":                                    "day,store_id,fraud_alerts|2026-03-09,7,2|2026-03-02,7,1",
		"from=2026-03-02&to=2026-04-01&by=weekday&by=hour":                 "weekday,hour,store_id,fraud_alerts|1,8,7,2|1,9,7,1",
		"from=2026-03-01&to=2026-04-01&by=weekday":                         "weekday,store_id,fraud_alerts|1,7,3|7,7,1",
		"from=2026-03-01&to=2026-04-01&by=store":                           "store_id,fraud_alerts|7,4",
		"from=2026-03-01T08:00:01Z&to=2026-03-09T08:59:59.000001Z&by=hour": "hour,store_id,fraud_alerts|8,7,2",
		"from=2026-03-01&to=2026-04-01&storeId=8":                          "day,store_id,fraud_alerts",
	} {
		rows, err := csv.NewReader(strings.NewReader(string(s.get(t, "/api/v1/summary.csv?"+query).body))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, row := range rows {
			row = slices.Delete(row, len(row)-4, len(row)-3)
			got = append(got, strings.Join(row[:len(row)-2], ","))
		}
		if diff := cmp.Diff(want, strings.Join(got, "|")); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
		if items := s.get(t, "/api/v1/summary?"+query).items(t); len(items) != len(rows)-1 {
			t.Errorf("%s: JSON has %v", query, items)
		}
	}
	for query, parameter := range map[string]string{
		"by=month": "by", "by=": "by", "from=2026-01-01&to=2026-01-01": "to", "from=2020-01-01&to=2026-01-01": "from", "from=2099-01-01": "from", "by=day&raw=true": "raw",
	} {
		if a := s.get(t, "/api/v1/summary?"+query); a.status != 400 || a.json(t)["parameter"] != parameter {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	if a := s.get(t, "/api/v1/summary?from=0001-01-01&to=0001-02-01"); a.status != 200 {
		t.Errorf("the first years: %d %s", a.status, a.body)
	}
}

func TestFormulasAreHarmless(t *testing.T) {
	s := serve(t)
	s.push(t, "suspected-fraud", `{"storeId":-7,"sessionId":"=cmd()","eventId":" +1","shopper":{"shopperId":"a\n@b"},"customer":{"id":"-5"}}`)
	row := func(query string) []string {
		rows, err := csv.NewReader(strings.NewReader(string(s.get(t, "/api/v1/fraud-alerts.csv"+query).body))).ReadAll()
		if err != nil || len(rows) != 2 {
			t.Fatal(rows, err)
		}
		r := rows[1]
		return []string{r[2], r[3], r[5], r[6], r[7]}
	}
	if diff := cmp.Diff([]string{"' +1", "-7", "'=cmd()", "-5", "'a\n@b"}, row("")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{" +1", "-7", "=cmd()", "-5", "a\n@b"}, row("?raw=true")); diff != "" {
		t.Error(diff)
	}
}

func TestReplayNeedsAnAdmin(t *testing.T) {
	s := serve(t)
	id, _ := s.push(t, "suspected-fraud", "not JSON").json(t)["deliveryId"].(string)
	path := "/api/v1/quarantine/" + id + "/replay"
	if a := s.do(t, http.MethodPost, path, s.staff, nil); a.status != 403 {
		t.Errorf("staff: %d", a.status)
	}
	if a := s.do(t, http.MethodPost, path, s.admin, nil); a.status != 422 {
		t.Errorf("admin: %d %s", a.status, a.body)
	}
}

func TestWhoLookedIsWrittenBeforeResultsLeave(t *testing.T) {
	s := serve(t)
	s.get(t, "/api/v1/stores?storeId=7")
	s.get(t, "/api/v1/stores.csv")
	s.do(t, http.MethodGet, "/api/v1/stores", s.ingest, nil)
	s.get(t, "/api/v1/deliveries/019a0a6e-5f3c-7a10-8b1e-3f1d2c4b5a69")
	want := []string{
		"search /api/v1/stores storeId=7 200 0", "export /api/v1/stores.csv  200", "export ended /api/v1/stores.csv  200 0",
		"search /api/v1/stores  403", "view /api/v1/deliveries/019a0a6e-5f3c-7a10-8b1e-3f1d2c4b5a69  404",
	}
	if diff := cmp.Diff(want, storetest.Query(t, s.database, "SELECT concat_ws(' ', action, path, query, status, rows) FROM access_log ORDER BY id")); diff != "" {
		t.Error(diff)
	}
	storetest.SQL(t, s.database, "ALTER TABLE access_log RENAME TO gone")
	if a := s.get(t, "/api/v1/stores"); a.status != 500 || strings.Contains(string(a.body), "access_log") {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

func TestHealthAndMetrics(t *testing.T) {
	s := serve(t)
	s.push(t, "suspected-fraud", `{"storeId":1}`)
	for _, path := range []string{"/livez", "/readyz", "/version", "/openapi.yaml"} {
		if a := s.do(t, http.MethodGet, path, "", nil); a.status != 200 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := s.do(t, http.MethodGet, "/metrics", "", nil); !strings.Contains(string(a.body), `aifi_audit_deliveries_total{status="stored",webhook="suspected-fraud"} 1`) {
		t.Errorf("got %s", a.body)
	}
	if s.store.ReadyToRead(t.Context()) != nil || store.Rights == nil {
		t.Error("not ready")
	}
}

// The same rows come the other way round, on the pages and in the CSV.
func TestListsTurnRound(t *testing.T) {
	s := serve(t)
	for i := range 3 {
		visit(t, s, 7, fmt.Sprint("s", i), lastNight().Add(time.Duration(i)*time.Second))
		s.push(t, "tracking", `not JSON`)
	}
	rows := func(a answer) []string {
		lines := strings.Split(strings.TrimSuffix(string(a.body), "\r\n"), "\r\n")
		return lines[1:]
	}
	for _, list := range []string{"alcohol-interactions", "fraud-alerts", "registrations", "sessions", "deliveries", "quarantine"} {
		newest, oldest := rows(s.get(t, "/api/v1/"+list+".csv?order=newest")), rows(s.get(t, "/api/v1/"+list+".csv?order=oldest"))
		if diff := cmp.Diff(newest, rows(s.get(t, "/api/v1/"+list+".csv"))); diff != "" {
			t.Errorf("%s: newest first is not what it is unless told:\n%s", list, diff)
		}
		slices.Reverse(newest)
		if diff := cmp.Diff(newest, oldest); diff != "" || len(oldest) < 3 {
			t.Errorf("%s:\n%s", list, diff)
		}
		all, paged := s.get(t, "/api/v1/"+list+"?order=oldest").items(t), []map[string]any{}
		for path := "/api/v1/" + list + "?order=oldest&limit=2"; path != ""; {
			a := s.get(t, path)
			paged = append(paged, a.items(t)...)
			path = strings.TrimSuffix(strings.TrimPrefix(a.header.Get("Link"), "<"), `>; rel="next"`)
		}
		if diff := cmp.Diff(all, paged); diff != "" || len(all) != len(oldest) {
			t.Errorf("%s in pages:\n%s", list, diff)
		}
		next := s.get(t, "/api/v1/"+list+"?limit=1").json(t)["nextCursor"].(string)
		for _, bad := range []string{"order=up", "order=oldest&order=newest", "order=", "order=oldest&cursor=" + next} {
			if a := s.get(t, "/api/v1/"+list+"?"+bad); a.status != http.StatusBadRequest {
				t.Errorf("%s?%s: %d", list, bad, a.status)
			}
		}
	}
	for _, list := range []string{"stores", "notes"} {
		if a := s.get(t, "/api/v1/"+list+"?order=oldest"); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", list, a.status)
		}
	}
	p := s.person(t).signIn(t, s.staff)
	if page := p.page(t, "/fraud-alerts?order=oldest"); !strings.Contains(page, `href="/fraud-alerts.csv?order=oldest"`) {
		t.Error("the page that is sorted oldest first offers another CSV")
	}
	if diff := cmp.Diff(rows(s.get(t, "/api/v1/fraud-alerts.csv?order=oldest")), rows(p.get(t, "/fraud-alerts.csv?order=oldest"))); diff != "" {
		t.Error(diff)
	}
}
