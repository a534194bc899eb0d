package httpapi_test

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"aifi-audit/httpapi"
	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

var digestField = regexp.MustCompile(`name="digest" value="([0-9a-f]{64})"`)

func (s *server) administrator(t testing.TB, name string) string {
	t.Helper()
	return s.token(t, name, nil, store.MayRead, store.MayAdminister)
}

func TestStaffAskForAnErasure(t *testing.T) {
	s := visited(t)
	jane := s.person(t).signIn(t, s.administrator(t, "Jane"))
	if text := jane.page(t, "/erasures"); !strings.Contains(text, "No erasure was asked for.") || !strings.Contains(text, `href="/erasures" aria-current="page"`) {
		t.Errorf("without requests: %s", text)
	}
	hold := s.post(t, "/api/v1/holds", s.admin, `{"sessionId":"S/1","reason":"case <12>"}`).json(t)["id"].(string)
	good := url.Values{"customerId": {" 5 "}, "reason": {"Art. 17 GDPR, case 12"}}
	for name, c := range map[string]struct {
		form        url.Values
		status      int
		field, text string
	}{
		"held":        {good, http.StatusConflict, "customerId", "On legal hold: case &lt;12&gt; (placed by admin)"},
		"held, asked": {url.Values{"customerId": {"5"}, "reason": {"r"}, "step": {"ask"}}, http.StatusConflict, "customerId", "On legal hold"},
		"unknown":     {url.Values{"customerId": {"nobody<"}, "reason": {"r"}}, http.StatusNotFound, "customerId", "Nothing is kept about this customer."},
		"nobody":      {url.Values{"reason": {"r"}}, http.StatusBadRequest, "customerId", "It must be AiFi&#39;s id of the customer, unless"},
		"no address":  {url.Values{"email": {"example.com"}, "reason": {"r"}}, http.StatusBadRequest, "email", "It must be an e-mail address"},
		"no number":   {url.Values{"customerId": {"5"}, "phone": {"12"}, "reason": {"r"}}, http.StatusBadRequest, "phone", "It must be a phone number"},
		"no reason":   {url.Values{"customerId": {"5"}, "reason": {" "}}, http.StatusBadRequest, "reason", "It must say on which ground."},
		"long reason": {url.Values{"customerId": {"5"}, "reason": {strings.Repeat("x", 501)}}, http.StatusBadRequest, "reason", "It may have 500 characters."},
	} {
		a := jane.send(t, "/erasures", "/erasures", c.form)
		if a.status != c.status || strings.Count(string(a.body), "aria-invalid") != 1 || !strings.Contains(string(a.body), `name="`+c.field+`"`) || !strings.Contains(string(a.body), c.text) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if !regexp.MustCompile(`name="` + c.field + `"[^>]* aria-invalid="true"`).Match(a.body) {
			t.Errorf("%s: it is not told at %s", name, c.field)
		}
	}
	s.post(t, "/api/v1/holds/"+hold+"/lift", s.admin, `{"reason":"closed"}`)
	naming := jane.send(t, "/erasures", "/erasures", url.Values{"customerId": {"5"}, "reason": {"wish of a@example.com"}})
	if naming.status != http.StatusBadRequest || !strings.Contains(string(naming.body), "It must not name the customer") {
		t.Errorf("a reason that names him: %d %s", naming.status, naming.body)
	}

	seen := string(jane.send(t, "/erasures", "/erasures", good).body)
	for _, part := range []string{"Kept about <bdi>5</bdi>", "<dt>Bodies</dt><dd>8</dd>", "<dt>Personal infos</dt><dd>1</dd>", "No erasure was asked for."} {
		if !strings.Contains(seen, part) {
			t.Errorf("what is kept lacks %s: %s", part, seen)
		}
	}
	byEmail := string(jane.send(t, "/erasures", "/erasures", url.Values{"email": {"A@example.com"}, "reason": {"case 13"}}).body)
	if !strings.Contains(byEmail, "Kept about <bdi>A@example.com</bdi>") || !strings.Contains(byEmail, `name="email" value="A@example.com"`) || !strings.Contains(byEmail, "<dt>Personal infos</dt><dd>1</dd>") {
		t.Errorf("by his address: %s", byEmail)
	}
	good.Set("step", "ask")
	a := jane.send(t, "/erasures", "/erasures", good)
	if to := a.header.Get("Location"); a.status != http.StatusSeeOther || !strings.HasPrefix(to, "/erasures?done=asked#e-") {
		t.Fatalf("asking: %d %s %s", a.status, to, a.body)
	}
	for _, e := range storetest.Query(t, s.database, "SELECT action || ' ' || path || '?' || query || ' ' || detail FROM access_log WHERE path = '/erasures'") {
		if strings.Contains(e, "customer") {
			t.Errorf("the access log names him: %s", e)
		}
	}
}

func TestAnotherAdministratorApprovesOnThePage(t *testing.T) {
	s := visited(t)
	ask := url.Values{"customerId": {"5"}, "reason": {"case 12"}, "step": {"ask"}}
	jane, joe := s.person(t).signIn(t, s.administrator(t, "Jane")), s.person(t).signIn(t, s.administrator(t, "Joe"))
	jane.send(t, "/erasures", "/erasures", ask)
	own := jane.page(t, "/erasures?done=asked")
	if !strings.Contains(own, "Another administrator must approve it now.") || strings.Contains(own, "/approve") || strings.Contains(own, "/reject") || !strings.Contains(own, "/withdraw") {
		t.Errorf("who asked sees %s", own)
	}
	page := joe.page(t, "/erasures")
	for _, part := range []string{"Waits for approval", "8 bodies, 6 events, 1 session, 1 customer record, 1 personal info, received ", `href="/sessions?customerId=5"`, "case 12", "Jane"} {
		if !strings.Contains(page, part) {
			t.Errorf("the second sees no %q: %s", part, page)
		}
	}
	id := s.do(t, http.MethodGet, "/api/v1/erasures", s.admin, nil).items(t)[0]["id"].(string)
	path, digest := "/erasures/"+id, digestField.FindStringSubmatch(page)
	if digest == nil || strings.Contains(page, "/withdraw") {
		t.Fatalf("the second cannot approve: %s", page)
	}
	good := url.Values{"digest": {digest[1]}}
	reader, shop7 := s.person(t).signIn(t, s.staff), s.person(t).signIn(t, s.token(t, "admin of 7", []int64{7}, store.MayRead, store.MayAdminister))
	for name, c := range map[string]struct {
		who  *person
		path string
		form url.Values
		want int
	}{
		"who asked":       {jane, path + "/approve", good, http.StatusForbidden},
		"a reader":        {reader, path + "/approve", good, http.StatusForbidden},
		"a limited admin": {shop7, path + "/approve", good, http.StatusForbidden},
		"asks, a reader":  {reader, "/erasures", ask, http.StatusForbidden},
		"asks, limited":   {shop7, "/erasures", ask, http.StatusForbidden},
		"blindly":         {joe, path + "/approve", nil, http.StatusConflict},
		"another digest":  {joe, path + "/approve", url.Values{"digest": {strings.Repeat("0", 64)}}, http.StatusConflict},
		"no id":           {joe, "/erasures/x/approve", good, http.StatusNotFound},
		"withdraws, else": {joe, path + "/withdraw", nil, http.StatusConflict},
	} {
		if a := c.who.send(t, "/", c.path, c.form); a.status != c.want {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := joe.do(t, http.MethodPost, path+"/approve", url.Values{"digest": good["digest"]}); a.status != http.StatusForbidden {
		t.Errorf("a form of another site: %d", a.status)
	}
	for _, p := range []*person{reader, shop7} {
		if a := p.get(t, "/erasures"); a.status != http.StatusForbidden || strings.Contains(p.page(t, "/"), `href="/erasures"`) {
			t.Errorf("others see them: %d %s", a.status, a.body)
		}
	}
	a := joe.send(t, "/erasures", path+"/approve", good)
	if to := a.header.Get("Location"); a.status != http.StatusSeeOther || to != "/erasures?done=approved#e-"+id {
		t.Fatalf("approving: %d %s %s", a.status, to, a.body)
	}
	if page = joe.page(t, "/erasures?done=approved"); !strings.Contains(page, "Approved by Joe") || !strings.Contains(page, "aifi-audit erase --request "+id) || strings.Contains(page, "/approve") || !strings.Contains(page, "/reject") {
		t.Errorf("after the approval: %s", page)
	}
	if a := joe.get(t, path+"/certificate.txt"); a.status != http.StatusConflict {
		t.Errorf("a certificate before the erasure: %d %s", a.status, a.body)
	}
	if err := s.execute(t, id); err != nil {
		t.Fatal(err)
	}
	s.certificate(t, id)
	if page = joe.page(t, "/erasures"); !strings.Contains(page, "forgotten") || !strings.Contains(page, `<a href="`+path+`/certificate.txt" download>`) || strings.Contains(page, "aifi-audit erase") {
		t.Errorf("after the erasure: %s", page)
	}
	for _, file := range []string{"/certificate.txt", "/certificate.json"} {
		a := joe.get(t, path+file)
		if r, err := httpapi.VerifyCertificate(bytes.NewReader(a.body), s.verifier); err != nil || r.RequestID.String() != id {
			t.Errorf("%s: %d %v %s", file, a.status, err, a.body)
		}
		if a := reader.get(t, path+file); a.status != http.StatusForbidden {
			t.Errorf("a reader gets %s: %d", file, a.status)
		}
	}
}

func TestAnErasureEndsOnThePage(t *testing.T) {
	s, id, _ := asked(t)
	joe := s.person(t).signIn(t, s.administrator(t, "Joe"))
	if a := joe.send(t, "/erasures", "/erasures/"+id+"/reject", nil); a.header.Get("Location") != "/erasures?done=rejected#e-"+id {
		t.Errorf("rejecting: %d %s", a.status, a.body)
	}
	joe.send(t, "/erasures", "/erasures", url.Values{"customerId": {"5"}, "reason": {"case 13"}, "step": {"ask"}})
	page := joe.page(t, "/erasures?limit=1")
	own := regexp.MustCompile(`action="(/erasures/[^"]+/withdraw)"`).FindStringSubmatch(page)
	next := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(page)
	if own == nil || next == nil {
		t.Fatalf("the first page is %s", page)
	}
	if a := joe.send(t, "/erasures", own[1], nil); !strings.HasPrefix(a.header.Get("Location"), "/erasures?done=withdrawn#e-") {
		t.Errorf("withdrawing: %d %s", a.status, a.body)
	}
	if page = joe.page(t, strings.ReplaceAll(next[1], "&amp;", "&")); !strings.Contains(page, "Rejected by Joe") || strings.Contains(page, "case 13") {
		t.Errorf("the second page is %s", page)
	}
	if page = joe.page(t, "/erasures?done=withdrawn"); !strings.Contains(page, "Nothing was erased.") || !strings.Contains(page, "Withdrawn by Joe") || strings.Count(page, "forgotten") != 2 {
		t.Errorf("in the end: %s", page)
	}
}

func TestAnErasureInABrowser(t *testing.T) {
	s := visited(t)
	b := s.browse(t)
	b.do("a phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch))
	b.signIn(s.administrator(t, "Jane"))
	b.press("Erasures")
	b.sees("No erasure was asked for.")
	b.do("filling in", chromedp.SendKeys(chromedp.CSS("input[name=customerId]"), "5"), chromedp.SendKeys(chromedp.CSS("input[name=reason]"), "Art. 17 GDPR, case 12"))
	b.press("See what is kept")
	b.sees("Kept about")
	b.press("Ask for the erasure")
	b.sees("Another administrator must approve it now.")
	b.press("Sign out")
	b.sees("You are signed out.")
	b.signIn(s.administrator(t, "Joe"))
	b.press("Erasures")
	b.sees("Waits for approval")
	b.press("Approve")
	b.press("Approve it")
	b.sees("The erasure is approved.")
	if width := ask[int](b, "document.documentElement.scrollWidth"); width > 390 {
		t.Errorf("the page is %d wide", width)
	}
	id := s.do(t, http.MethodGet, "/api/v1/erasures", s.admin, nil).items(t)[0]["id"].(string)
	if err := s.execute(t, id); err != nil {
		t.Fatal(err)
	}
	s.certificate(t, id)
	b.open("/erasures")
	b.sees("Certificate")
	text := ask[string](b, `fetch([...document.querySelectorAll("main a[download]")].find(a => a.textContent === "Certificate").href).then(a => a.text())`)
	if r, err := httpapi.VerifyCertificate(strings.NewReader(text), s.verifier); err != nil || r.RequestID.String() != id || !strings.Contains(text, "Jane") || !strings.Contains(text, "Joe") {
		t.Errorf("the certificate is %v %s", err, text)
	}
}
