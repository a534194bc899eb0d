package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"aifi-audit/httpapi"
	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// patient are limits with which no timeout makes room, or ends anything.
var patient = httpapi.Limits{Connections: 20, HeaderTimeout: time.Hour, ReadTimeout: time.Hour, WriteTimeout: time.Hour, IdleTimeout: time.Hour}

// The body of an honest webhook that comes slowly.
const bodyBegins, bodyEnds = `{"storeId":1,`, `"sessionId":"slow","timeOfOrigin":"2026-11-24T02:46:06Z","customer":{"id":"1"}}`

// bodiless are requests of strangers whose body does not come, and their answers.
func bodiless(g *guarded) map[string]struct {
	send   string
	status int
} {
	const promised = "Host: x\r\nContent-Length: 100\r\n"
	return map[string]struct {
		send   string
		status int
	}{
		"a webhook with a wrong token":     {g.head("wrong", "Content-Length: 100\r\n\r\n{"), 401},
		"chunks with a wrong token":        {g.head("wrong", "Transfer-Encoding: chunked\r\n\r\n64\r\n{"), 401},
		"a webhook without a token":        {"POST /api/push/tracking HTTP/1.1\r\n" + promised + "\r\n", 401},
		"a search without a token":         {"GET /api/v1/stores HTTP/1.1\r\n" + promised + "\r\n", 401},
		"a path that is none":              {"POST /nothing HTTP/1.1\r\n" + promised + "\r\n", 404},
		"what asks for no token":           {"GET /livez HTTP/1.1\r\n" + promised + "\r\n", 200},
		"the form to sign in":              {"POST /sign-in HTTP/1.1\r\n" + promised + "Content-Type: application/x-www-form-urlencoded\r\n\r\ntoken=", 400},
		"a form of who is not signed in":   {"POST /sign-out HTTP/1.1\r\n" + promised + "Content-Type: application/x-www-form-urlencoded\r\n\r\n", 303},
		"a session that there is not":      {"POST /sign-out HTTP/1.1\r\n" + promised + "Cookie: aifi-audit=x\r\n\r\n", 303},
		"what is expected to be asked for": {"GET /livez HTTP/1.1\r\n" + promised + "Expect: 100-continue\r\n\r\n", 200},
	}
}

// Strangers whose request is not whole, or who do not take the answer, keep nobody out.
func TestStrangersInARequestMakeRoom(t *testing.T) {
	requests := map[string]string{"answers that are not read": strings.Repeat("GET /openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n", 500)}
	for name, c := range bodiless(new(guarded)) {
		requests[name] = c.send
	}
	for name, first := range requests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := guard(t, patient)
			g.crowd(t, first)
			for range 5 {
				g.works(t)
			}
			if open, out := g.metric(t, "aifi_audit_connections"), g.metric(t, "aifi_audit_connections_closed_total"); open > float64(patient.Connections) || out == 0 {
				t.Errorf("%v connections are open, %v were turned out", open, out)
			}
		})
	}
}

// crowd opens three times as many connections as may be, each of which sends the same.
func (g *guarded) crowd(t *testing.T, send string) {
	t.Helper()
	for range 3 * patient.Connections {
		conn := g.dial(t)
		if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, send) // it may be turned out meanwhile
	}
}

// However long a request may take, a stranger's body is not waited for as long: all end
// before the test does.
func TestStrangersAreNotWaitedFor(t *testing.T) {
	g := guard(t, patient)
	requests := bodiless(g)
	requests["staff who send what nobody reads"] = struct {
		send   string
		status int
	}{"GET /api/v1/stores HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nAuthorization: Bearer " + g.staff + "\r\n\r\n", 200}
	for name, c := range requests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := g.dial(t)
			if _, err := io.WriteString(conn, c.send); err != nil {
				t.Fatal(err)
			}
			endsWith(t, conn, c.status)
		})
	}
}

// What came of a webhook that was not waited for is among the refused.
func TestWhatCameOfARefusedBodyIsKept(t *testing.T) {
	g := guard(t, patient)
	conn := g.dial(t)
	fmt.Fprint(conn, g.head("wrong", "Content-Length: 100\r\n\r\n"+bodyBegins))
	if status := answers(t, bufio.NewReader(conn)); status != http.StatusUnauthorized {
		t.Errorf("answered %d", status)
	}
	storetest.Eventually(t, "it is kept", func() bool {
		return slices.Contains(storetest.Query(t, g.database, "SELECT convert_from(body, 'UTF8') || truncated FROM refused"), bodyBegins+"true")
	})
}

// slow is a request whose body is being read, and of which the last part has still to come.
type slow struct {
	conn   net.Conn
	answer *bufio.Reader
	rest   string
}

// begins sends a request up to the middle of its body, once the server asks for that.
func (g *guarded) begins(t *testing.T, head, body, rest string) slow {
	t.Helper()
	s := slow{conn: g.dial(t), rest: rest}
	s.answer = bufio.NewReader(s.conn)
	fmt.Fprintf(s.conn, "%sContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", head, len(body)+len(rest))
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
		if line, err := s.answer.ReadString('\n'); err != nil || line != want {
			t.Fatalf("got %q, %v", line, err)
		}
	}
	if _, err := io.WriteString(s.conn, body); err != nil {
		t.Fatal(err)
	}
	return s
}

// ends sends the rest, and checks the answer.
func (s slow) ends(t *testing.T, want int) {
	t.Helper()
	if _, err := io.WriteString(s.conn, s.rest); err != nil {
		t.Error(err)
	}
	if status := answers(t, s.answer); status != want {
		t.Errorf("answered %d, want %d", status, want)
	}
}

// session signs in, and gives the cookie and what a form has to send along.
func (g *guarded) session(t *testing.T) (cookie, token string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Jar: jar}).PostForm("http://"+g.address+"/sign-in", url.Values{"token": {g.staff}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	field, cookies := formTokenField.FindSubmatch(page), jar.Cookies(resp.Request.URL)
	if field == nil || len(cookies) != 1 {
		t.Fatalf("not signed in: %d, %v", resp.StatusCode, cookies)
	}
	return cookies[0].String(), string(field[1])
}

// Who has a good token is waited for, whatever strangers do, and so is who is signed in.
func TestStrangersTurnNobodyOut(t *testing.T) {
	g := guard(t, patient)
	g.works(t)
	admin := g.token(t, "admin", nil, store.MayAdminister)
	cookie, form := g.session(t)
	form = "formToken=" + url.QueryEscape(form)
	all := map[int]slow{
		http.StatusOK:       g.begins(t, g.head(g.ingest, ""), bodyBegins, bodyEnds),
		http.StatusCreated:  g.begins(t, "POST /api/v1/holds HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+admin+"\r\n", `{"storeId":1,`, `"sessionId":"honest","reason":"x"}`),
		http.StatusSeeOther: g.begins(t, "POST /sign-out HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nCookie: "+cookie+"\r\n", form[:20], form[20:]),
		// It lacks a scope, but is no stranger's.
		http.StatusForbidden: g.begins(t, g.head(g.staff, ""), bodyBegins, bodyEnds),
	}
	g.crowd(t, g.head("wrong", "Content-Length: 100\r\n\r\n{"))
	g.works(t)
	if out := g.metric(t, "aifi_audit_connections_closed_total"); out == 0 {
		t.Error("nobody was turned out")
	}
	for status, s := range all {
		s.ends(t, status)
	}
}

// While tokens cannot be looked up, who may have a good one is turned out after strangers.
// Then what came is kept: nobody keeps out who is known.
func TestTheUndecidedAreTurnedOutLast(t *testing.T) {
	database := storetest.URL(t)
	office, endOffice := serveLocal(t, database, "")
	defer endOffice()
	proxy := storetest.NewProxy(t, database)
	g := guardStore(t, store.Config{DatabaseURL: proxy.URL, Local: &store.Local{Dir: t.TempDir(), CommitDeadline: 100 * time.Millisecond}}, patient)
	g.works(t)
	proxy.Cut()
	made := office.token(t, "made just now", nil, store.MayIngest)

	honest := g.begins(t, g.head(made, ""), bodyBegins, bodyEnds)
	g.crowd(t, "POST /api/push/tracking HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	g.keeps(t, http.StatusAccepted)
	if out := g.metric(t, "aifi_audit_connections_closed_total"); out == 0 {
		t.Error("nobody was turned out")
	}
	honest.ends(t, http.StatusAccepted)

	cutShort := g.begins(t, g.head(made, ""), bodyBegins, bodyEnds)
	g.crowd(t, g.head("mistyped", "Content-Length: 100\r\n\r\n"+bodyBegins))
	g.keeps(t, http.StatusAccepted)
	if _, err := io.Copy(io.Discard, cutShort.answer); isTimeout(err) {
		t.Error("the undecided hold their places")
	}

	proxy.Mend()
	storetest.Eventually(t, "they are decided", func() bool {
		var bodies []string
		storetest.EachBody(t, database, func(_ string, body []byte, _ error) { bodies = append(bodies, string(body)) })
		refused := storetest.Query(t, database, "SELECT convert_from(body, 'UTF8') FROM refused WHERE reason = 'unknown_token'")
		return slices.Contains(bodies, bodyBegins+bodyEnds) && slices.Contains(bodies, bodyBegins) && slices.Contains(refused, bodyBegins)
	})
}

// A body that came keeps the connection, whether it was asked for or not.
func TestWholeBodiesKeepTheConnection(t *testing.T) {
	g := guard(t, patient)
	conn := g.dial(t)
	r := bufio.NewReader(conn)
	const body = `Content-Length: 13` + "\r\n\r\n" + `{"storeId":1}`
	requests := []struct {
		send   string
		status int
	}{
		{g.head("wrong", body), 401},
		{g.head(g.ingest, body), 200},
		{"GET /livez HTTP/1.1\r\nHost: x\r\n" + body, 200},
		{g.head(g.staff, body), 403},
		{"GET /api/v1/stores HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + g.staff + "\r\n" + body, 200},
		{g.head(g.ingest, "Transfer-Encoding: chunked\r\n\r\nd\r\n{\"storeId\":1}\r\n0\r\n\r\n"), 200},
	}
	for _, c := range requests {
		if _, err := io.WriteString(conn, c.send); err != nil {
			t.Fatal(err)
		}
		if status := answers(t, r); status != c.status {
			t.Fatalf("%q is answered %d", c.send, status)
		}
	}
	var all strings.Builder
	for _, c := range requests {
		all.WriteString(c.send)
	}
	if _, err := io.WriteString(conn, all.String()); err != nil {
		t.Fatal(err)
	}
	for _, c := range requests {
		if status := answers(t, r); status != c.status {
			t.Fatalf("%q, pipelined, is answered %d", c.send, status)
		}
	}
}
