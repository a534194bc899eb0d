package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// oddIDs are ids of sessions that AiFi could make, and that addresses do not like.
func oddIDs() []string {
	return []string{
		".", "..", "...", "/", "a/b", "../../sign-in", "//evil.example", `\`, "a?b=c", "#x", "%", "%2F", "%2e%2e", "a b", "a+b", "a&storeId=8", "a;b", "é", "طلب ١٢٣", "🍷", "evidence",
		strings.Repeat("long", 250), strings.Repeat("🍷", 500),
	}
}

// visitOdd delivers two webhooks of a session of each of the ids, all in the log.
func visitOdd(t testing.TB, s *server, ids []string) {
	t.Helper()
	for i, id := range ids {
		quoted, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, webhook := range []string{"restricted-products-interactions", "suspected-fraud"} {
			body := fmt.Sprintf(`{"storeId":7,"sessionId":%s,"timeOfOrigin":%q,"session":{"sessionId":%[1]s,"status":"active"}}`, quoted, lastNight().Add(time.Duration(i)*time.Second).Format(time.RFC3339))
			if a := s.push(t, webhook, body); a.status != http.StatusOK {
				t.Fatalf("%q: %d %s", id, a.status, a.body)
			}
		}
	}
	s.sequenced(t, int64(2*len(ids)))
}

func TestEverySessionOpensByItsLink(t *testing.T) {
	s := serve(t)
	ids := oddIDs()
	visitOdd(t, s, ids)
	b := s.browse(t)
	b.signIn(s.reviewer(t))
	for _, id := range ids {
		quoted, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		b.open("/fraud-alerts")
		ask[any](b, fmt.Sprintf(`[...document.querySelectorAll("td.id a")].find(a => a.textContent === %s).click()`, quoted))
		b.do("the story opens", chromedp.WaitVisible(chromedp.CSS("h1.id")))
		if got := b.text("h1.id"); got != id {
			t.Errorf("the link of %q opens %q", id, got)
		}
		if steps := ask[int](b, `document.querySelectorAll(".step").length`); steps != 2 {
			t.Errorf("the story of %q has %d steps", id, steps)
		}
		for _, download := range ask[[]string](b, `Promise.all([...document.querySelectorAll("a[download]")].map(async a => (await fetch(a.href)).status + " " + a.textContent))`) {
			if !strings.HasPrefix(download, "200 ") {
				t.Errorf("of %q: %s", id, download)
			}
		}
		// A form leads back to where it stands.
		ask[any](b, `document.querySelector(".marks textarea").value = "seen"; document.querySelector(".marks button[value=confirmed]").click()`)
		b.do("the mark is shown", chromedp.WaitVisible(chromedp.CSS(".marks q"), chromedp.AtLeast(1)))
		if got := b.text("h1.id"); got != id {
			t.Errorf("marking in %q leads to %q", id, got)
		}
	}
}
