package httpapi_test

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// rowsOf are the rows of a list on a page, without their marks.
func rowsOf(page string) []string {
	var rows []string
	for _, row := range tableRow.FindAllStringSubmatch(page, -1) {
		rows = append(rows, strings.Join(strings.Fields(mark.ReplaceAllString(row[1], " ")), " "))
	}
	return rows
}

var (
	tableRow = regexp.MustCompile(`(?s)<tr role="row"><td(.*?)</tr>`)
	mark     = regexp.MustCompile(`(?s)^[^>]*>|<[^>]*>`)
)

// looks are the entries that a filter of the API finds, as the paths that were looked at.
func (s *server) looks(t testing.TB, filter string) []string {
	t.Helper()
	var paths []string
	for _, e := range s.do(t, http.MethodGet, "/api/v1/access-log?order=oldest&"+filter, s.admin, nil).items(t) {
		paths = append(paths, e["path"].(string))
	}
	return paths
}

func TestStaffSeeWhoLooked(t *testing.T) {
	s := serve(t)
	fill(t, s)
	jane := s.person(t).signIn(t, s.token(t, "Jane <b>Doe</b>", nil, store.MayRead))
	storetest.SQL(t, s.database, "SET session_replication_role = replica", "TRUNCATE access_log")
	boss := s.person(t).signIn(t, s.reviewer(t))
	if page := boss.page(t, "/access-log"); !strings.Contains(page, "Nobody has looked at anything yet.") || strings.Contains(page, "AiFi") {
		t.Errorf("before anybody looked: %s", page)
	}
	jane.page(t, "/sessions/night?storeId=7")
	jane.page(t, "/fraud-alerts?storeId=7&productId=%2Bwine")
	jane.get(t, "/fraud-alerts.count?storeId=7")
	jane.get(t, "/sessions/nobody")
	jane.get(t, "/refused")
	page := boss.page(t, "/access-log")
	got := rowsOf(page)
	for i, want := range []string{
		"Jane &lt;b&gt;Doe&lt;/b&gt; Search Denied /refused 127.0.0.1",
		"Jane &lt;b&gt;Doe&lt;/b&gt; View Denied: not found /sessions/nobody 127.0.0.1",
		"Jane &lt;b&gt;Doe&lt;/b&gt; Count of what is new /fraud-alerts.count storeId=7 127.0.0.1",
		"Jane &lt;b&gt;Doe&lt;/b&gt; Search /fraud-alerts storeId=7, productId=&#43;wine 0 127.0.0.1",
		"Jane &lt;b&gt;Doe&lt;/b&gt; View /sessions/night storeId=7 127.0.0.1",
		"reviewer Search /access-log 0 127.0.0.1",
	} {
		if i >= len(got) || !strings.HasSuffix(got[i], want) {
			t.Errorf("row %d is not of %q: %q", i, want, got)
		}
	}
	if len(got) != 6 || !strings.Contains(page, ">6 entries<") || strings.Contains(page, "data-live") || strings.Contains(page, `name="storeId"`) {
		t.Errorf("%d rows: %s", len(got), page)
	}
	if !strings.Contains(page, `href="/sessions/night?storeId=7"`) || !strings.Contains(page, `<span class="tag bad" title="403: `) {
		t.Errorf("no link to what was looked at, or no mark of what was denied: %s", page)
	}
	const janes = "token=Jane+%3Cb%3EDoe%3C%2Fb%3E"
	for _, c := range []struct {
		filter string
		want   int
	}{
		{janes, 5},
		{janes + "&token=nobody", 5},
		{"token=nobody", 0},
		{janes + "&action=view", 2},
		{janes + "&action=view&action=count", 3},
		{"denied=true", 2},
		{"denied=true&action=search", 1},
		{janes + "&denied=false", 3},
		{"counts=true", 1},
		{janes + "&counts=false&from=2020-01-01", 4},
		{"to=2020-01-01", 0},
		{janes + "&sessionId=nobody", 1},
		{janes + "&sessionId=nobody&sessionId=night", 2},
	} {
		if n := len(rowsOf(boss.page(t, "/access-log?"+c.filter))); n != c.want {
			t.Errorf("%s finds %d entries", c.filter, n)
		}
	}
	if rows := rowsOf(boss.page(t, "/access-log?order=oldest")); !strings.Contains(rows[0], "reviewer") || !strings.Contains(rows[1], "/sessions/night") {
		t.Errorf("the oldest first: %q", rows[:2])
	}
	// A form keeps each value that it was opened with, and what it does not know.
	form := boss.page(t, "/access-log?action=view&action=other")
	if strings.Count(form, `<option value="view" selected>`) != 1 || strings.Count(form, `<option value="other" selected>`) != 1 {
		t.Errorf("the form loses an action: %s", form)
	}
}

func TestWhoLookedTurnsAndIsDownloaded(t *testing.T) {
	s := serve(t)
	reader := s.person(t).signIn(t, s.token(t, "reader", nil, store.MayRead))
	for _, path := range []string{"/sessions", "/fraud-alerts", "/registrations", "/quarantine", "/holds"} {
		reader.page(t, path)
	}
	boss := s.person(t).signIn(t, s.token(t, "boss", nil, store.MayRead, store.MayAdminister))
	follow := func(page, rel string) string {
		m := regexp.MustCompile(`rel="` + rel + `" href="([^"]+)"`).FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("there is no %s page: %s", rel, page)
		}
		return boss.page(t, strings.ReplaceAll(m[1], "&amp;", "&"))
	}
	first := boss.page(t, "/access-log?token=reader&limit=2")
	second := follow(first, "next")
	third := follow(second, "next")
	if got := slices.Concat(rowsOf(first), rowsOf(second), rowsOf(third)); len(got) != 5 || !strings.Contains(got[0], "/holds") || !strings.Contains(got[4], "/sessions") {
		t.Errorf("turned: %q", got)
	}
	if again := rowsOf(follow(third, "prev")); !slices.Equal(again, rowsOf(second)) {
		t.Errorf("back: %q", again)
	}
	if !strings.Contains(second, ">5 entries<") {
		t.Errorf("they are not counted: %s", second)
	}
	// The CSV needs no right to export: what it has is for admins.
	a := boss.get(t, "/access-log.csv?token=reader&order=oldest")
	rows, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
	if err != nil || len(rows) != 6 || rows[1][4] != "/sessions" || !strings.Contains(first, `href="/access-log.csv?token=reader"`) {
		t.Errorf("%d %v %v", a.status, rows, err)
	}
	if got := boss.get(t, "/access-log.count?token=reader&all=true"); strings.TrimSpace(string(got.body)) != `{"count":5}` {
		t.Errorf("counted: %d %s", got.status, got.body)
	}
	// Each of these looks was one.
	got := s.looks(t, "token=boss")
	want := []string{"/access-log", "/access-log", "/access-log", "/access-log", "/access-log.csv", "/access-log.csv", "/access-log.count"}
	if !slices.Equal(got, want) {
		t.Errorf("logged: %q", got)
	}
}

// Who looked is for those who answer for all stores.
func TestWhoMaySeeWhoLooked(t *testing.T) {
	s := serve(t)
	fill(t, s)
	alert := delivered(t, s, "night", "suspected-fraud")
	things := []string{"/sessions/night?storeId=7", "/deliveries/" + alert}
	for name, token := range map[string]string{
		"reader": s.token(t, "reader", nil, store.MayRead, store.MayExport), "admin of store 7": s.token(t, "admin of store 7", []int64{7}, store.MayRead, store.MayExport, store.MayAdminister),
	} {
		p := s.person(t).signIn(t, token)
		for _, path := range []string{"/access-log", "/access-log.csv", "/access-log.count"} {
			if a := p.get(t, path); a.status != http.StatusForbidden || strings.Contains(string(a.body), "storeId") {
				t.Errorf("%s: %s is answered %d", name, path, a.status)
			}
			if got := s.looks(t, "denied=true&token="+url.QueryEscape(name)); len(got) == 0 || got[len(got)-1] != path {
				t.Errorf("%s: that %s was denied is not told: %q", name, path, got)
			}
		}
		for _, path := range things {
			if strings.Contains(p.page(t, path), "access-log") {
				t.Errorf("%s: %s leads to who looked", name, path)
			}
		}
	}
	boss := s.person(t).signIn(t, s.reviewer(t))
	for _, path := range things {
		if page := boss.page(t, path); !strings.Contains(page, `<a href="/access-log">Access</a>`) || !strings.Contains(page, ">Who looked</a>") {
			t.Errorf("%s does not lead to who looked", path)
		}
	}
}

// Whoever looked at a thing is found, in whatever way he wrote its address.
func TestWhoLookedAtThis(t *testing.T) {
	s := serve(t)
	fill(t, s)
	s.sequenced(t, 16) // the deliveries, without which there is no evidence pack
	alert, other := delivered(t, s, "night", "suspected-fraud"), delivered(t, s, "both", "suspected-fraud")
	storetest.SQL(t, s.database, "SET session_replication_role = replica", "TRUNCATE access_log")
	p := s.person(t).signIn(t, s.reviewer(t))
	of := map[string][]string{
		"sessionId=night": {
			"/sessions/night", "/sessions/%6eight?storeId=7", "/session?sessionId=night", "/session?storeId=7&session%49d=ni%67ht",
			"/alcohol-interactions?sessionId=none&sessionId=night", "/sessions.csv?sessionId=night", "/sessions/night/evidence",
		},
		"deliveryId=" + alert: {"/deliveries/" + alert, "/deliveries/" + strings.ToUpper(alert), "/deliveries/" + alert + "/body"},
		"sessionId=both":      {"/sessions/both?storeId=8"},
		"deliveryId=" + other: {"/deliveries/" + other + "?view=raw"},
	}
	for _, paths := range of {
		for _, path := range paths {
			if a := p.get(t, path); a.status != http.StatusOK {
				t.Fatalf("%s: %d", path, a.status)
			}
		}
	}
	s.do(t, http.MethodGet, "/api/v1/session?sessionId=night", s.staff, nil)
	of["sessionId=night"] = append(of["sessionId=night"], "/api/v1/session")
	s.do(t, http.MethodGet, "/api/v1/log/proofs/inclusion?deliveryId="+alert, s.staff, nil)
	of["deliveryId="+alert] = append(of["deliveryId="+alert], "/api/v1/log/proofs/inclusion")
	for filter, paths := range of {
		var want []string
		for _, path := range paths {
			path, _, _ = strings.Cut(path, "?")
			want = append(want, path)
			if strings.HasSuffix(path, ".csv") || strings.HasSuffix(path, "/evidence") {
				want = append(want, path) // that it ended
			}
		}
		if got := s.looks(t, filter); !slices.Equal(got, want) {
			t.Errorf("%s finds %q, and not %q", filter, got, want)
		}
	}
	if got := s.looks(t, "sessionId=both&deliveryId="+other); len(got) != 0 {
		t.Errorf("about both are %q", got)
	}
	// The links lead there.
	for _, path := range []string{"/sessions/night", "/deliveries/" + alert} {
		m := regexp.MustCompile(`href="(/access-log\?[^"]+)">Who looked`).FindStringSubmatch(p.page(t, path))
		if m == nil {
			t.Fatalf("%s does not lead to who looked", path)
		}
		if rows := rowsOf(p.page(t, m[1])); len(rows) < 5 {
			t.Errorf("%s finds %q", m[1], rows)
		}
	}
}

// Whoever may sign in chooses what stands in the list, and how long it is.
func TestWhoLookedIsBoundedWhateverWasAskedFor(t *testing.T) {
	s := serve(t)
	reader := s.person(t).signIn(t, s.token(t, strings.Repeat("é", 3_000), nil, store.MayRead))
	reader.get(t, "/sessions/"+strings.Repeat("x", 9_000))
	reader.get(t, "/sessions/"+url.PathEscape(strings.Repeat("<i>\u202e", 400)))
	reader.get(t, "/sessions?"+url.Values{"flag": {strings.Repeat("y", 4_000), strings.Repeat("z", 4_000)}}.Encode())
	page := s.person(t).signIn(t, s.reviewer(t)).page(t, "/access-log")
	if len(rowsOf(page)) != 3 || len(page) > 60_000 || strings.Contains(page, "<i>") || strings.ContainsRune(page, '\u202e') {
		t.Errorf("%d rows in %d bytes", len(rowsOf(page)), len(page))
	}
	if !strings.Contains(page, "… and 6,192 more characters") {
		t.Error("what is left out is not told")
	}
}

func TestWhoLookedInABrowser(t *testing.T) {
	s := serve(t)
	fill(t, s)
	reader := s.person(t).signIn(t, s.token(t, "Jane Doe", nil, store.MayRead))
	reader.page(t, "/sessions/night")
	reader.get(t, "/refused?"+strings.Repeat("x", 3_000))
	reader.get(t, "/sessions/"+strings.Repeat("x", 3_000))
	b := s.browse(t)
	b.signIn(s.reviewer(t))
	b.open("/sessions/night")
	b.press("Who looked")
	b.do("only who looked at it", chromedp.WaitVisible(`//td//a[text()="Jane Doe"]`))
	b.press("Access")
	b.do("all that was looked at", chromedp.WaitVisible(`//td[contains(., "Denied: not found")]`))
	b.press("Jane Doe")
	b.do("those of one token", chromedp.WaitVisible(`//a[contains(@class, "chip")][contains(., "Token Jane Doe")]`))
	b.do("what was denied", chromedp.SendKeys(chromedp.CSS("select[name=denied]"), "Denied"), chromedp.Click(`//button[text()="Search"]`),
		chromedp.WaitVisible(`//h2[@id="found"][normalize-space(.)="2 entries"]`))
	if at := ask[string](b, "location.search"); at != "?token=Jane+Doe&denied=true" {
		t.Errorf("the address does not hold the filters alone: %s", at)
	}
	on := true
	pdf, err := chromedp.Call(b.ctx, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: &on})
	if err != nil || !strings.HasPrefix(string(pdf.Data), "%PDF-") {
		t.Errorf("printing: %v", err)
	}
	b.media("print", "light")
	if said := b.text("main > .print-only"); !strings.HasPrefix(said, "of all times; Token Jane Doe; Outcome Denied.") {
		t.Errorf("on paper the filters are %q", said)
	}
	b.media("screen", "light")
	for _, width := range []int64{1280, 390} {
		b.do("a screen", chromedp.EmulateViewport(width, 844))
		b.open("/access-log")
		if wider := ask[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wider > 0 {
			t.Errorf("at %d px the page is %d pixels wider than the window", width, wider)
		}
	}
	// By keyboard, and without scripts.
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.open("/access-log")
	b.press("Exact times and more filters")
	b.do("an action", chromedp.SendKeys(chromedp.CSS("select[name=action]"), "View"), chromedp.Click(`//button[text()="Search"]`), chromedp.WaitVisible(`//a[contains(@class, "chip")][contains(., "Action View")]`))
}
