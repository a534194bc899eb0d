package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"aifi-audit/httpapi"
	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

var (
	attentionList = regexp.MustCompile(`(?s)<ul class="attention">.*?</ul>`)
	attentionLine = regexp.MustCompile(`(?s)<li><span class="tag [a-z]+">([A-Za-z]+)</span>.*?</li>`)
	attentionLink = regexp.MustCompile(`<a href="([^"]+)">`)
	tags          = regexp.MustCompile(`<[^>]+>`)
)

// attention is what the overview says needs attention: the link of each line, by its text.
func (p *person) attention(t testing.TB) map[string]string {
	t.Helper()
	lines := map[string]string{}
	for _, m := range attentionLine.FindAllStringSubmatch(attentionList.FindString(p.page(t, "/")), -1) {
		link := ""
		if l := attentionLink.FindStringSubmatch(m[0]); l != nil {
			link = l[1]
		}
		if !strings.Contains(m[0], `class="note"`) && m[1] != "Silent" {
			t.Errorf("%q does not say what to do", m[0])
		}
		lines[strings.Join(strings.Fields(tags.ReplaceAllString(m[0], " ")), " ")] = link
	}
	return lines
}

// waits asks for what needs attention until a line of it has the words; after half a
// minute it fails. It gives the link of the line.
func (p *person) waits(t testing.TB, words string) (link string) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		lines := p.attention(t)
		for text, link := range lines {
			if strings.Contains(text, words) {
				return link
			}
		}
		select {
		case <-deadline.C:
			t.Fatalf("nothing says %q: %q", words, lines)
		case <-tick.C:
		}
	}
}

func (s *server) operator(t testing.TB) *person {
	return s.person(t).signIn(t, s.token(t, "operator", nil, store.MayRead, store.MayAdminister))
}

func TestNothingNeedsAttention(t *testing.T) {
	s := serve(t)
	visit(t, s, 7, "night", lastNight())
	p := s.person(t).signIn(t, s.staff)
	if lines := p.attention(t); len(lines) > 0 || !strings.Contains(p.page(t, "/"), "no store has gone silent") {
		t.Errorf("it is said that %q", lines)
	}
}

func TestQuarantineNeedsAttention(t *testing.T) {
	s := serve(t)
	s.push(t, "suspected-fraud", `{"storeId":[1,2]}`)
	want := map[string]string{"Quarantine 1 delivery was not understood See why. Nothing is lost: after an update that understands more, try them again.": "/quarantine?replayed=false"}
	if diff := cmp.Diff(want, s.person(t).signIn(t, s.staff).attention(t)); diff != "" {
		t.Error(diff)
	}
	if lines := s.person(t).signIn(t, s.shop7).attention(t); len(lines) > 0 {
		t.Errorf("staff of a store see %q", lines)
	}
}

func TestWhatWasRefusedNeedsAttention(t *testing.T) {
	s := serve(t)
	body := ofStore(sample(t, "suspected-fraud"), "7")
	s.do(t, http.MethodPost, "/api/push/suspected-fraud", "aifi_audit_mistyped", []byte(body))
	s.do(t, http.MethodPost, "/api/push/suspected-fraud", "aifi_audit_mistyped", []byte(`<b>not JSON`))
	s.do(t, http.MethodPost, "/api/push/%3Cscript%3E", "aifi_audit_stranger", []byte(`{}`))
	s.waitFor(t, "/api/v1/refused", s.admin, 3)

	p := s.operator(t)
	if link := p.waits(t, "3 webhooks without a good token were refused"); link != "/refused" {
		t.Errorf("it leads to %q", link)
	}
	if link := s.person(t).signIn(t, s.staff).waits(t, "An administrator can record them"); link != "" {
		t.Errorf("it leads those who may not to %q", link)
	}
	limited := s.person(t).signIn(t, s.token(t, "operator of 7", []int64{7}, store.MayRead, store.MayAdminister))
	if lines := limited.attention(t); len(lines) > 0 {
		t.Errorf("an operator of one store sees %q", lines)
	}
	for path, people := range map[string][]*person{"/refused": {limited, s.person(t).signIn(t, s.staff)}, "/refused.csv": {limited, s.person(t).signIn(t, s.staff)}} {
		for _, who := range people {
			if a := who.get(t, path); a.status != http.StatusForbidden || strings.Contains(string(a.body), "suspected-fraud") {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
	}

	page := p.page(t, "/refused")
	actions := regexp.MustCompile(`action="(/refused\?[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(actions) != 2 || !strings.Contains(page, "No such token") || strings.Contains(page, "<script>") || !strings.Contains(page, "suspected-fraud") {
		t.Fatalf("the page is\n%s", page)
	}
	if csv := p.get(t, "/refused.csv"); csv.status != http.StatusOK || strings.Count(string(csv.body), "\r\n") != 4 {
		t.Errorf("the CSV: %d %s", csv.status, csv.body)
	}
	mistyped := actions[1][1] // the later one comes first
	if a := p.do(t, http.MethodPost, mistyped, url.Values{}); a.status != http.StatusForbidden {
		t.Errorf("without the form's token: %d", a.status)
	}
	a := p.send(t, "/refused", mistyped, nil)
	if page := p.page(t, a.header.Get("Location")); !strings.Contains(page, "1 understood, 1 still not.") {
		t.Errorf("recording says\n%s", page)
	}
	if n := len(s.get(t, "/api/v1/fraud-alerts").items(t)); n != 1 {
		t.Errorf("%d were recorded", n)
	}
	p.waits(t, "1 webhook without a good token was refused")
	for _, bad := range []string{"/refused?x=1", "/refused?storeId=7"} {
		if a := p.get(t, bad); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, a.status)
		}
	}
}

// hourly is SQL that writes what came of a webhook of a store each hour of five weeks,
// until so long ago.
func hourly(storeID, webhook, ago string) string {
	return `INSERT INTO delivery_counts SELECT ` + storeID + `, '` + webhook + `', date_bin('15 minutes', at, '0001-01-01Z'), 4, at
		FROM generate_series(now() - interval '` + ago + `' - interval '35 days', now() - interval '` + ago + `', interval '1 hour') at`
}

func TestSilenceNeedsAttention(t *testing.T) {
	s := serve(t)
	storetest.SQL(t, s.database,
		`INSERT INTO stores (store_id, external_id, first_seen_at, last_seen_at) VALUES
			(7, 'SHOP-7', now() - interval '90 days', now() - interval '3 hours'), (8, null, now() - interval '90 days', now()),
			(9, null, now() - interval '90 days', now() - interval '3 days'), (10, null, now() - interval '90 days', now() - interval '60 days')`,
		hourly("7", "tracking", "3 hours"), hourly("8", "tracking", "0 hours"), hourly("8", "suspected-fraud", "50 hours"))
	p := s.person(t).signIn(t, s.staff)
	got := map[string]string{}
	for text, link := range p.attention(t) {
		got[strings.Join(strings.Fields(text)[:6], " ")] = link
	}
	want := map[string]string{
		"Silent Store 7 · SHOP-7 has":     "/status?storeId=7", // nothing
		"Silent Store 8 has sent no":      "/status?storeId=8", // suspected-fraud
		"Silent Store 9 has sent nothing": "/status?storeId=9",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	p.waits(t, "Store 7 · SHOP-7 has sent nothing for 3 h 0 min; usually")
	p.waits(t, "Store 8 has sent no suspected-fraud for 2 days; usually")
	if page := p.page(t, "/status?storeId=8"); strings.Contains(page, "Store 7") || !strings.Contains(page, "Silent") || !strings.Contains(page, "suspected-fraud") {
		t.Errorf("the state of store 8 is\n%s", page)
	}
	limited := s.person(t).signIn(t, s.shop7)
	if lines := limited.attention(t); len(lines) != 1 {
		t.Errorf("staff of store 7 see %q", lines)
	}
	for _, path := range []string{"/status", "/status?storeId=8"} {
		if page := limited.page(t, path); strings.Contains(page, "Store 8") || strings.Contains(page, "pool") || strings.Contains(page, "refused") {
			t.Errorf("%s shows staff of store 7\n%s", path, page)
		}
	}
	storetest.SQL(t, s.database, `INSERT INTO stores (store_id, first_seen_at, last_seen_at) SELECT n, now() - interval '9 days', now() - interval '8 days' FROM generate_series(101, 110) n`)
	if link := p.waits(t, "8 more stores or webhooks are silent"); link != "/status" {
		t.Errorf("the rest leads to %q", link)
	}
}

// While webhooks cannot be recorded, the page says so, and what becomes of them.
func TestADatabaseThatTakesNothingNeedsAttention(t *testing.T) {
	database := storetest.URL(t)
	db, err := store.Open(t.Context(), store.Config{DatabaseURL: database, Local: &store.Local{Dir: t.TempDir(), CommitDeadline: 100 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	s := &server{store: db, database: database, Server: httptest.NewServer(httpapi.New(httpapi.Config{Store: db}))}
	t.Cleanup(s.Close)
	s.ingest = s.token(t, "AiFi", nil, store.MayIngest)
	p := s.operator(t)
	limited := s.person(t).signIn(t, s.token(t, "staff of store 7", []int64{7}, store.MayRead))
	p.waits(t, "Nothing is signed: the log has no key")

	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	if a := s.push(t, "tracking", `{"storeId":8,"sessionId":"s"}`); a.status != http.StatusAccepted {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if link := p.waits(t, "Nothing could be recorded for"); link != "/status" {
		t.Errorf("the database leads to %q", link)
	}
	p.waits(t, "1 delivery waits in the spool, the oldest for")
	if page := p.page(t, "/status"); !strings.Contains(page, "cannot be used since") || !strings.Contains(page, "Waiting in the spool") {
		t.Errorf("the state is\n%s", page)
	}
	limited.waits(t, "Nothing could be recorded for")
	for text := range limited.attention(t) {
		if strings.Contains(text, "pool ") && !strings.Contains(text, "Database") {
			t.Errorf("staff of a store see %q", text)
		}
	}
	if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
}

func TestALogThatRefusesToSignNeedsAttention(t *testing.T) {
	s := serve(t)
	s.push(t, "tracking", `{"storeId":7,"sessionId":"s"}`)
	<-s.checkpoints
	storetest.SQL(t, s.database, "UPDATE log_state SET root = ''",
		"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
	p := s.person(t).signIn(t, s.shop7)
	if link := p.waits(t, "The log refuses to sign"); link != "/status" {
		t.Errorf("it leads to %q", link)
	}
	if page := p.page(t, "/status"); !strings.Contains(page, "refuses to sign") {
		t.Errorf("the state is\n%s", page)
	}
}
