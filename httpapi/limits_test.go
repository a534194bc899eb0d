package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"aifi-audit/httpapi"
	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// guarded is a server as the program runs it, with limits.
type guarded struct {
	*server
	address  string
	registry *prometheus.Registry
}

func guard(t *testing.T, limits httpapi.Limits) *guarded {
	t.Helper()
	return guardStore(t, store.Config{DatabaseURL: storetest.URL(t)}, limits)
}

// guardStore is guard with a store that is configured otherwise than usual.
func guardStore(t *testing.T, config store.Config, limits httpapi.Limits) *guarded {
	t.Helper()
	config.Refusals = store.Refusals{Most: 1000, MostBytes: 1 << 20}
	g := &guarded{server: &server{database: config.DatabaseURL}, registry: prometheus.NewRegistry()}
	var err error
	g.store, err = store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.store.Close)
	api := httpapi.New(httpapi.Config{Store: g.store, Registry: g.registry, MaxBody: 64 << 10, Limits: limits})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.address = listener.Addr().String()
	server := api.Server()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	g.ingest = g.token(t, "AiFi", nil, store.MayIngest)
	g.staff = g.token(t, "staff", nil, store.MayRead, store.MayExport)
	return g
}

// dial opens a connection, and fails the test rather than wait for ever.
func (g *guarded) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// head is that of a webhook.
func (g *guarded) head(token, more string) string {
	return "POST /api/push/tracking HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n" + more
}

// answers reads one answer from a connection; 0 is none.
func answers(t *testing.T, r *bufio.Reader) int {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		if isTimeout(err) {
			t.Fatal("neither an answer nor an end")
		}
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// works checks that the server serves an honest sender on a connection of its own.
func (g *guarded) works(t *testing.T) {
	t.Helper()
	g.keeps(t, http.StatusOK)
}

// keeps is works with the status that says how the webhook is kept.
func (g *guarded) keeps(t *testing.T, want int) {
	t.Helper()
	conn := g.dial(t)
	body := `{"storeId":1,"sessionId":"honest"}`
	fmt.Fprintf(conn, "%s", g.head(g.ingest, fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)))
	if status := answers(t, bufio.NewReader(conn)); status != want {
		t.Errorf("an honest sender is answered %d", status)
	}
	_ = conn.Close()
}

// request makes a request as a client of HTTP does.
func (g *guarded) request(t *testing.T, method, path, token, body string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+g.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	checkContract(t, r, []byte(body), resp, text)
	return answer{resp.StatusCode, resp.Header, text}
}

func (g *guarded) metric(t *testing.T, name string, labels ...string) (sum float64) {
	t.Helper()
	families, err := g.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			text := ""
			for _, l := range m.GetLabel() {
				text += l.GetName() + "=" + l.GetValue() + " "
			}
			all := true
			for _, l := range labels {
				all = all && strings.Contains(text, l+" ")
			}
			if f.GetName() == name && all {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// Whoever sends slowly, much or nonsense is cut off, and others are served meanwhile.
func TestTheServerSurvives(t *testing.T) {
	g := guard(t, httpapi.Limits{HeaderTimeout: 300 * time.Millisecond, ReadTimeout: 600 * time.Millisecond, HeaderBytes: 8 << 10})
	for name, c := range map[string]struct {
		send   string
		status int // 0: the connection just ends
	}{
		"nothing":                       {"", 0},
		"half a request line":           {"POST /api/pu", 400},
		"headers without an end":        {g.head(g.ingest, "X-A: b\r\n"), 0},
		"headers that are too long":     {g.head(g.ingest, "X-A: "+strings.Repeat("x", 20<<10)+"\r\n\r\n"), 431},
		"too many headers":              {g.head(g.ingest, strings.Repeat("X-A: b\r\n", 4<<10)+"\r\n"), 431},
		"a request line too long":       {"GET /" + strings.Repeat("x", 20<<10) + " HTTP/1.1\r\n\r\n", 431},
		"a body that does not come":     {g.head(g.ingest, "Content-Length: 100\r\n\r\n{\"storeId\":1"), 400},
		"a chunk that does not come":    {g.head(g.ingest, "Transfer-Encoding: chunked\r\n\r\n64\r\n{\"storeId\":1"), 400},
		"a stranger's body, not coming": {g.head("wrong", "Content-Length: 60000\r\n\r\n{"), 401},
		"a body for nothing":            {"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{", 404},
		"two lengths":                   {g.head(g.ingest, "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}}"), 400},
		"length and chunks":             {g.head(g.ingest, "Content-Length: 3\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"), 501},
		"a negative length":             {g.head(g.ingest, "Content-Length: -1\r\n\r\n"), 400},
		"no host":                       {"GET /livez HTTP/1.1\r\n\r\n", 400},
		"NUL in a header":               {g.head(g.ingest, "X-A: \x00\r\n\r\n"), 400},
		"TLS":                           {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
		"HTTP/2 at once":                {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", 404},
		"HTTP/2 on request":             {"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", 200},
		"a tunnel":                      {"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nConnection: close\r\n\r\n", 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := g.dial(t)
			_, _ = io.WriteString(conn, c.send) // the server may have hung up before the end
			g.works(t)
			endsWith(t, conn, c.status)
		})
	}
}

// endsWith checks that a connection is answered, and then ends.
func endsWith(t *testing.T, conn net.Conn, status int) {
	t.Helper()
	r := bufio.NewReader(conn)
	if got := answers(t, r); got != status {
		t.Errorf("answered %d, want %d", got, status)
	}
	if _, err := io.Copy(io.Discard, r); isTimeout(err) {
		t.Error("the connection does not end")
	}
}

// What a sender with a valid token got across before the time was up is kept.
func TestASlowBodyIsKept(t *testing.T) {
	g := guard(t, httpapi.Limits{ReadTimeout: 300 * time.Millisecond})
	conn := g.dial(t)
	fmt.Fprint(conn, g.head(g.ingest, "Content-Length: 100\r\n\r\n{\"storeId\":1"))
	if status := answers(t, bufio.NewReader(conn)); status != http.StatusBadRequest {
		t.Errorf("answered %d", status)
	}
	var bodies []string
	storetest.EachBody(t, g.database, func(_ string, body []byte, _ error) { bodies = append(bodies, string(body)) })
	if len(bodies) != 1 || bodies[0] != `{"storeId":1` {
		t.Errorf("kept %q", bodies)
	}
}

func TestPipelinedWebhooksAreAllKept(t *testing.T) {
	g := guard(t, httpapi.Limits{})
	conn := g.dial(t)
	var all bytes.Buffer
	const count = 50
	for i := range count {
		body := fmt.Sprintf(`{"storeId":1,"sessionId":"s%d"}`, i)
		all.WriteString(g.head(g.ingest, fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)))
	}
	all.WriteString("nonsense\r\n\r\n")
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(all.Bytes())
		sent <- err
	}()
	r := bufio.NewReader(conn)
	for range count {
		if status := answers(t, r); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
	}
	if status := answers(t, r); status != http.StatusBadRequest {
		t.Errorf("nonsense is answered %d", status)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if got := storetest.Query(t, g.database, "SELECT count(*) FROM deliveries"); got[0] != fmt.Sprint(count) {
		t.Errorf("%s are kept", got[0])
	}
}

// Many connections that say nothing, or go quiet, keep nobody out.
func TestQuietConnectionsMakeRoom(t *testing.T) {
	const most = 20
	for name, first := range map[string]string{
		"never say anything": "",
		"half a request":     "POST /api/push/tracking HTTP/1.1\r\nX-A:",
		"idle after one":     "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			// No timeout helps: what makes room is that others come.
			g := guard(t, httpapi.Limits{Connections: most, HeaderTimeout: time.Hour, IdleTimeout: time.Hour, ReadTimeout: time.Hour})
			for range 3 * most {
				conn := g.dial(t)
				if _, err := io.WriteString(conn, first); err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(first, "\r\n\r\n") {
					if status := answers(t, bufio.NewReader(conn)); status != http.StatusOK {
						t.Fatalf("answered %d", status)
					}
				}
			}
			for range 5 {
				g.works(t)
			}
			if open, out := g.metric(t, "aifi_audit_connections"), g.metric(t, "aifi_audit_connections_closed_total"); open > most || out < most {
				t.Errorf("%v connections are open, %v were turned out", open, out)
			}
		})
	}
}

// While all connections are in a request, the next one waits.
func TestAConnectionTooManyWaits(t *testing.T) {
	g := guard(t, httpapi.Limits{Connections: 2})
	var busy []net.Conn
	for range 2 {
		conn := g.dial(t)
		fmt.Fprint(conn, g.head(g.ingest, "Content-Length: 13\r\n\r\n{"))
		busy = append(busy, conn)
	}
	storetest.Eventually(t, "both are in a request", func() bool { return g.metric(t, "aifi_audit_body_memory_bytes") == 26 })
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.works(t)
	}()
	third := g.dial(t) // in the queue of the system at most
	fmt.Fprint(third, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
	for _, conn := range busy {
		fmt.Fprint(conn, `"storeId":1}`)
		if status := answers(t, bufio.NewReader(conn)); status != http.StatusOK {
			t.Errorf("one in a request is answered %d", status)
		}
	}
	<-done
	if status := answers(t, bufio.NewReader(third)); status != http.StatusOK {
		t.Errorf("the one that waited is answered %d", status)
	}
}

// Bodies wait for memory: all are kept, and never more are held than may be.
func TestBodiesWaitForMemory(t *testing.T) {
	const memory = 3000
	g := guard(t, httpapi.Limits{BodyMemory: memory})
	body := `{"storeId":1,"x":"` + strings.Repeat("x", 980) + `"}`
	var slow []net.Conn
	for range 3 {
		conn := g.dial(t)
		fmt.Fprint(conn, g.head(g.ingest, fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body[:500])))
		slow = append(slow, conn)
	}
	storetest.Eventually(t, "the memory is set aside", func() bool { return g.metric(t, "aifi_audit_body_memory_bytes") == 3*float64(len(body)) })
	var senders sync.WaitGroup
	for range 10 {
		conn := g.dial(t)
		senders.Go(func() {
			fmt.Fprint(conn, g.head(g.ingest, fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)))
			if status := answers(t, bufio.NewReader(conn)); status != http.StatusOK {
				t.Errorf("one that waited is answered %d", status)
			}
		})
	}
	// Chunks say nothing of how many come: of all that may.
	senders.Go(func() {
		conn := g.dial(t)
		fmt.Fprint(conn, g.head(g.ingest, "Transfer-Encoding: chunked\r\n\r\nd\r\n{\"storeId\":1}\r\n0\r\n\r\n"))
		if status := answers(t, bufio.NewReader(conn)); status != http.StatusOK {
			t.Errorf("chunks are answered %d", status)
		}
	})
	if held := g.metric(t, "aifi_audit_body_memory_bytes"); held > memory {
		t.Errorf("%v bytes are held", held)
	}
	for _, conn := range slow {
		fmt.Fprint(conn, body[500:])
		if status := answers(t, bufio.NewReader(conn)); status != http.StatusOK {
			t.Errorf("a slow one is answered %d", status)
		}
	}
	senders.Wait()
	storetest.Eventually(t, "the memory is given back", func() bool { return g.metric(t, "aifi_audit_body_memory_bytes") == 0 })
}

func TestRates(t *testing.T) {
	g := guard(t, httpapi.Limits{StaffRate: 0.2, IngestRate: 0.4})
	other := g.token(t, "other staff", nil, store.MayRead)
	for i, want := range []int{200, 429, 429} {
		a := g.request(t, http.MethodGet, "/api/v1/stores", g.staff, "")
		if a.status != want || want == 429 && a.header.Get("Retry-After") != "5" {
			t.Errorf("search %d is answered %d, Retry-After %q", i, a.status, a.header.Get("Retry-After"))
		}
	}
	if a := g.request(t, http.MethodGet, "/api/v1/stores", other, ""); a.status != http.StatusOK {
		t.Errorf("another token is answered %d", a.status)
	}
	for i, want := range []int{200, 200, 429} {
		if a := g.request(t, http.MethodPost, "/api/push/tracking", g.ingest, `{"storeId":1}`); a.status != want {
			t.Errorf("webhook %d is answered %d", i, a.status)
		}
	}
	if staff, ingest := g.metric(t, "aifi_audit_refused_requests_total", "surface=api", "reason=rate_limited"),
		g.metric(t, "aifi_audit_refused_requests_total", "surface=ingest", "reason=rate_limited"); staff != 2 || ingest != 1 {
		t.Errorf("counted %v and %v", staff, ingest)
	}
}

// An export that nobody reads ends, and gives its place free; searches go on meanwhile.
func TestExportsAreBounded(t *testing.T) {
	g := guard(t, httpapi.Limits{Exports: 1, WriteTimeout: 2 * time.Second})
	storetest.Fill(t, g.database, g.store, 25_000, 24*time.Hour)
	conn := g.dial(t)
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /api/v1/alcohol-interactions.csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", g.staff)
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil { // it is under way
		t.Fatal(err)
	}
	get := func(path string) answer { return g.request(t, http.MethodGet, path, g.staff, "") }
	if a := get("/api/v1/stores.csv"); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("a second export is answered %d", a.status)
	}
	admin := g.token(t, "admin", nil, store.MayAdminister)
	for _, path := range []string{"/api/v1/access-log.csv", "/api/v1/refused.csv"} {
		if a := g.request(t, http.MethodGet, path, admin, ""); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("%s is answered %d beside another export", path, a.status)
		}
	}
	if a := get("/api/v1/stores"); a.status != http.StatusOK {
		t.Errorf("a search is answered %d", a.status)
	}
	g.works(t)
	storetest.Eventually(t, "the export is given up", func() bool { return get("/api/v1/stores.csv").status == http.StatusOK })
	if broken := g.metric(t, "aifi_audit_answers_total", "surface=api", "status=other"); broken != 1 {
		t.Errorf("%v answers were broken off", broken)
	}
}

// Answers of HTTP/1.0 end with the connection: that of an export that broke off is reset,
// and so is none that is whole.
func TestBrokenExportsAreNotWholeToHTTP10(t *testing.T) {
	g := guard(t, httpapi.Limits{WriteTimeout: time.Second})
	storetest.Fill(t, g.database, g.store, 25_000, 24*time.Hour)
	ask := func(path string) net.Conn {
		conn := g.dial(t)
		if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nAuthorization: Bearer %s\r\n\r\n", path, g.staff)
		return conn
	}
	conn := ask("/api/v1/alcohol-interactions.csv")
	storetest.Eventually(t, "what nobody reads is given up", func() bool {
		return g.metric(t, "aifi_audit_answers_total", "surface=api", "status=other") == 1
	})
	if part, err := io.ReadAll(conn); err == nil || isTimeout(err) {
		t.Errorf("an export that broke off ends after %d bytes with %v", len(part), err)
	}
	if all, err := io.ReadAll(ask("/api/v1/stores.csv")); err != nil || !bytes.Contains(all, []byte("\r\n\r\nstore_id,")) {
		t.Errorf("a whole export ends with %v: %s", err, all)
	}
	if all, err := io.ReadAll(ask("/api/v1/stores.csv?x=1")); err != nil || !bytes.Contains(all, []byte("invalid-parameter")) {
		t.Errorf("a problem ends with %v: %s", err, all)
	}
}

// The answers of each surface are counted by status, and refusals by reason.
func TestAnswersAreCounted(t *testing.T) {
	s := serve(t)
	registry := prometheus.NewRegistry()
	api := httpapi.New(httpapi.Config{Store: s.store, Registry: registry})
	g := &guarded{server: s, registry: registry}
	s.Config.Handler = api
	expired := time.Now().Add(-time.Minute)
	old, err := s.store.CreateToken(t.Context(), "old", []store.Right{store.MayIngest}, nil, &expired)
	if err != nil {
		t.Fatal(err)
	}
	gone := s.token(t, "gone", nil, store.MayIngest)
	if err := s.store.RevokeToken(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	var same string
	for _, token := range []string{"", "aifi_audit_x", old, gone} {
		a := s.do(t, http.MethodPost, "/api/push/tracking", token, []byte(`{}`))
		if same == "" {
			same = string(a.body)
		}
		if a.status != http.StatusUnauthorized || string(a.body) != same {
			t.Errorf("got %d %s", a.status, a.body)
		}
	}
	s.push(t, "tracking", `{"storeId":1}`)
	s.push(t, "tracking", `{`)
	s.get(t, "/api/v1/stores")
	s.get(t, "/api/v1/nothing")
	s.do(t, http.MethodGet, "/livez", "", nil)
	for _, reason := range []string{"no_token", "unknown_token", "expired_token", "revoked_token"} {
		if n := g.metric(t, "aifi_audit_refused_requests_total", "surface=ingest", "reason="+reason); n != 1 {
			t.Errorf("%s is counted %v times", reason, n)
		}
	}
	for labels, want := range map[[2]string]float64{
		{"ingest", "401"}: 4, {"ingest", "200"}: 1, {"ingest", "422"}: 1, {"api", "200"}: 1, {"api", "404"}: 1, {"other", "200"}: 1, {"api", "other"}: 0,
	} {
		if n := g.metric(t, "aifi_audit_answers_total", "surface="+labels[0], "status="+labels[1]); n != want {
			t.Errorf("%v: %v answers, want %v", labels, n, want)
		}
	}
}

// Whatever staff do, webhooks are recorded: staff read and write by connections of
// their own, and wait for each other only.
func TestStaffNeverSlowIngest(t *testing.T) {
	g := guard(t, httpapi.Limits{})
	for name, table := range map[string]string{"reads that never end": "event_reviews", "an access log that cannot be written": "access_log"} {
		t.Run(name, func(t *testing.T) {
			conn, err := pgx.Connect(t.Context(), g.database)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close(context.Background()) }()
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), "LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
				t.Fatal(err)
			}
			var staff sync.WaitGroup
			for range 40 { // more than there are connections of all kinds
				staff.Go(func() { g.request(t, http.MethodGet, "/api/v1/alcohol-interactions", g.staff, "") })
			}
			storetest.Eventually(t, "staff wait", func() bool {
				return storetest.Query(t, g.database, "SELECT count(*) >= 4 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")[0] == "true"
			})
			for range 20 {
				g.works(t)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			staff.Wait()
		})
	}
}

// A proxy that keeps a connection for longer than the server sends webhooks into one that
// is just being closed; those that keep them the longest do so for ten minutes.
func TestQuietConnectionsAreKeptForLongerThanProxiesKeepThem(t *testing.T) {
	if l := (httpapi.Limits{}).WithDefaults(); l.IdleTimeout <= 10*time.Minute {
		t.Errorf("it is %s", l.IdleTimeout)
	}
}
