package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/httpapi"
	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// webhooks are those of a status, as "store webhook".
func webhooks(t *testing.T, a answer) (names []string) {
	t.Helper()
	list, ok := a.json(t)["webhooks"].([]any)
	if !ok || a.status != http.StatusOK {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	for _, w := range list {
		row := w.(map[string]any)
		names = append(names, string(rune('0'+int(row["storeId"].(float64))))+" "+row["webhook"].(string))
	}
	return names
}

func TestStatus(t *testing.T) {
	s := serve(t)
	s.push(t, "suspected-fraud", ofStore(sample(t, "suspected-fraud"), "7"))
	s.push(t, "tracking", `{"storeId":8,"sessionId":"s","timeOfIssue":"`+time.Now().UTC().Add(-time.Minute).Format(time.RFC3339)+`"}`)
	s.push(t, "mistyped", `not JSON`)
	for range 3 {
		s.do(t, http.MethodPost, "/api/push/tracking", "aifi_audit_unknown", []byte(`{}`))
	}
	s.do(t, http.MethodPost, "/api/push/tracking", "", []byte(`{}`))
	s.do(t, http.MethodPost, "/api/push/tracking", s.staff, []byte(`{}`))

	a := s.get(t, "/api/v1/status")
	if diff := cmp.Diff([]string{"0 other", "7 suspected-fraud", "8 tracking"}, webhooks(t, a)); diff != "" {
		t.Error(diff)
	}
	v := a.json(t)
	refused := v["refusedWebhooks"].(map[string]any)
	if diff := cmp.Diff(map[string]any{"unknown_token": 3., "no_token": 1., "missing_scope": 1.}, refused["byReason"]); diff != "" {
		t.Error(diff)
	}
	if v["database"] != "ok" || v["openQuarantine"] != 1. || refused["count"] != 5. {
		t.Errorf("got %s", a.body)
	}
	row := v["webhooks"].([]any)[2].(map[string]any)
	if lag, _ := row["lagSeconds"].(float64); lag < 50 || lag > 120 || row["lastHour"] != 1. || row["lastDay"] != 1. || row["usualPerHour"] != nil || row["silent"] != false {
		t.Errorf("the row is %v", row)
	}
	if diff := cmp.Diff([]string{"8 tracking"}, webhooks(t, s.get(t, "/api/v1/status?storeId=8&storeId=9"))); diff != "" {
		t.Error(diff)
	}
}

// A token that is limited to a store learns nothing of others, nor of what belongs to none.
func TestStatusOfOneStore(t *testing.T) {
	s := serve(t)
	s.push(t, "suspected-fraud", ofStore(sample(t, "suspected-fraud"), "7"))
	s.push(t, "tracking", `{"storeId":8,"sessionId":"s"}`)
	s.push(t, "tracking", `not JSON`)
	for _, path := range []string{"/api/v1/status", "/api/v1/status?storeId=7&storeId=8"} {
		a := s.do(t, http.MethodGet, path, s.shop7, nil)
		if diff := cmp.Diff([]string{"7 suspected-fraud"}, webhooks(t, a)); diff != "" {
			t.Error(diff)
		}
		v := a.json(t)
		if _, ok := v["refusedWebhooks"]; ok || v["spool"] != nil || v["openQuarantine"] != 0. {
			t.Errorf("%s: got %s", path, a.body)
		}
	}
	for path, want := range map[string]int{"/api/v1/status?storeId=x": 400, "/api/v1/status?from=2026-01-01": 400, "/api/v1/status?storeId=": 400} {
		if a := s.get(t, path); a.status != want {
			t.Errorf("%s: got %d", path, a.status)
		}
	}
	for name, token := range map[string]string{"ingest": s.ingest, "admin": s.admin} {
		if a := s.do(t, http.MethodGet, "/api/v1/status", token, nil); a.status != http.StatusForbidden {
			t.Errorf("%s: got %d", name, a.status)
		}
	}
}

func TestStatusWithoutTheDatabase(t *testing.T) {
	proxy := storetest.NewProxy(t, storetest.URL(t))
	db, err := store.Open(t.Context(), store.Config{DatabaseURL: proxy.URL, Local: &store.Local{Dir: t.TempDir(), CommitDeadline: 100 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	s := &server{store: db, Server: httptest.NewServer(httpapi.New(httpapi.Config{Store: db}))}
	t.Cleanup(s.Close)
	s.ingest = s.token(t, "AiFi", nil, store.MayIngest)
	s.staff = s.token(t, "staff", nil, store.MayRead)
	s.shop7 = s.token(t, "staff of store 7", []int64{7}, store.MayRead)
	s.push(t, "tracking", `{"storeId":7,"sessionId":"a"}`)
	proxy.Cut()
	s.push(t, "tracking", `{"storeId":8,"sessionId":"b"}`)

	a := s.get(t, "/api/v1/status")
	v := a.json(t)
	if diff := cmp.Diff([]string{"7 tracking", "8 tracking"}, webhooks(t, a)); diff != "" {
		t.Error(diff)
	}
	if v["database"] != "away" || v["databaseAwaySince"] == nil || v["openQuarantine"] != nil || v["spool"].(map[string]any)["records"] != 1. ||
		!strings.Contains(string(a.body), `"lastHour":null`) {
		t.Errorf("got %s", a.body)
	}
	if diff := cmp.Diff([]string{"7 tracking"}, webhooks(t, s.do(t, http.MethodGet, "/api/v1/status", s.shop7, nil))); diff != "" {
		t.Error(diff)
	}
}
