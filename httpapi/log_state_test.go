package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aifi-audit/httpapi"
	"aifi-audit/httpapi/anchor"
	"aifi-audit/store/storetest"
)

// until asks until the answer is good.
func (s *server) until(t testing.TB, path string, good func(string) bool) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for {
		if a := s.get(t, path); good(string(a.body)) {
			return string(a.body)
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s answers %s", path, s.get(t, path).body)
		}
	}
}

// What speaks against the log, and what keeps its checkpoints from others, is told to
// staff who see all stores.
func TestWhatIsWrongWithTheLogIsTold(t *testing.T) {
	s := serve(t)
	an, err := anchor.New(anchor.Config{
		File: filepath.Join(t.TempDir(), "missing", "anchors"), Every: time.Millisecond, Now: func() time.Time { return time.Now().Add(-time.Hour) },
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := an.Start(t.Context(), s.store)
	t.Cleanup(stop)
	anchored := *s
	anchored.Server = httptest.NewServer(httpapi.New(httpapi.Config{Store: s.store, Anchors: an}))
	t.Cleanup(anchored.Close)
	staff := anchored.person(t).signIn(t, s.staff)
	if page := staff.page(t, "/"); strings.Contains(page, ">Log<") {
		t.Error("something is wrong with the log")
	}
	s.push(t, "tracking", `{"storeId":7}`)
	an.Published(t.Context(), s.sequenced(t, 1))
	status := anchored.until(t, "/api/v1/status", func(text string) bool { return strings.Contains(text, `"error":"open: no such file`) })
	if !strings.Contains(status, `"state":"running"`) || !strings.Contains(status, `"to":"file","size":null,"at":null,"waitingSince":"`) {
		t.Error(status)
	}
	if page := staff.page(t, "/"); !strings.Contains(page, "Checkpoints of the log have not reached file for 1 h 0 min") {
		t.Error(page)
	}
	// Somebody changes the log under way.
	storetest.SQL(t, s.database, "UPDATE log_state SET size = size + 1")
	s.push(t, "tracking", `{"storeId":7,"eventId":"2"}`)
	anchored.until(t, "/api/v1/log", func(text string) bool { return strings.Contains(text, `"state":"refusing"`) })
	if page := staff.page(t, "/"); !strings.Contains(page, "The log refuses to sign") {
		t.Error(page)
	}
	limited := anchored.person(t).signIn(t, s.shop7)
	if page := limited.page(t, "/"); strings.Contains(page, "Checkpoints") || !strings.Contains(page, "The log refuses to sign") {
		t.Error("staff of one store are not told just what their evidence is worth")
	}
	if a := anchored.do(t, http.MethodGet, "/api/v1/status", s.shop7, nil); strings.Contains(string(a.body), `"log"`) {
		t.Errorf("staff of one store are told %s", a.body)
	}
}
