package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/httpapi"
	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// serveLocal runs an API that keeps webhooks below dir while the database is away.
func serveLocal(t *testing.T, url, dir string) (s *server, end func()) {
	t.Helper()
	config := store.Config{DatabaseURL: url, Refusals: store.Refusals{Most: maxRefused, MostBytes: 1 << 20}}
	if dir != "" {
		config.Local = &store.Local{Dir: dir}
	}
	db, err := store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	s = &server{store: db, Server: httptest.NewServer(httpapi.New(httpapi.Config{Store: db, MaxBody: 64 << 10}))}
	return s, func() {
		s.Close()
		db.Close()
	}
}

// A token that was made the moment before the database dies is as good as any other:
// AiFi sends once.
func TestWebhooksWithANewTokenOutlastTheDatabase(t *testing.T) {
	database, dir := storetest.URL(t), t.TempDir()
	proxy := storetest.NewProxy(t, database)
	s, end := serveLocal(t, proxy.URL, dir)
	office, endOffice := serveLocal(t, database, "")
	defer endOffice()
	staff := s.token(t, "staff", nil, store.MayRead)
	ingest := office.token(t, "AiFi", nil, store.MayIngest)
	proxy.Cut()

	post := func(webhook, token, body string, status int, says string) string {
		t.Helper()
		a := s.do(t, http.MethodPost, "/api/push/"+webhook, token, []byte(body))
		v := a.json(t)
		if a.status != status || v["status"] != says && v["type"] != says {
			t.Errorf("got %d %s", a.status, a.body)
		}
		id, _ := v["deliveryId"].(string)
		return id
	}
	fraud := ofStore(sample(t, "suspected-fraud"), "7")
	long := `{"a":"` + strings.Repeat("x", 70<<10) + `"}`
	var want []string
	for _, c := range []struct {
		webhook, body string
		status        int
		says          string
	}{
		{"suspected-fraud", fraud, 202, "spooled"},
		{"suspected-fraud", "not JSON", 202, "spooled"},
		{"checkout", `{"storeId":7}`, 501, "urn:aifi-audit:problem:no-decision"},
		{"tracking", long, 413, "urn:aifi-audit:problem:too-large"},
	} {
		want = append(want, post(c.webhook, ingest, c.body, c.status, c.says)+" "+c.body[:min(len(c.body), 64<<10)])
	}
	stranger := post("tracking", "aifi_audit_mistyped", `{"storeId":7}`, 202, "spooled") // it learns nothing
	for name, header := range map[string]string{"none": "", "no bearer": "Basic YTpi", "an empty one": "Bearer "} {
		if a := s.do(t, http.MethodPost, "/api/push/tracking", "", []byte("{}"), "Authorization", header); a.status != 401 {
			t.Errorf("with %s the answer is %d", name, a.status)
		}
	}
	undecided := s.do(t, http.MethodGet, "/api/v1/status", staff, nil).json(t)["spool"].(map[string]any)["undecided"].(map[string]any)
	if undecided["records"] != 5. || undecided["oldestAt"] == nil {
		t.Errorf("undecided are %v", undecided)
	}
	end()

	s, end = serveLocal(t, proxy.URL, dir)
	defer end()
	proxy.Mend()
	<-s.store.Connected()
	admin := office.token(t, "admin", nil, store.MayAdminister)
	refused := s.waitFor(t, "/api/v1/refused", admin, 1)
	if refused[0]["deliveryId"] != stranger || refused[0]["reason"] != "unknown_token" {
		t.Errorf("refused is %v", refused)
	}
	s.waitFor(t, "/api/v1/deliveries", staff, len(want))
	var got []string
	storetest.EachBody(t, database, func(id string, body []byte, err error) {
		if err != nil {
			t.Error(err)
		}
		got = append(got, id+" "+string(body))
	})
	slices.Sort(got) // ids ascend
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

// Without a spool nobody knows whether the token is good, and so says nobody.
func TestWithoutASpoolATokenCannotBeLookedUp(t *testing.T) {
	database := storetest.URL(t)
	proxy := storetest.NewProxy(t, database)
	s, end := serveLocal(t, proxy.URL, "")
	defer end()
	proxy.Cut()
	for path, method := range map[string]string{"/api/push/tracking": http.MethodPost, "/api/v1/status": http.MethodGet} {
		a := s.do(t, method, path, "aifi_audit_x", nil)
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d %s", path, a.status, a.body)
		}
	}
	proxy.Mend()
	for {
		if got := storetest.Query(t, database, "SELECT reason FROM refused"); len(got) > 0 {
			if !cmp.Equal(got, []string{"undecided_token"}) {
				t.Errorf("refused are %q", got)
			}
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("what could not be kept is not among the refused")
		}
	}
}
