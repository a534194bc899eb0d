package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"aifi-audit/httpapi"
	"aifi-audit/store"
	"aifi-audit/store/storetest"
	"aifi-audit/store/translog"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// server is a running API with tokens for each kind of user.
type server struct {
	*httptest.Server
	store                       *store.Store
	database                    string
	ingest, staff, admin, shop7 string
	verifier                    *translog.Verifier
	checkpoints                 chan translog.Checkpoint
}

// maxRefused is how many refused webhooks the tests' servers keep.
const maxRefused = 10

func serve(t testing.TB) *server {
	t.Helper()
	s := &server{database: storetest.URL(t), checkpoints: make(chan translog.Checkpoint, 1000)}
	registry := prometheus.NewRegistry()
	signer, verifier := storetest.LogKeys(t)
	s.verifier = verifier
	var err error
	s.store, err = store.Open(t.Context(), store.Config{DatabaseURL: s.database, Metrics: store.NewMetrics(registry), Refusals: store.Refusals{Most: maxRefused, MostBytes: 1 << 20}, Log: store.LogConfig{
		Signer: signer, Verifier: s.verifier, Published: func(_ context.Context, c translog.Checkpoint) { s.checkpoints <- c },
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.store.Close)
	s.Server = httptest.NewServer(httpapi.New(httpapi.Config{Store: s.store, Registry: registry, MaxBody: 64 << 10, Version: "test"}))
	t.Cleanup(s.Close)
	s.ingest = s.token(t, "AiFi", nil, store.MayIngest)
	s.staff = s.token(t, "staff", nil, store.MayRead, store.MayExport)
	s.admin = s.token(t, "admin", nil, store.MayAdminister)
	s.shop7 = s.token(t, "staff of store 7", []int64{7}, store.MayRead, store.MayExport)
	return s
}

func (s *server) token(t testing.TB, name string, stores []int64, rights ...store.Right) string {
	t.Helper()
	secret, err := s.store.CreateToken(t.Context(), name, rights, stores, nil)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("answer %d is not JSON: %q", a.status, a.body)
	}
	return v
}

func (a answer) items(t testing.TB) []map[string]any {
	t.Helper()
	var page struct{ Items []map[string]any }
	if err := json.Unmarshal(a.body, &page); err != nil || a.status != http.StatusOK {
		t.Fatalf("answer %d is no page: %q", a.status, a.body)
	}
	return page.Items
}

func (s *server) do(t testing.TB, method, path, token string, body []byte, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{resp.StatusCode, resp.Header, b}
	checkContract(t, r, body, resp, b)
	return a
}

func (s *server) get(t testing.TB, path string) answer {
	t.Helper()
	return s.do(t, http.MethodGet, path, s.staff, nil)
}

func (s *server) push(t testing.TB, webhook, body string) answer {
	t.Helper()
	return s.do(t, http.MethodPost, "/api/push/"+webhook, s.ingest, []byte(body))
}

func sample(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("../store/aifi/testdata/samples/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ofStore makes a sample one of another store.
func ofStore(body, id string) string {
	return strings.NewReplacer(`"storeId": 0`, `"storeId": `+id, `"oasisApiStoreId": 0`, `"oasisApiStoreId": `+id).Replace(body)
}
