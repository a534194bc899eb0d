package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/httpapi"
	"aifi-audit/store"
)

func TestSummaryAsCSV(t *testing.T) {
	s := serve(t)
	visit(t, s, 7, "night", lastNight())
	query := "?by=store&from=" + lastNight().Format(time.DateOnly)
	want := s.get(t, "/api/v1/summary.csv"+query)
	got := s.do(t, http.MethodGet, "/api/v1/summary"+query, s.staff, nil, "Accept", "text/csv; header=present")
	if string(got.body) != string(want.body) || got.header.Get("Content-Type") != want.header.Get("Content-Type") || !strings.Contains(string(got.body), "\r\n7,1,1,1,") {
		t.Errorf("got %d %v %s", got.status, got.header, got.body)
	}
	if a := s.do(t, http.MethodGet, "/api/v1/summary"+query, s.staff, nil, "Accept", "application/json"); a.header.Get("Vary") != "Accept" || len(a.items(t)) != 1 {
		t.Errorf("as JSON: %v %s", a.header, a.body)
	}
	reader := s.token(t, "reader", nil, store.MayRead)
	if a := s.do(t, http.MethodGet, "/api/v1/summary", reader, nil, "Accept", "text/csv"); a.status != http.StatusForbidden {
		t.Errorf("who may not export: %d", a.status)
	}
}

// Late on the 31st of January in Los Angeles it is the 1st of February in UTC.
func TestPeriodsOfCounts(t *testing.T) {
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 31, 20, 0, 0, 0, zone)
	at := func(s string) time.Time {
		t.Helper()
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for query, want := range map[string]store.Period{
		"":                               {From: at("2026-01-02T00:00:00Z"), To: at("2026-02-01T00:00:00Z"), OnClock: true},
		"from=2026-01-31":                {From: at("2026-01-31T00:00:00Z"), To: at("2026-02-01T00:00:00Z"), OnClock: true},
		"to=2026-01-31":                  {From: at("2026-01-01T00:00:00Z"), To: at("2026-01-31T00:00:00Z"), OnClock: true},
		"from=2026-02-01T03:00:00Z":      {From: at("2026-02-01T03:00:00Z"), To: at("2026-02-01T08:00:00Z")},
		"to=2026-02-01T03:00:00%2B01:00": {From: at("2026-01-02T02:00:00Z"), To: at("2026-02-01T02:00:00Z")},
		"from=2026-01-01&to=2026-01-02T00:00:00Z": {From: at("2026-01-01T00:00:00Z"), To: at("2026-01-02T00:00:00Z")},
	} {
		got, err := httpapi.PeriodOf(query, now)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", query, err, diff)
		}
	}
}

// What cannot be written in an answer is refused.
func TestTimesOutsideTheYearsOfRFC3339(t *testing.T) {
	s := serve(t)
	for query, parameter := range map[string]string{
		"to=0000-01-01": "to",
		"to=0001-01-30": "to", // the 30 days before it
		"from=9999-12-30&to=9999-12-31T23:59:59.9999999-23:59": "to",
		"from=9999-12-31T23:59:59-00:01":                       "from",
		"from=0001-01-01T00:00:00%2B00:01&to=0001-02-01":       "from",
	} {
		for _, list := range []string{"summary", "summary.csv", "fraud-alerts", "deliveries", "access-log"} {
			if !strings.HasPrefix(list, "summary") && query == "to=0001-01-30" {
				continue
			}
			token := s.staff
			if list == "access-log" {
				token = s.admin
			}
			if a := s.do(t, http.MethodGet, "/api/v1/"+list+"?"+query, token, nil); a.status != http.StatusBadRequest || a.json(t)["parameter"] != parameter {
				t.Errorf("%s?%s: %d %s", list, query, a.status, a.body)
			}
		}
	}
	for _, query := range []string{"from=0001-01-01&to=0001-01-02", "to=0001-02-01", "from=9999-12-30&to=9999-12-31T23:59:59.999999Z"} {
		if a := s.get(t, "/api/v1/summary?"+query); len(a.items(t)) != 0 {
			t.Errorf("%s: %s", query, a.body)
		}
	}
}
