package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aifi-audit/httpapi"
	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

func cookieOf(t *testing.T, a answer) *http.Cookie {
	t.Helper()
	c, err := http.ParseSetCookie(a.header.Get("Set-Cookie"))
	if err != nil {
		t.Fatalf("no cookie: %d %v", a.status, a.header)
	}
	return c
}

func TestTheSessionsCookie(t *testing.T) {
	s := serve(t)
	p := s.person(t)
	c := cookieOf(t, p.do(t, http.MethodPost, "/sign-in", url.Values{"token": {s.staff}}))
	if c.Name != "aifi-audit" || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 12*60*60 || len(c.Value) != 43 {
		t.Errorf("over plain HTTP: %+v", c)
	}
	if kept := storetest.Query(t, s.database, "SELECT count(*) FROM web_sessions WHERE position(convert_to($1, 'UTF8') IN hash) > 0", c.Value); kept[0] != "0" {
		t.Error("the cookie itself is kept")
	}
	public, err := url.Parse("https://audit.example.com")
	if err != nil {
		t.Fatal(err)
	}
	behind := httptest.NewServer(httpapi.New(httpapi.Config{Store: s.store, PublicURL: public}))
	defer behind.Close()
	q := &person{&server{Server: behind}, p.client}
	a := q.do(t, http.MethodPost, "/sign-in", url.Values{"token": {s.staff}}, "Origin", "https://audit.example.com", "Host", "audit.example.com")
	if c := cookieOf(t, a); c.Name != "__Host-aifi-audit" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" {
		t.Errorf("behind TLS: %+v", c)
	}
	// What a client says of itself is not believed.
	a = p.do(t, http.MethodPost, "/sign-in", url.Values{"token": {s.staff}}, "X-Forwarded-Proto", "https", "Forwarded", "proto=https")
	if c := cookieOf(t, a); c.Secure {
		t.Error("a header makes the cookie secure")
	}
}

func TestNobodyCanBeGivenASession(t *testing.T) {
	s := serve(t)
	attacker := s.person(t).signIn(t, s.staff)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	planted := attacker.client.Jar.Cookies(u)[0]
	victim := s.person(t)
	victim.client.Jar.SetCookies(u, []*http.Cookie{planted})
	victim.signIn(t, s.reviewer(t))
	if victim.client.Jar.Cookies(u)[0].Value == planted.Value {
		t.Error("signing in keeps the cookie that was planted")
	}
	if a := attacker.get(t, "/"); a.status != http.StatusSeeOther {
		t.Errorf("the planted session still works: %d", a.status)
	}
	made := s.person(t)
	made.client.Jar.SetCookies(u, []*http.Cookie{{Name: "aifi-audit", Value: strings.Repeat("A", 43)}})
	if a := made.get(t, "/"); a.status != http.StatusSeeOther {
		t.Errorf("a made-up cookie: %d", a.status)
	}
}

func TestSigningOutEndsTheSession(t *testing.T) {
	s := serve(t)
	p := s.person(t).signIn(t, s.staff)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	stolen := p.client.Jar.Cookies(u)
	p.send(t, "/", "/sign-out", nil)
	thief := s.person(t)
	thief.client.Jar.SetCookies(u, stolen)
	for _, path := range []string{"/", "/alcohol-interactions.csv", "/sessions.count"} {
		if a := thief.get(t, path); a.status != http.StatusSeeOther {
			t.Errorf("%s after signing out: %d", path, a.status)
		}
	}
}

func TestASessionEndsByItselfAndWithItsToken(t *testing.T) {
	var ahead atomic.Int64 // of the clock; others than the test look at it too
	database := storetest.URL(t)
	kept, err := store.Open(t.Context(), store.Config{DatabaseURL: database, Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kept.Close)
	secret, err := kept.CreateToken(t.Context(), "Jane", []store.Right{store.MayRead}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, why := kept.Authenticate(t.Context(), secret)
	if why != "" {
		t.Fatal("the token is not good: ", why)
	}
	signIn := func() string {
		session, err := kept.SignIn(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	good := func(session string) bool {
		_, ok, err := kept.SignedIn(t.Context(), session)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	used, idle := signIn(), signIn()
	for range 11 {
		ahead.Add(int64(time.Hour))
		if !good(used) {
			t.Fatal("a session that is used has ended")
		}
	}
	if good(idle) {
		t.Error("a session that is not used goes on")
	}
	ahead.Add(int64(time.Hour))
	if good(used) {
		t.Error("a session goes on for ever")
	}
	last := signIn()
	if n := storetest.Query(t, database, "SELECT count(*) FROM web_sessions"); n[0] != "1" {
		t.Errorf("%s sessions are kept", n[0])
	}
	if err := kept.RevokeToken(t.Context(), "Jane"); err != nil {
		t.Fatal(err)
	}
	if good(last) {
		t.Error("a session outlives its token")
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	s := serve(t)
	fill(t, s)
	p := s.person(t).signIn(t, s.reviewer(t))
	own := formTokenField.FindStringSubmatch(p.page(t, "/"))[1]
	alert := delivered(t, s, "night", "suspected-fraud")
	other := formTokenField.FindStringSubmatch(s.person(t).signIn(t, s.reviewerAgain(t)).page(t, "/"))[1]
	for _, action := range []string{"/deliveries/" + alert + "/notes", "/deliveries/" + alert + "/replay", "/quarantine", "/erasures", "/sign-out"} {
		for name, c := range map[string]struct {
			formToken string
			headers   []string
		}{
			"without a token":       {"", nil},
			"with a made-up token":  {"x", nil},
			"with another's token":  {other, nil},
			"from another site":     {own, []string{"Sec-Fetch-Site", "cross-site"}},
			"from a sibling":        {own, []string{"Sec-Fetch-Site", "same-site"}},
			"from another origin":   {own, []string{"Origin", "https://evil.example"}},
			"from an opaque origin": {own, []string{"Origin", "null"}},
		} {
			a := p.do(t, http.MethodPost, action, url.Values{"formToken": {c.formToken}, "disposition": {"confirmed"}}, c.headers...)
			if a.status != http.StatusForbidden {
				t.Errorf("%s %s: %d", action, name, a.status)
			}
		}
		if a := p.get(t, action); a.status == http.StatusOK && action != "/quarantine" && action != "/erasures" {
			t.Errorf("%s changes something by GET", action)
		}
	}
	if a := s.person(t).do(t, http.MethodPost, "/sign-in", url.Values{"token": {s.staff}}, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden {
		t.Errorf("another site signs somebody in: %d", a.status)
	}
	if notes := s.get(t, "/api/v1/notes").items(t); len(notes) != 0 {
		t.Errorf("something was marked: %v", notes)
	}
	if a := p.do(t, http.MethodPost, "/deliveries/"+alert+"/notes", url.Values{"formToken": {own}, "comment": {strings.Repeat("x", 70<<10)}}); a.status != http.StatusBadRequest {
		t.Errorf("a form that is too long: %d", a.status)
	}
	p.page(t, "/") // still signed in
}

func (s *server) reviewerAgain(t *testing.T) string {
	return s.token(t, "another reviewer", nil, store.MayRead, store.MayReview)
}

func TestNoPageCanBeFramedOrSniffed(t *testing.T) {
	s := serve(t)
	fill(t, s)
	p := s.person(t).signIn(t, s.reviewer(t))
	for _, path := range append(everyPage(t, s), "/sign-in?x", "/sessions/none") {
		h := p.get(t, path).header
		policy := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !slices.Contains(strings.Split(policy, "; "), part) {
				t.Errorf("%s: %s lacks %s", path, policy, part)
			}
		}
		if strings.Contains(policy, "unsafe") || h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Referrer-Policy") != "same-origin" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestSigningInLeadsNowhereElse(t *testing.T) {
	s := serve(t)
	for next, want := range map[string]string{
		"/sessions?customerId=1": "/sessions?customerId=1", "": "/", "https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/",
		"javascript:alert(1)": "/", "/sign-in": "/", "sessions": "/", "/\t/evil.example": "/", "http:/evil": "/", "/ok#x": "/ok",
	} {
		a := s.person(t).do(t, http.MethodPost, "/sign-in", url.Values{"token": {s.staff}, "next": {next}})
		if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != want {
			t.Errorf("%q leads to %d %q", next, a.status, got)
		}
	}
	if a := s.person(t).get(t, "/fraud-alerts?storeId=7"); a.header.Get("Location") != "/sign-in?next=%2Ffraud-alerts%3FstoreId%3D7" {
		t.Errorf("who is not signed in goes to %v", a.header)
	}
}

func TestWhoWasSignedOutMeanwhileComesBack(t *testing.T) {
	s := serve(t)
	p := s.person(t)
	const story = "/sessions/night?storeId=7"
	for _, c := range []struct{ what, method, path, from, want string }{
		{"a note", http.MethodPost, "/deliveries/x/notes", s.URL + story, "/sign-in?next=%2Fsessions%2Fnight%3FstoreId%3D7&unsent="},
		{"a note from nowhere", http.MethodPost, "/deliveries/x/notes", "", "/sign-in?next=%2F&unsent="},
		{"a note from elsewhere", http.MethodPost, "/deliveries/x/notes", "https://evil.example" + story, "/sign-in?next=%2F&unsent="},
		{"a CSV", http.MethodGet, "/fraud-alerts.csv", s.URL + "/fraud-alerts", "/sign-in?next=%2Ffraud-alerts"},
		{"a pack", http.MethodGet, "/sessions/night/evidence", s.URL + story, "/sign-in?next=%2Fsessions%2Fnight%3FstoreId%3D7"},
		{"a pack by its address", http.MethodGet, "/sessions/night/evidence", "", "/sign-in?next=%2Fsessions%2Fnight%2Fevidence"},
		{"a page", http.MethodGet, story, s.URL + "/sessions", "/sign-in?next=%2Fsessions%2Fnight%3FstoreId%3D7"},
		{"signing out", http.MethodPost, "/sign-out", s.URL + story, "/sign-in?out"},
	} {
		a := p.do(t, c.method, c.path, nil, "Referer", c.from)
		if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != c.want {
			t.Errorf("%s leads to %d %s, not to %s", c.what, a.status, got, c.want)
		}
	}
	if page := p.page(t, "/sign-in?next=%2F&unsent="); !strings.Contains(page, "Nothing was saved") {
		t.Error("nobody is told that the note was not saved")
	}
}

func TestWhoMayNotSignIn(t *testing.T) {
	s := serve(t)
	p := s.person(t)
	if a := p.do(t, http.MethodPost, "/sign-in", url.Values{"token": {s.ingest}}); a.status != http.StatusForbidden || !strings.Contains(string(a.body), "for AiFi&#39;s servers") {
		t.Errorf("AiFi's token: %d %s", a.status, a.body)
	}
	var last answer
	for range 12 {
		last = p.do(t, http.MethodPost, "/sign-in", url.Values{"token": {"aifi_audit_wrong"}})
	}
	if last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" {
		t.Errorf("after many attempts: %d", last.status)
	}
	if last.header.Get("Set-Cookie") != "" || strings.Contains(string(last.body), "aifi_audit_wrong") {
		t.Error("a failure gives something away")
	}
}

// evil is text that would act if any page let it.
const evil = `"'><script>document.title='pwned'</script><img src=x onerror="document.title='pwned'">{{.}}javascript:alert(1)` + "\u202e"

func TestTextOfOthersIsOnlyText(t *testing.T) {
	s := serve(t)
	session := poison(t, s)
	p := s.person(t).signIn(t, s.reviewer(t))
	alert := delivered(t, s, url.QueryEscape(session), "suspected-fraud")
	path := "/sessions/" + url.PathEscape(session) + "?storeId=7"
	if a := p.send(t, path, "/deliveries/"+alert+"/notes", url.Values{"disposition": {"confirmed"}, "comment": {evil}, "back": {path}}); a.status != http.StatusSeeOther {
		t.Fatalf("marking: %d %s", a.status, a.body)
	}
	for _, path := range poisonedPages(t, s, session) {
		page := strings.ToLower(p.page(t, path))
		for _, sign := range []string{"<script>", "<img", `onerror="`, `href="javascript`, "\u202e"} {
			if strings.Contains(page, sign) {
				t.Errorf("%s holds %q", path, sign)
			}
		}
		if !strings.Contains(page, "&lt;script&gt;") && !strings.Contains(path, "quarantine") {
			t.Errorf("%s does not show the text at all", path)
		}
	}
}

// poison delivers evil in every field that AiFi controls, and gives the session's id.
func poison(t testing.TB, s *server) string {
	t.Helper()
	quoted := fmt.Sprintf("%q", evil)
	at := lastNight().Format(time.RFC3339)
	for _, webhook := range []string{"restricted-products-interactions", "suspected-fraud", "remote-register", "transition/left"} {
		a := s.do(t, http.MethodPost, "/api/push/"+webhook, s.ingest, []byte(strings.NewReplacer("EVIL", quoted, "AT", at).Replace(`{"storeId":7,"storeExternalId":EVIL,
			"store":{"oasisApiStoreId":7,"aifiUniqueStoreId":EVIL},"sessionId":EVIL,"eventId":EVIL,"timeOfOrigin":"AT","timeOfIssue":EVIL,"token":EVIL,"tokenType":EVIL,
			"customer":{"id":EVIL,"externalId":EVIL,"role":EVIL,"metadata":{"x":EVIL}},"shopper":{"shopperId":EVIL,"shopperFlags":[EVIL]},"shoppingSessionFlags":[EVIL],
			"productIds":[EVIL],"gondolaIds":[EVIL],"payment":{"paymentProvider":EVIL},"checkInDeviceId":EVIL,
			"customerPersonalInfo":{"email":EVIL,"firstName":EVIL,"lastName":EVIL,"phone":EVIL,"phoneNumber":EVIL},
			"session":{"sessionId":EVIL,"status":EVIL,"code":EVIL,"locationId":EVIL,"id":EVIL,"customerId":EVIL,"referencedSessionId":EVIL,"shoppingSessionFlags":[EVIL],"metadata":{"k":EVIL}}}`)),
			"User-Agent", "<script>alert(1)</script>")
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d %s", webhook, a.status, a.body)
		}
	}
	s.push(t, url.PathEscape("<script>alert(1)</script>"), `{"storeId":{"<script>":1},"x":`+quoted+`}`)
	s.push(t, "suspected-fraud", "<script>alert(1)</script>"+evil)
	return evil
}

func poisonedPages(t testing.TB, s *server, session string) []string {
	t.Helper()
	pages := []string{
		"/", "/alcohol-interactions", "/fraud-alerts", "/registrations", "/sessions", "/quarantine", "/sessions/" + url.PathEscape(session),
		"/alcohol-interactions?flag=" + url.QueryEscape("<script>alert(1)</script>"), "/sessions?customerId=" + url.QueryEscape("<script>alert(1)</script>"),
	}
	for _, d := range s.get(t, "/api/v1/deliveries?limit=20").items(t) {
		path := "/deliveries/" + d["id"].(string)
		pages = append(pages, path, path+"?view=raw")
	}
	return pages
}

func TestALimitedTokenSeesNothingOfOtherStores(t *testing.T) {
	s := serve(t)
	visit(t, s, 8, "secret-session", lastNight())
	visit(t, s, 7, "open-session", lastNight())
	s.push(t, "suspected-fraud", "secret-session in quarantine")
	p := s.person(t).signIn(t, s.shop7)
	alert := delivered(t, s, "secret-session", "suspected-fraud")
	for path, want := range map[string]int{
		"/": 200, "/?storeId=8": 200, "/alcohol-interactions": 200, "/alcohol-interactions?storeId=8": 200, "/fraud-alerts?storeExternalId=SHOP-8": 200,
		"/registrations": 200, "/sessions": 200, "/quarantine": 200, "/alcohol-interactions.csv": 200, "/sessions.csv?storeId=8": 200, "/quarantine.csv": 200,
		"/sessions/secret-session": 404, "/sessions/secret-session?storeId=8": 404, "/deliveries/" + alert: 404, "/deliveries/" + alert + "/body": 404,
		"/sessions/open-session": 200,
	} {
		a := p.get(t, path)
		if a.status != want {
			t.Errorf("%s: %d, not %d", path, a.status, want)
		}
		for _, sign := range []string{`"/sessions/secret`, "SHOP-8", alert} {
			body := strings.ReplaceAll(string(a.body), "Retailer&#39;s store id SHOP-8", "")
			if strings.Contains(body, sign) && !strings.Contains(path, sign) {
				t.Errorf("%s shows %s", path, sign)
			}
		}
		if strings.Contains(string(a.body), "secret-session") && !strings.Contains(path, "secret") {
			t.Errorf("%s shows the session of another store", path)
		}
	}
	for path, want := range map[string]string{"/sessions.count?storeId=8": `{"count":0}`, "/sessions.count": `{"count":1}`, "/fraud-alerts.count": `{"count":1}`} {
		if got := strings.TrimSpace(string(p.get(t, path).body)); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	reviewer := s.person(t).signIn(t, s.token(t, "reviewer of store 7", []int64{7}, store.MayRead, store.MayReview, store.MayAdminister))
	for _, action := range []string{"notes", "replay"} {
		if a := reviewer.send(t, "/", "/deliveries/"+alert+"/"+action, url.Values{"disposition": {"confirmed"}}); a.status != http.StatusNotFound {
			t.Errorf("%s of another store's delivery: %d", action, a.status)
		}
	}
	if a := p.send(t, "/", "/deliveries/"+delivered(t, s, "open-session", "suspected-fraud")+"/notes", url.Values{"disposition": {"confirmed"}}); a.status != http.StatusForbidden {
		t.Errorf("who may only read marks: %d", a.status)
	}
}

func TestEveryLookIsLogged(t *testing.T) {
	s := serve(t)
	fill(t, s)
	p := s.person(t).signIn(t, s.reviewer(t))
	alert := delivered(t, s, "night", "suspected-fraud")
	storetest.SQL(t, s.database, "SET session_replication_role = replica", "TRUNCATE access_log")
	p.page(t, "/fraud-alerts?storeId=7")
	p.page(t, "/sessions/night")
	p.get(t, "/fraud-alerts.csv")
	p.get(t, "/fraud-alerts.count")
	p.page(t, "/deliveries/"+alert)
	p.get(t, "/deliveries/"+alert+"/body")
	got := storetest.Query(t, s.database, "SELECT action || ' ' || path || ' ' || query FROM access_log ORDER BY id")
	want := []string{
		"search /fraud-alerts storeId=7", "view /sessions/night ", "export /fraud-alerts.csv ", "export ended /fraud-alerts.csv ", "count /fraud-alerts.count ",
		"view /deliveries/" + alert + " ", "view /deliveries/" + alert + "/body ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("logged: %q", got)
	}
}

func TestErrorsArePagesForBrowsers(t *testing.T) {
	s := serve(t)
	p := s.person(t).signIn(t, s.token(t, "only reads", nil, store.MayRead))
	for path, want := range map[string]int{
		"/nowhere": 404, "/sessions/none": 404, "/deliveries/none": 404, "/alcohol-interactions.csv": 403, "/fraud-alerts?colour=red": 400,
		"/fraud-alerts?cursor=x": 400, "/fraud-alerts?from=2026-02-01&to=2026-01-01": 400, "/?from=1999-01-01": 400, "/sessions?order=random": 400, "/assets/none.css": 404,
	} {
		a := p.get(t, path)
		if a.status != want || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(string(a.body), "<main") {
			t.Errorf("%s: %d %s", path, a.status, a.header.Get("Content-Type"))
		}
	}
	if a := s.get(t, "/nowhere"); a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a program is answered %s", a.header.Get("Content-Type"))
	}
	away, err := store.Open(t.Context(), store.Config{DatabaseURL: s.database})
	if err != nil {
		t.Fatal(err)
	}
	q := &person{&server{Server: httptest.NewServer(httpapi.New(httpapi.Config{Store: away}))}, p.client}
	defer q.s.Close()
	away.Close()
	if a := q.get(t, "/"); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(string(a.body), "Try again") {
		t.Errorf("without a database: %d %s", a.status, a.body)
	}
}
