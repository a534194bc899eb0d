package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"aifi-audit/store"
)

// person is a member of staff with a browser that runs no script.
type person struct {
	s      *server
	client *http.Client
}

func (s *server) person(t testing.TB) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &person{s, &http.Client{Jar: jar, Transport: s.Client().Transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

func (p *person) do(t testing.TB, method, path string, form url.Values, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, body}
}

func (p *person) get(t testing.TB, path string) answer {
	t.Helper()
	return p.do(t, http.MethodGet, path, nil)
}

// page is a page that must be there.
func (p *person) page(t testing.TB, path string) string {
	t.Helper()
	a := p.get(t, path)
	if a.status != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, a.status, a.body)
	}
	return string(a.body)
}

func (p *person) signIn(t testing.TB, token string) *person {
	t.Helper()
	if a := p.do(t, http.MethodPost, "/sign-in", url.Values{"token": {token}}); a.status != http.StatusSeeOther {
		t.Fatalf("signing in: %d %s", a.status, a.body)
	}
	return p
}

var formTokenField = regexp.MustCompile(`name="formToken" value="([^"]+)"`)

// send fills in a form of a page and sends it.
func (p *person) send(t testing.TB, page, action string, form url.Values) answer {
	t.Helper()
	m := formTokenField.FindStringSubmatch(p.page(t, page))
	if m == nil {
		t.Fatalf("%s has no form", page)
	}
	if form == nil {
		form = url.Values{}
	}
	form.Set("formToken", m[1])
	return p.do(t, http.MethodPost, action, form)
}

// lastNight is 23:00 UTC of yesterday.
func lastNight() time.Time {
	now := time.Now().UTC()
	return time.Date(now.Year(), now.Month(), now.Day()-1, 23, 0, 0, 0, time.UTC)
}

// visit delivers the webhooks of one shopping session.
func visit(t testing.TB, s *server, storeID int, session string, at time.Time) {
	t.Helper()
	send := func(webhook string, minutes int, more string) {
		moment := at.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339)
		a := s.push(t, webhook, fmt.Sprintf(`{"storeId":%d,"storeExternalId":"SHOP-%d","sessionId":%q,"timeOfOrigin":%q,"timeOfIssue":%q,"customer":{"id":"c1"},%s}`,
			storeID, storeID, session, moment, moment, more))
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d %s", webhook, a.status, a.body)
		}
	}
	state := func(status string, flags string) string {
		return fmt.Sprintf(`"session":{"sessionId":%q,"status":%q,"shoppingSessionFlags":[%s],"visitors":1}`, session, status, flags)
	}
	const flag = `"POTENTIALLY_INTERACTED_WITH_ALCOHOL"`
	send("transition/entered", 0, state("active", ""))
	send("restricted-products-interactions", 2, `"eventId":"e1","productIds":["wine-1"],"gondolaIds":[12],`+state("active", flag))
	send("suspected-fraud", 4, `"payment":{"paymentProvider":"STRIPE"},`+state("active", flag))
	send("remote-register", 5, fmt.Sprintf(`"token":%q,"customerPersonalInfo":{"email":"a@example.com","firstName":"Ann"}`, session))
	send("transition/left", 9, state("completed", flag))
}

// delivered gives the id of a delivery of a session.
func delivered(t testing.TB, s *server, session, webhook string) string {
	t.Helper()
	items := s.get(t, "/api/v1/deliveries?sessionId="+session+"&webhook="+webhook).items(t)
	if len(items) == 0 {
		t.Fatalf("no %s of %s", webhook, session)
	}
	return items[0]["id"].(string)
}

// everyPage are the pages of a server that visit has filled for stores 7 and 8.
func everyPage(t testing.TB, s *server) []string {
	t.Helper()
	quarantined := s.get(t, "/api/v1/quarantine").items(t)
	return []string{
		"/", "/?from=" + lastNight().AddDate(0, -7, 0).Format(time.DateOnly), "/?from=2026-05-02&to=2026-05-01",
		"/alcohol-interactions", "/alcohol-interactions?flag=none", "/fraud-alerts?storeId=7", "/registrations", "/sessions", "/quarantine", "/holds", "/holds?lifted=true",
		"/sessions/night", "/sessions/both", "/deliveries/" + delivered(t, s, "night", "suspected-fraud"),
		"/deliveries/" + delivered(t, s, "night", "restricted-products-interactions") + "?view=raw",
		"/deliveries/" + quarantined[0]["deliveryId"].(string), "/alcohol-interactions?limit=nonsense", "/nowhere",
		"/status", "/refused", "/erasures", "/access-log", "/access-log?denied=true&action=search&action=other", "/access-log?sessionId=nobody",
		"/alcohol-interactions?from=2026-05-02&to=2026-05-01&productId=wine", "/sessions/night?unsaid=" + delivered(t, s, "night", "suspected-fraud"),
	}
}

// fill delivers what everyPage shows.
func fill(t testing.TB, s *server) {
	t.Helper()
	visit(t, s, 7, "night", lastNight())
	visit(t, s, 7, "both", lastNight().Add(time.Hour))
	visit(t, s, 8, "both", lastNight().Add(2*time.Hour))
	erase := func() string {
		return s.post(t, "/api/v1/erasures", s.admin, `{"customerId":"c1","reason":"Art. 17 GDPR, case 10"}`).json(t)["id"].(string)
	}
	s.post(t, "/api/v1/erasures/"+erase()+"/withdraw", s.admin, "")
	erase()
	s.post(t, "/api/v1/holds", s.admin, `{"sessionId":"night","from":"2026-01-01","reason":"case 12"}`)
	s.post(t, "/api/v1/holds/"+s.post(t, "/api/v1/holds", s.admin, `{"storeId":8,"reason":"case 11"}`).json(t)["id"].(string)+"/lift", s.admin, `{"reason":"closed"}`)
	s.push(t, "restricted-products-interactions", `{"storeId":7,"sessionId":"night","productIds":{"not":"a list"}}`)
}

// reviewer is a token for everything that the page can do.
func (s *server) reviewer(t testing.TB) string {
	t.Helper()
	return s.token(t, "reviewer", nil, store.MayRead, store.MayExport, store.MayReview, store.MayAdminister)
}

func TestAPersonsJobWithoutScript(t *testing.T) {
	s := serve(t)
	fill(t, s)
	p := s.person(t).signIn(t, s.reviewer(t))
	night := url.Values{"from": {lastNight().Add(-time.Hour).Format(time.RFC3339)}, "to": {lastNight().Add(time.Hour).Format(time.RFC3339)}, "storeId": {"7"}}
	found := p.page(t, "/alcohol-interactions?"+night.Encode())
	if !strings.Contains(found, "1 alcohol interaction<") || !strings.Contains(found, `href="/sessions/night?storeId=7"`) || !strings.Contains(found, "wine-1") {
		t.Errorf("the interaction of last night is not found:\n%s", found)
	}
	story := p.page(t, "/sessions/night?storeId=7")
	for _, part := range []string{
		"Entered the store", "Handled a restricted product", "Fraud suspected", "Registration at the checkout", "Left the store",
		"<code>shoppingSessionFlags</code>", "<ins>completed</ins>",
	} {
		if !strings.Contains(story, part) {
			t.Errorf("the story does not tell %q", part)
		}
	}
	alert := delivered(t, s, "night", "suspected-fraud")
	a := p.send(t, "/sessions/night", "/deliveries/"+alert+"/notes", url.Values{"disposition": {"confirmed"}, "comment": {"seen\r\non camera"}, "back": {"/sessions/night?storeId=7"}})
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/sessions/night?storeId=7#d-"+alert {
		t.Fatalf("marking: %d %v %s", a.status, a.header, a.body)
	}
	if story = p.page(t, "/sessions/night"); !strings.Contains(story, "seen\non camera") || !strings.Contains(story, ">Confirmed</span> reviewer") {
		t.Error("the mark is not in the story")
	}
	if !strings.Contains(p.page(t, "/fraud-alerts?disposition=confirmed"), "1 fraud alert<") {
		t.Error("the mark cannot be searched")
	}
	a = p.send(t, "/sessions/night", "/deliveries/"+alert+"/notes", url.Values{"comment": {" "}, "back": {"/sessions/night?storeId=7"}})
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/sessions/night?storeId=7&unsaid="+alert+"#d-"+alert {
		t.Errorf("an empty note: %d %v", a.status, a.header)
	}
	if told := p.page(t, a.header.Get("Location")); strings.Count(told, "Write a comment") != 1 || !strings.Contains(told, `aria-invalid="true" aria-describedby="wrong-`+alert) {
		t.Error("the form does not tell that a note must say something")
	}
	csv := p.get(t, "/fraud-alerts.csv?disposition=confirmed")
	want := s.get(t, "/api/v1/fraud-alerts.csv?disposition=confirmed")
	if csv.status != http.StatusOK || string(csv.body) != string(want.body) || strings.Count(string(csv.body), "\r\n") != 2 {
		t.Errorf("the CSV of the page: %d %s", csv.status, csv.body)
	}
	if a := p.send(t, "/", "/sign-out", nil); a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/sign-in") {
		t.Errorf("signing out: %d %v", a.status, a.header)
	}
}

func TestPagesTurnBothWays(t *testing.T) {
	s := serve(t)
	for i := range 5 {
		visit(t, s, 7, fmt.Sprint("s", i), lastNight().Add(time.Duration(i)*time.Second))
	}
	p := s.person(t).signIn(t, s.staff)
	session := regexp.MustCompile(`<a href="/sessions/(s\d)\?`)
	link := func(page, rel string) string {
		if m := regexp.MustCompile(`rel="` + rel + `" href="([^"]+)"`).FindStringSubmatch(page); m != nil {
			return strings.ReplaceAll(m[1], "&amp;", "&")
		}
		return ""
	}
	read := func(page string) (ids string) {
		for _, m := range session.FindAllStringSubmatch(page, -1) {
			ids += m[1]
		}
		return ids
	}
	for order, want := range map[string][]string{"": {"s4s3", "s2s1", "s0"}, "&order=oldest": {"s0s1", "s2s3", "s4"}} {
		for _, list := range []string{"/sessions", "/alcohol-interactions"} {
			var pages []string
			page := p.page(t, list+"?limit=2"+order)
			for range want {
				pages = append(pages, page)
				if next := link(page, "next"); next != "" {
					page = p.page(t, next)
				}
			}
			for i, w := range want {
				if got := read(pages[i]); got != w {
					t.Errorf("page %d of %s%s is %s, not %s", i, list, order, got, w)
				}
				if !strings.Contains(pages[i], ">5 ") {
					t.Errorf("page %d of %s does not say that there are 5", i, list)
				}
			}
			if link(pages[0], "prev") != "" || link(pages[2], "next") != "" {
				t.Errorf("%s goes on where it ends", list)
			}
			for i := 2; i > 0; i-- {
				page = p.page(t, link(page, "prev"))
				if got := read(page); got != want[i-1] {
					t.Errorf("before page %d of %s%s is %s, not %s", i, list, order, got, want[i-1])
				}
			}
			if link(page, "prev") != "" {
				t.Errorf("%s goes back before its start", list)
			}
		}
	}
}

func TestWhatIsNewIsCounted(t *testing.T) {
	s := serve(t)
	visit(t, s, 7, "old", lastNight())
	p := s.person(t).signIn(t, s.staff)
	ask := func(path string) string {
		t.Helper()
		page := p.page(t, path)
		m := regexp.MustCompile(`data-live="([^"]+)"`).FindStringSubmatch(page)
		if m == nil || !strings.Contains(page, "What arrives late") {
			t.Fatalf("%s has nothing to ask, or does not say what comes of what is late", path)
		}
		return strings.ReplaceAll(m[1], "&amp;", "&")
	}
	count := func(address string) string { return strings.TrimSpace(string(p.get(t, address).body)) }
	store7, product, sessions := ask("/alcohol-interactions?storeId=7"), ask("/alcohol-interactions?productId=wine-1"), ask("/sessions")
	for address, want := range map[string]string{store7: `{"count":0,"late":0}`, product: `{"count":0,"late":0}`, sessions: `{"count":0}`} {
		if got := count(address); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
	visit(t, s, 7, "new", lastNight().Add(time.Minute))
	visit(t, s, 8, "elsewhere", lastNight().Add(time.Minute))
	visit(t, s, 7, "late", lastNight().Add(-time.Hour))
	visit(t, s, 7, "late too", lastNight().AddDate(0, 0, -1))
	for address, want := range map[string]string{store7: `{"count":1,"late":2}`, product: `{"count":2,"late":2}`, sessions: `{"count":2}`} {
		if got := count(address); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
	for _, bad := range []string{"of=-1", "of=x", "of=1&of=2", "all=maybe", "before=x"} {
		if a := p.get(t, "/alcohol-interactions.count?"+bad); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, a.status)
		}
	}
}

func TestAFormsFieldsBecomeAnAddressOfTheAPI(t *testing.T) {
	s := serve(t)
	visit(t, s, 7, "night", lastNight())
	if _, err := s.store.SetTimeZone(t.Context(), store.Scope{}, 7, new("Asia/Kolkata")); err != nil {
		t.Fatal(err)
	}
	p := s.person(t).signIn(t, s.staff)
	for sent, want := range map[string]string{
		"/alcohol-interactions?storeId=&flag=&from=2026-05-01T08:30&to=": "/alcohol-interactions?from=2026-05-01T08:30:00Z",
		"/alcohol-interactions?storeId=7&from=2026-05-01T08:30:15":       "/alcohol-interactions?from=2026-05-01T08:30:15%2B05:30&storeId=7",
		"/alcohol-interactions?storeId=7&storeId=7&productId=+wine-1+":   "/alcohol-interactions?productId=wine-1&storeId=7",
		"/?storeId=&from=2026-05-01":                                     "/?from=2026-05-01",
	} {
		if a := p.get(t, sent); a.status != http.StatusSeeOther || a.header.Get("Location") != want {
			t.Errorf("%s leads to %d %s, not to %s", sent, a.status, a.header.Get("Location"), want)
		}
	}
	if page := p.page(t, "/alcohol-interactions?storeId=7"); !strings.Contains(page, "Times in Asia/Kolkata") {
		t.Error("the times are not those of the store")
	}
}

func TestATypedTimeLosesNoHourWhenClocksChange(t *testing.T) {
	s := serve(t)
	for id, zone := range map[int64]string{7: "Europe/London", 8: "America/New_York"} {
		visit(t, s, int(id), "night", lastNight())
		if _, err := s.store.SetTimeZone(t.Context(), store.Scope{}, id, &zone); err != nil {
			t.Fatal(err)
		}
	}
	p := s.person(t).signIn(t, s.staff)
	for _, c := range []struct{ what, sent, want string }{
		{"an hour that is twice", "from=2026-10-25T01:00&storeId=7&to=2026-10-25T02:00", "from=2026-10-25T01:00:00%2B01:00&storeId=7&to=2026-10-25T02:00:00Z"},
		{"half of it", "from=2026-10-25T01:00&storeId=7&to=2026-10-25T01:30", "from=2026-10-25T01:00:00%2B01:00&storeId=7&to=2026-10-25T01:30:00Z"},
		{"west of Greenwich", "from=2026-11-01T01:00&storeId=8&to=2026-11-01T01:30", "from=2026-11-01T01:00:00-04:00&storeId=8&to=2026-11-01T01:30:00-05:00"},
		{"an hour that is not", "from=2026-03-29T01:15&storeId=7&to=2026-03-29T01:45", "from=2026-03-29T00:15:00Z&storeId=7&to=2026-03-29T02:45:00%2B01:00"},
		{"beside it", "from=2026-03-29T00:59&storeId=7&to=2026-03-29T02:00", "from=2026-03-29T00:59:00Z&storeId=7&to=2026-03-29T02:00:00%2B01:00"},
		{"less than a second", "storeId=7&to=2026-05-01T08:30:15.25", "storeId=7&to=2026-05-01T08:30:15.25%2B01:00"},
	} {
		const path = "/alcohol-interactions?"
		if a := p.get(t, path+c.sent); a.header.Get("Location") != path+c.want {
			t.Errorf("%s: %s leads to %s, not to %s", c.what, c.sent, a.header.Get("Location"), c.want)
		}
	}
	if page := p.page(t, "/alcohol-interactions?storeId=7&from=2026-10-25T01:00:00%2B01:00&to=2026-10-25T01:30:00Z"); !strings.Contains(page, "01:00 BST – Sun 25 Oct 2026, 01:30 GMT") {
		t.Error("the page does not say which of the two hours it shows")
	}
}

func TestATimeThatTheClockShowsTwiceHasItsZone(t *testing.T) {
	s := serve(t)
	london := "Europe/London"
	for _, at := range []string{"00:59:59", "00:00:00", "01:59:59", "02:00:00"} {
		s.push(t, "restricted-products-interactions", fmt.Sprintf(`{"storeId":7,"sessionId":"back","timeOfOrigin":"2026-10-25T%sZ"}`, at))
	}
	if _, err := s.store.SetTimeZone(t.Context(), store.Scope{}, 7, &london); err != nil {
		t.Fatal(err)
	}
	p := s.person(t).signIn(t, s.staff)
	for _, path := range []string{"/alcohol-interactions?storeId=7", "/sessions/back?storeId=7"} {
		page := p.page(t, path)
		for _, want := range []string{">01:00:00 BST<", ">01:59:59 BST<", ">01:59:59 GMT<", ">02:00:00<"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s does not show %s", path, want)
			}
		}
	}
}

func TestASessionThatEndsOnAnotherDaySaysSo(t *testing.T) {
	s := serve(t)
	for id, zone := range map[int64]string{7: "Europe/London", 8: "America/New_York"} {
		for _, at := range []string{"28T23:55:00", "29T00:10:00"} {
			s.push(t, "restricted-products-interactions", fmt.Sprintf(`{"storeId":%d,"sessionId":"night","timeOfOrigin":"2026-11-%sZ"}`, id, at))
		}
		if _, err := s.store.SetTimeZone(t.Context(), store.Scope{}, id, &zone); err != nil {
			t.Fatal(err)
		}
	}
	p := s.person(t).signIn(t, s.staff)
	if page := p.page(t, "/sessions?storeId=7"); !strings.Contains(page, "00:10:00</time><small>29 Nov 2026</small>") {
		t.Error("a session seems to end before it began")
	}
	page := p.page(t, "/sessions")
	for _, want := range []string{"23:55:00</time><small>GMT</small>", "00:10:00</time><small>GMT 29 Nov 2026</small>", "18:55:00</time><small>EST</small>", "19:10:00</time><small>EST</small>"} {
		if !strings.Contains(page, want) {
			t.Errorf("in a list of stores of several zones there is no %s", want)
		}
	}
}

func TestReplayOneOrAllThatMatch(t *testing.T) {
	s := serve(t)
	for range 3 {
		s.push(t, "suspected-fraud", `{"storeId":[1,2]}`)
	}
	// What the token may not say is kept; an unlimited administrator can accept it.
	limited := s.token(t, "AiFi of store 7", []int64{7}, store.MayIngest)
	s.do(t, http.MethodPost, "/api/push/suspected-fraud", limited, []byte(`{"storeId":8,"sessionId":"s"}`))
	p := s.person(t).signIn(t, s.reviewer(t))
	a := p.send(t, "/quarantine", "/quarantine?replayed=false", nil)
	if a.status != http.StatusSeeOther {
		t.Fatal(a.status, string(a.body))
	}
	if page := p.page(t, a.header.Get("Location")); !strings.Contains(page, "1 understood, 3 still not.") || !strings.Contains(page, "3 deliveries") {
		t.Errorf("%s", page)
	}
	id := s.get(t, "/api/v1/quarantine?replayed=false").items(t)[0]["deliveryId"].(string)
	if page := p.page(t, "/deliveries/"+id); !strings.Contains(page, `<mark>  <b>&#34;storeId&#34;: </b>[</mark>`) {
		t.Errorf("the fault is not marked: %s", page)
	}
	a = p.send(t, "/deliveries/"+id, "/deliveries/"+id+"/replay", nil)
	if page := p.page(t, a.header.Get("Location")); !strings.Contains(page, "still not understood") {
		t.Error("the replay says nothing")
	}
	reader := s.person(t).signIn(t, s.staff)
	if a := reader.send(t, "/quarantine", "/quarantine", nil); a.status != http.StatusForbidden {
		t.Errorf("a reader replays: %d", a.status)
	}
}

func TestAFilterThatCannotBeRightIsToldAtItsField(t *testing.T) {
	s := serve(t)
	visit(t, s, 7, "night", lastNight())
	p := s.person(t).signIn(t, s.staff)
	for query, want := range map[string][]string{
		"from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z&productId=wine": {`name="to" aria-invalid="true" aria-describedby="fault"`, "Until: It must be later", `value="2026-05-02T00:00"`, `value="wine"`},
		"productId=" + strings.Repeat("x", 5000):                           {`name="productId" aria-invalid="true" aria-describedby="fault"`, "Product: A value must be UTF-8"},
		"disposition=odd&from=2026-05-02T00:00:00Z":                        {`name="disposition" aria-invalid="true" aria-describedby="fault"`, "Review: It must be", `value="2026-05-02T00:00"`},
		"from=never": {`name="from" aria-invalid="true" aria-describedby="fault"`, "From: It must be a date"},
	} {
		a := p.get(t, "/alcohol-interactions?"+query)
		if a.status != http.StatusBadRequest || strings.Count(string(a.body), "aria-invalid") != 1 || strings.Contains(string(a.body), "wine-1") {
			t.Errorf("%.60s: %d", query, a.status)
		}
		for _, part := range want {
			if !strings.Contains(string(a.body), part) {
				t.Errorf("%.60s: the page lacks %s", query, part)
			}
		}
	}
}

func TestADayThatCannotBeRightIsToldAtItsField(t *testing.T) {
	s := serve(t)
	visit(t, s, 7, "night", lastNight())
	p := s.person(t).signIn(t, s.staff)
	for query, want := range map[string][]string{
		"from=2026-05-02&to=2026-05-01&storeId=7":      {`name="to" aria-invalid="true" aria-describedby="fault" value="2026-05-01"`, "Until: It must be later", `value="2026-05-02"`, `value="7" checked`},
		"from=2026-05-01&to=2026-05-01":                {`name="to" aria-invalid="true"`, `name="from" value="2026-05-01"`},
		"from=2999-05-01":                              {`name="from" aria-invalid="true" aria-describedby="fault" value="2999-05-01"`, "From: The period must not be empty"},
		"from=1999-01-01&to=2026-05-01T12:00:00Z":      {`name="from" aria-invalid="true" aria-describedby="fault" value="1999-01-01"`, `value="2026-05-01"`},
		"from=2026-02-30&to=2026-05-01":                {`name="from" aria-invalid="true"`, "From: It must be a date", `value="2026-05-01"`},
		"storeExternalId=" + strings.Repeat("x", 5000): {`name="storeExternalId" aria-invalid="true"`},
	} {
		a := p.get(t, "/?"+query)
		if a.status != http.StatusBadRequest || strings.Count(string(a.body), "aria-invalid") != 1 || !strings.Contains(string(a.body), "Not counted") {
			t.Errorf("%.60s: %d %s", query, a.status, a.body)
		}
		for _, part := range want {
			if !strings.Contains(string(a.body), part) {
				t.Errorf("%.60s: the page lacks %s", query, part)
			}
		}
	}
}

func TestAssetsAreKept(t *testing.T) {
	s := serve(t)
	p := s.person(t).signIn(t, s.staff)
	assets := regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`).FindAllStringSubmatch(p.page(t, "/"), -1)
	if len(assets) != 3 {
		t.Errorf("the page needs %d files", len(assets))
	}
	for _, m := range assets {
		if a := p.get(t, m[1]); a.status != http.StatusOK || a.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %d %v", m[1], a.status, a.header)
		}
	}
}

// Senders choose store ids: the overview does not list each of any number of stores.
func TestTheOverviewListsTheStoresWithTheMost(t *testing.T) {
	s := serve(t)
	const stores = 503
	for id := 1; id <= stores; id++ {
		s.push(t, "suspected-fraud", fmt.Sprintf(`{"storeId":%d,"storeExternalId":"SHOP-%[1]d","sessionId":"s"}`, id))
	}
	s.push(t, "suspected-fraud", fmt.Sprintf(`{"storeId":%d,"sessionId":"another"}`, stores))
	page := s.person(t).signIn(t, s.staff).page(t, "/")
	if n := strings.Count(page, `<th scope="row" role="rowheader">`); n != 500 {
		t.Errorf("%d stores are listed", n)
	}
	if !strings.Contains(page, fmt.Sprintf("Store %d · SHOP-%[1]d</a>", stores)) || !strings.Contains(page, "3 more stores had fewer") {
		t.Error("the store with the most events, or the number of the others, is not told")
	}
}

// A sender cannot make pages as long as he likes.
func TestPagesAreBoundedWhateverIsSent(t *testing.T) {
	s := serve(t)
	long := strings.Repeat("é", 4_000)
	flags := make([]string, 500)
	for i := range flags {
		flags[i] = fmt.Sprintf(`"FLAG_%d"`, i)
	}
	list := strings.Join(flags, ",")
	for i, session := range []string{"s", long} {
		body := fmt.Sprintf(`{"storeId":7,"sessionId":%q,"timeOfOrigin":%q,"eventId":%q,"customer":{"id":%q},"productIds":[%s],"gondolaIds":[%[5]s],
			"shopper":{"shopperId":%[4]q,"shopperFlags":[%[5]s]},"session":{"sessionId":%[1]q,"status":"active"}}`,
			session, lastNight().Add(time.Duration(i)*time.Second).Format(time.RFC3339), long, long, list)
		if a := s.push(t, "restricted-products-interactions", body); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	p := s.person(t).signIn(t, s.reviewer(t))
	for path, has := range map[string]string{
		"/alcohol-interactions": "and 480 more", "/sessions": "… and 2,000 more characters", "/sessions/s?storeId=7": "and 300 more",
	} {
		page := p.page(t, path)
		if len(page) > 200_000 || !strings.Contains(page, has) {
			t.Errorf("%s has %d bytes, and %q: %v", path, len(page), has, strings.Contains(page, has))
		}
	}
}
