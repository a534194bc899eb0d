package httpapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"aifi-audit/httpapi"
	"aifi-audit/store"
	"aifi-audit/store/storetest"
	"aifi-audit/store/verify"
)

// asked is a server with a visit of customer 5, and a request to erase him.
func asked(t *testing.T) (s *server, id, digest string) {
	t.Helper()
	s = visited(t)
	a := s.do(t, http.MethodPost, "/api/v1/erasures", s.admin, []byte(`{"customerId":"5","reason":"Art. 17 GDPR, case 12"}`))
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	e := a.json(t)
	id, _ = e["id"].(string)
	digest, _ = e["digest"].(string)
	if a.header.Get("Location") != "/api/v1/erasures/"+id || e["state"] != "pending" || e["customerId"] != "5" {
		t.Fatalf("%s", a.body)
	}
	return s, id, digest
}

func approval(digest string) []byte { return fmt.Appendf(nil, `{"digest":%q}`, digest) }

// execute carries out a request, as the operator does on the command line.
func (s *server) execute(t testing.TB, id string) error {
	t.Helper()
	_, err := s.store.Erase(t.Context(), uuid.MustParse(id), store.Execution{By: "Olga Operator"})
	return err
}

func TestAnErasureTakesTwoPersons(t *testing.T) {
	s, id, digest := asked(t)
	second := s.token(t, "second", nil, store.MayAdminister)
	limited := s.token(t, "admin of 7", []int64{7}, store.MayAdminister)
	revoked := s.token(t, "revoked", nil, store.MayAdminister)
	path := "/api/v1/erasures/" + id
	storetest.SQL(t, s.database, "UPDATE tokens SET revoked_at = now() WHERE name = 'revoked'") // the server does not know it for some seconds
	if a := s.do(t, "POST", path+"/approve", revoked, approval(digest)); a.status != 403 {
		t.Errorf("a token revoked meanwhile: %d: %s", a.status, a.body)
	}
	for name, c := range map[string]struct {
		method, path, token string
		body                []byte
		want                int
	}{
		"nobody":                  {"POST", path + "/approve", "", approval(digest), 401},
		"the same person":         {"POST", path + "/approve", s.admin, approval(digest), 403},
		"a reader":                {"POST", path + "/approve", s.staff, approval(digest), 403},
		"a limited admin":         {"POST", path + "/approve", limited, approval(digest), 403},
		"blindly":                 {"POST", path + "/approve", second, nil, 400},
		"no digest":               {"POST", path + "/approve", second, []byte(`{}`), 400},
		"a broken digest":         {"POST", path + "/approve", second, []byte(`{"digest":"x"}`), 400},
		"another digest":          {"POST", path + "/approve", second, approval(strings.Repeat("0", 64)), 409},
		"a parameter":             {"POST", path + "/approve?force=true", second, approval(digest), 400},
		"another request":         {"POST", "/api/v1/erasures/019a0a6e-5f3c-7a10-8b1e-3f1d2c4b5a69/approve", second, approval(digest), 404},
		"no id":                   {"POST", "/api/v1/erasures/x/approve", second, approval(digest), 404},
		"withdrawn by another":    {"POST", path + "/withdraw", second, nil, 409},
		"no certificate yet":      {"GET", path + "/certificate", s.admin, nil, 409},
		"looked at by a reader":   {"GET", path, s.staff, nil, 403},
		"looked at by a limited":  {"GET", path, limited, nil, 403},
		"listed by a reader":      {"GET", "/api/v1/erasures", s.staff, nil, 403},
		"a cursor that is none":   {"GET", "/api/v1/erasures?cursor=x", s.admin, nil, 400},
		"asked by a reader":       {"POST", "/api/v1/erasures", s.staff, []byte(`{"customerId":"5","reason":"r"}`), 403},
		"asked by a limited":      {"POST", "/api/v1/erasures", limited, []byte(`{"customerId":"5","reason":"r"}`), 403},
		"nobody known":            {"POST", "/api/v1/erasures", s.admin, []byte(`{"customerId":"'; DROP TABLE events; --","reason":"r"}`), 404},
		"odd characters":          {"POST", "/api/v1/erasures", s.admin, []byte(`{"customerId":"\ud83d\ude00/../%00\u202e","reason":"r"}`), 404},
		"a NUL":                   {"POST", "/api/v1/erasures", s.admin, []byte(`{"customerId":"5\u0000","reason":"r"}`), 400},
		"no customer":             {"POST", "/api/v1/erasures", s.admin, []byte(`{"reason":"r"}`), 400},
		"a number":                {"POST", "/api/v1/erasures", s.admin, []byte(`{"customerId":5,"reason":"r"}`), 400},
		"no reason":               {"POST", "/api/v1/erasures", s.admin, []byte(`{"customerId":"5","reason":" \n"}`), 400},
		"a long reason":           {"POST", "/api/v1/erasures", s.admin, fmt.Appendf(nil, `{"customerId":"5","reason":%q}`, strings.Repeat("x", 501)), 400},
		"a reason that names him": {"POST", "/api/v1/erasures", s.admin, []byte(`{"customerId":"5","reason":"wish of a@example.com"}`), 400},
		"a member too many":       {"POST", "/api/v1/erasures", s.admin, []byte(`{"customerId":"5","reason":"r","approved":true}`), 400},
		"no JSON":                 {"POST", "/api/v1/erasures", s.admin, []byte(`x`), 400},
	} {
		if a := s.do(t, c.method, c.path, c.token, c.body); a.status != c.want {
			t.Errorf("%s: %d, want %d: %s", name, a.status, c.want, a.body)
		}
	}
	if err := s.execute(t, id); err == nil {
		t.Error("it is executed without approval")
	}
	if a := s.do(t, http.MethodPost, path+"/approve", second, approval(digest)); a.status != http.StatusOK || a.json(t)["state"] != "approved" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := s.do(t, http.MethodPost, path+"/approve", second, approval(digest)); a.status != http.StatusConflict {
		t.Errorf("twice: %d %s", a.status, a.body)
	}
	// An approval counts as long as its token does; then another is needed.
	if err := s.store.RevokeToken(t.Context(), "second"); err != nil {
		t.Fatal(err)
	}
	if err := s.execute(t, id); err == nil {
		t.Error("it is executed on the word of a token that was revoked")
	}
	third := s.token(t, "third", nil, store.MayAdminister)
	if a := s.do(t, http.MethodPost, path+"/approve", third, approval(digest)); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if err := s.execute(t, id); err != nil {
		t.Fatal(err)
	}
	a := s.do(t, http.MethodGet, path, s.admin, nil)
	e := a.json(t)
	if e["state"] != "executed" || e["customerId"] != nil {
		t.Errorf("%s", a.body)
	}
	if items := s.do(t, http.MethodGet, "/api/v1/erasures?limit=1", s.admin, nil).items(t); len(items) != 1 || items[0]["id"] != id {
		t.Errorf("%v", items)
	}
	for _, what := range []string{"approve", "reject", "withdraw"} {
		if a := s.do(t, http.MethodPost, path+"/"+what, third, approval(digest)); a.status != http.StatusConflict {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	// Who asked and who approved is in the access log; whom it was about is nowhere.
	actions := storetest.Query(t, s.database, "SELECT DISTINCT action || ' ' || status FROM access_log WHERE action LIKE 'erasure%' ORDER BY 1")
	for _, want := range []string{"erasure approval 200", "erasure approval 403", "erasure request 200"} {
		if !strings.Contains(strings.Join(actions, ";"), want) {
			t.Errorf("%q is not in %q", want, actions)
		}
	}
	if n := storetest.Query(t, s.database, "SELECT count(*) FROM erasure_subjects")[0]; n != "0" {
		t.Errorf("%s are remembered", n)
	}
}

// After it was carried out everything says so, and what is left is still proven.
func TestAnErasureIsToldEverywhere(t *testing.T) {
	s, id, digest := asked(t)
	second := s.token(t, "second", nil, store.MayAdminister)
	s.do(t, http.MethodPost, "/api/v1/erasures/"+id+"/approve", second, approval(digest))
	deliveries := s.get(t, "/api/v1/deliveries?sessionId=S%2F1&limit=1").items(t)
	one, _ := deliveries[0]["id"].(string)
	if a := s.get(t, "/api/v1/deliveries/"+one); a.json(t)["erasure"] != nil {
		t.Errorf("%s", a.body)
	}
	if err := s.execute(t, id); err != nil {
		t.Fatal(err)
	}
	certificate := s.certificate(t, id)

	a := s.get(t, "/api/v1/deliveries/"+one)
	erasure, _ := a.json(t)["erasure"].(map[string]any)
	if erasure["actor"] != "admin, approved by second" || erasure["reason"] != "Art. 17 GDPR, case 12" || erasure["requestId"] != id {
		t.Errorf("%s", a.body)
	}
	if a := s.get(t, "/api/v1/deliveries/"+one+"/body"); a.status != http.StatusGone || !strings.Contains(string(a.body), "problem:erased") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.get(t, "/api/v1/log/proofs/inclusion?deliveryId="+one); a.status != http.StatusOK || !strings.Contains(string(a.body), `"kind":"erasure"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if items := s.get(t, "/api/v1/alcohol-interactions?productId=q&storeId=7").items(t); len(items) != 4 || items[0]["customerId"] != nil {
		t.Errorf("%v", items)
	}
	if items := s.get(t, "/api/v1/alcohol-interactions?customerId=5").items(t); len(items) != 0 {
		t.Errorf("%v", items)
	}
	if p := s.person(t).signIn(t, s.staff).page(t, "/deliveries/"+one); !strings.Contains(p, "The body was erased") {
		t.Error("the staff page does not say so")
	}
	pack := s.get(t, "/api/v1/sessions/S%2F1/evidence")
	result, found := s.verifyPack(t, pack.body)
	if !result.Clean() || result.Findings[verify.Erased] != 8 || result.Proven != 8 || result.Events != 6 {
		t.Errorf("%+v: %q", result, found)
	}
	if cover := string(unpack(t, pack.body)["cover.html"]); !strings.Contains(cover, "8 of the deliveries were erased by the rules") {
		t.Error(cover)
	}

	// The certificate, as text and as JSON, and what is changed in either.
	text := s.do(t, http.MethodGet, "/api/v1/erasures/"+id+"/certificate", s.admin, nil, "Accept", "text/plain").body
	for name, file := range map[string][]byte{"text": text, "JSON": certificate} {
		r, err := httpapi.VerifyCertificate(bytes.NewReader(file), s.verifier)
		if err != nil || r.RequestID.String() != id || r.Deliveries != 8 || r.Statement["ground"] != "Art. 17 GDPR, case 12" || !httpapi.IsCertificate(file) {
			t.Errorf("%s: %+v, %v\n%s", name, r, err, file)
		}
		for _, change := range [][2]string{
			{"case 12", "case 13"},
			{"second", "nobody"},
			{"leaf", "loaf"},
			{one, uuid.NewString()},
			{"proof: ", "proof: A"},
			{"audit.example.com/log\n", "audit.example.org/log\n"},
			{"erasure 1", "erasure 2"},
		} {
			changed := bytes.Replace(file, []byte(change[0]), []byte(change[1]), 1)
			if bytes.Equal(changed, file) {
				continue // it is escaped in JSON
			}
			if _, err := httpapi.VerifyCertificate(bytes.NewReader(changed), s.verifier); err == nil {
				t.Errorf("%s: %q as %q is good", name, change[0], change[1])
			}
		}
	}
	for _, personal := range []string{"a@example.com", `"5"`} {
		if bytes.Contains(certificate, []byte(personal)) {
			t.Errorf("the certificate has %s", personal)
		}
	}
	for name, file := range map[string]string{"nothing": "", "JSON": "{}", "a checkpoint": string(s.do(t, http.MethodGet, "/log/checkpoint", "", nil).body)} {
		if _, err := httpapi.VerifyCertificate(strings.NewReader(file), s.verifier); err == nil {
			t.Errorf("%s is a certificate", name)
		}
	}
}

// certificate waits until the certificate can be had.
func (s *server) certificate(t testing.TB, id string) []byte {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		a := s.do(t, http.MethodGet, "/api/v1/erasures/"+id+"/certificate", s.admin, nil)
		if a.status == http.StatusOK {
			return a.body
		}
		if a.status != http.StatusNotFound || time.Now().After(deadline) {
			t.Fatalf("%d %s", a.status, a.body)
		}
		<-s.checkpoints // it comes with one of the next
	}
}

// Of those who decide at the same time one does.
func TestApprovalsThatRace(t *testing.T) {
	s, id, digest := asked(t)
	var done sync.WaitGroup
	statuses := make(chan int, 12)
	for i := range 6 {
		token := s.token(t, fmt.Sprint("admin ", i), nil, store.MayAdminister)
		done.Go(func() {
			statuses <- s.do(t, http.MethodPost, "/api/v1/erasures/"+id+"/approve", token, approval(digest)).status
		})
	}
	done.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	if count[http.StatusOK] != 1 || count[http.StatusConflict] != 5 {
		t.Errorf("%v", count)
	}
	if n := storetest.Query(t, s.database, "SELECT count(*) FROM erasure_decisions")[0]; n != "1" {
		t.Errorf("%s decisions", n)
	}
}

func TestWhatIsRejectedOrWithdrawnIsForgotten(t *testing.T) {
	for _, what := range []string{"reject", "withdraw"} {
		s, id, digest := asked(t)
		second := s.token(t, "second", nil, store.MayAdminister)
		s.do(t, http.MethodPost, "/api/v1/erasures/"+id+"/approve", second, approval(digest))
		by := map[string]string{"reject": second, "withdraw": s.admin}[what]
		a := s.do(t, http.MethodPost, "/api/v1/erasures/"+id+"/"+what, by, nil)
		if e := a.json(t); a.status != http.StatusOK || e["customerId"] != nil || !strings.HasPrefix(fmt.Sprint(e["state"]), what[:6]) {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
		if n := storetest.Query(t, s.database, "SELECT count(*) FROM erasure_subjects")[0]; n != "0" {
			t.Errorf("%s: %s are remembered", what, n)
		}
		if err := s.execute(t, id); err == nil {
			t.Errorf("%s: it is executed", what)
		}
	}
}
