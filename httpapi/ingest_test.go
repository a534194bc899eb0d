package httpapi_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aifi-audit/store"
)

func TestIngestAnswers(t *testing.T) {
	s := serve(t)
	interaction := sample(t, "restricted-products-interactions")
	for _, c := range []struct {
		name, webhook, body string
		status              int
		says                string // status or type
	}{
		{"new", "restricted-products-interactions", interaction, 200, "stored"},
		{"again", "restricted-products-interactions", interaction, 200, "duplicate"},
		{"fraud", "suspected-fraud", sample(t, "suspected-fraud"), 200, "stored"},
		{"registration", "remote-register", sample(t, "remote-register"), 200, "stored"},
		{"transition", "transition/left", sample(t, "transition-left"), 200, "stored"},
		{"customer", "customer-created", sample(t, "customer-created"), 200, "stored"},
		{"unheard of", "something/new", `{"storeId":1}`, 200, "stored"},
		{"asks for a decision", "checkout", `{"storeId":1}`, 501, "urn:aifi-audit:problem:no-decision"},
		{"malformed", "suspected-fraud", `{"sessionId":{}}`, 422, "urn:aifi-audit:problem:not-understood"},
		{"too long", "suspected-fraud", `{"a":"` + strings.Repeat("x", 70<<10) + `"}`, 413, "urn:aifi-audit:problem:too-large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.push(t, c.webhook, c.body)
			v := a.json(t)
			if a.status != c.status || v["status"] != c.says && v["type"] != c.says {
				t.Errorf("got %d %s", a.status, a.body)
			}
			id, _ := v["deliveryId"].(string)
			want := []byte(c.body)
			if c.status == http.StatusRequestEntityTooLarge {
				want = want[:64<<10]
			}
			if kept := s.get(t, "/api/v1/deliveries/"+id+"/body"); kept.status != 200 || !bytes.Equal(kept.body, want) {
				t.Errorf("kept %d %.100s", kept.status, kept.body)
			}
		})
	}
	if v := s.push(t, "suspected-fraud", `{"sessionId":{}}`).json(t); v["pointer"] != "/sessionId" {
		t.Errorf("the member at fault is not named: %v", v)
	}
}

// AiFi calls a URL as it was typed, and sends nothing again.
func TestAWebhookThatGoesAstrayIsKept(t *testing.T) {
	s := serve(t)
	body := []byte(`{"storeId":7,"sessionId":"S-1"}`)
	for _, c := range []struct{ method, path, webhook string }{
		{"POST", "//api/push/suspected-fraud", "suspected-fraud"},
		{"POST", "/audit/api/push/suspected-fraud", "suspected-fraud"},
		{"POST", "/api/push/api/push/suspected-fraud", "suspected-fraud"},
		{"POST", "/api/push/v1/transition/left", "transition/left"},
		{"POST", "/api/push/suspected-fraud%20", "suspected-fraud"},
		{"POST", "/api/push/suspected-fraud/new", "suspected-fraud/new"},
		{"POST", "/api/v1/suspected-fraud", "suspected-fraud"},
		{"POST", "/push/transition/left", "transition/left"},
		{"POST", "/API/Push/Suspected-Fraud/", "suspected-fraud"},
		{"POST", "/api/push", "api/push"},
		{"POST", "/", ""},
		{"POST", "/" + strings.Repeat("a/", 4<<10), strings.Repeat("a/", 256)},
		{"PUT", "/api/push/suspected-fraud", "suspected-fraud"},
		{"PATCH", "/api/push/something/new", "something/new"},
	} {
		a := s.do(t, c.method, c.path, s.ingest, body)
		id, _ := a.json(t)["deliveryId"].(string)
		d := s.get(t, "/api/v1/deliveries/"+id).json(t)
		if kept := s.get(t, "/api/v1/deliveries/"+id+"/body"); a.status != 200 || d["webhook"] != c.webhook || !bytes.Equal(kept.body, body) {
			t.Errorf("%s %.60s: got %d %s, %v", c.method, c.path, a.status, a.body, d["webhook"])
		}
	}
	if metrics := s.get(t, "/metrics"); !strings.Contains(string(metrics.body), `aifi_audit_answers_total{status="200",surface="ingest"} 14`) {
		t.Error("they are not counted as webhooks")
	}
	for _, c := range []struct {
		method, path, token string
		status              int
	}{
		{"POST", "/audit/api/push/suspected-fraud", "aifi_audit_wrong", 401},
		{"POST", "/audit/api/push/suspected-fraud", s.staff, 403},
		{"POST", "/nothing", "aifi_audit_wrong", 404},
		{"POST", "/nothing", s.staff, 404},
		{"POST", "/api/v1/deliveries", s.staff, 405},
		{"POST", "/api/v1/deliveries", s.ingest, 405},
		{"PUT", "/api/v1/hold", s.ingest, 404},
		{"POST", "/suspected-fraud", "aifi_audit_wrong", 404},
		{"GET", "/nothing", s.ingest, 404},
		{"DELETE", "/api/push/suspected-fraud", s.ingest, 405},
	} {
		if a := s.do(t, c.method, c.path, c.token, body); a.status != c.status {
			t.Errorf("%s %s: got %d %s", c.method, c.path, a.status, a.body)
		}
	}
}

// A body that came compressed is kept as it came, and the answer says why it was not read.
func TestACompressedBodyIsKeptVerbatim(t *testing.T) {
	s := serve(t)
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := w.Write([]byte(sample(t, "suspected-fraud"))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	a := s.do(t, http.MethodPost, "/api/push/suspected-fraud", s.ingest, compressed.Bytes(), "Content-Encoding", "gzip")
	if v := a.json(t); a.status != http.StatusUnprocessableEntity || !strings.Contains(v["detail"].(string), "Content-Encoding: gzip") {
		t.Errorf("got %d %v", a.status, v)
	}
	id, _ := a.json(t)["deliveryId"].(string)
	if kept := s.get(t, "/api/v1/deliveries/"+id+"/body"); !bytes.Equal(kept.body, compressed.Bytes()) {
		t.Errorf("kept %q", kept.body)
	}
	// Something on the way has decompressed it, and left the header.
	if a := s.do(t, http.MethodPost, "/api/push/suspected-fraud", s.ingest, []byte(sample(t, "suspected-fraud")), "Content-Encoding", "gzip"); a.status != http.StatusOK {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := s.push(t, "suspected-fraud", "no JSON"); strings.Contains(string(a.body), "Content-Encoding") {
		t.Errorf("got %s", a.body)
	}
}

func TestATokenIsFoundHoweverItWasTyped(t *testing.T) {
	s := serve(t)
	for header, status := range map[string]int{
		"bearer " + s.ingest: 200, "Bearer  " + s.ingest + " ": 200, "Bearer Bearer " + s.ingest: 200, s.ingest: 200,
		"Bearer": 401, "Bearer Bearer": 401, "": 401, "Basic " + s.ingest: 401, "Bearer " + s.ingest + " " + s.ingest: 401, "Token " + s.ingest: 401,
	} {
		if a := s.do(t, http.MethodPost, "/api/push/tracking", "", []byte(`{"storeId":7}`), "Authorization", header); a.status != status {
			t.Errorf("%q: got %d %s", header, a.status, a.body)
		}
	}
}

func TestIngestRefusesWithoutAToken(t *testing.T) {
	s := serve(t)
	for name, c := range map[string]struct {
		token  string
		status int
	}{"none": {"", 401}, "wrong": {"aifi_audit_x", 401}, "another scope": {s.staff, 403}} {
		if a := s.do(t, http.MethodPost, "/api/push/suspected-fraud", c.token, []byte("{}")); a.status != c.status {
			t.Errorf("%s: got %d", name, a.status)
		}
	}
}

func TestHostileRequestsAreKept(t *testing.T) {
	s := serve(t)
	files, err := filepath.Glob("../store/aifi/testdata/hostile/*")
	if err != nil || len(files) < 30 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, header := range [][]string{nil, {"Content-Type", "text/plain"}, {"Content-Encoding", "gzip"}} {
			a := s.do(t, http.MethodPost, "/api/push/restricted-products-interactions", s.ingest, body, header...)
			if a.status >= 500 {
				t.Errorf("%s: answer %d %s", file, a.status, a.body)
			}
			id, _ := a.json(t)["deliveryId"].(string)
			if len(body) > 64<<10 {
				body = body[:64<<10]
			}
			if kept := s.get(t, "/api/v1/deliveries/"+id+"/body"); kept.status != 200 || !bytes.Equal(kept.body, body) {
				t.Errorf("%s: kept %d bytes of %d", file, len(kept.body), len(body))
			}
		}
	}
	for _, path := range []string{"%00", "a%2Fb", "..%2f..", "%ff", "//x//", strings.Repeat("x", 5000), "'; DROP TABLE events; --", "suspected-fraud/"} {
		a := s.do(t, http.MethodPost, "/api/push/"+strings.ReplaceAll(path, " ", "%20"), s.ingest, []byte(`{"storeId":1}`))
		if a.status != 200 {
			t.Errorf("path %.40q: got %d %s", path, a.status, a.body)
		}
	}
}

// A sender that breaks off has still said something.
func TestABrokenOffBodyIsKept(t *testing.T) {
	s := serve(t)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "POST /api/push/suspected-fraud HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{\"storeId\":1", s.ingest)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("got %d", resp.StatusCode)
	}
	items := s.get(t, "/api/v1/quarantine").items(t)
	if len(items) != 1 || items[0]["reason"] != string(store.Truncated) {
		t.Fatalf("quarantine has %v", items)
	}
	if page := s.person(t).signIn(t, s.staff).page(t, "/deliveries/"+items[0]["deliveryId"].(string)); !strings.Contains(items[0]["detail"].(string), "ended early") || strings.Count(page, "ended early") < 2 {
		t.Errorf("it says %v, and the page %s", items[0]["detail"], page)
	}
	if kept := s.get(t, "/api/v1/deliveries/"+items[0]["deliveryId"].(string)+"/body"); string(kept.body) != `{"storeId":1` {
		t.Errorf("kept %q", kept.body)
	}
}

func TestOtherMethodsAreNotAllowed(t *testing.T) {
	s := serve(t)
	for request, want := range map[string]string{
		"GET /api/push/suspected-fraud": "POST", "DELETE /api/v1/fraud-alerts": "GET, HEAD", "PUT /api/v1/erasures": "GET, HEAD, POST",
		"POST /api/v1/stores/7": "PATCH", "PUT /sign-in": "GET, HEAD, POST",
	} {
		method, path, _ := strings.Cut(request, " ")
		if a := s.do(t, method, path, s.admin, nil); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != want {
			t.Errorf("%s: %d, allowed are %q", request, a.status, a.header.Get("Allow"))
		}
	}
}
