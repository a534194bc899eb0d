package httpapi_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestAPersonsJobInABrowser(t *testing.T) {
	s := serve(t)
	fillNight(t, s)
	b := s.browse(t)
	downloads := t.TempDir()
	on := true
	if _, err := chromedp.CallBrowser(b.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: downloads, EventsEnabled: &on,
	}); err != nil {
		t.Fatal(err)
	}
	saved := make(chan struct{}, 1)
	if err := chromedp.ListenBrowser(b.ctx, func(e any) {
		if p, ok := e.(*browser.EventDownloadProgress); ok && p.State == browser.DownloadProgressStateCompleted {
			saved <- struct{}{}
		}
	}); err != nil {
		t.Fatal(err)
	}

	b.signIn(s.reviewer(t))
	b.sees("Needs attention")
	b.press("Alcohol")
	b.sees("alcohol interactions")
	b.press("Last night")
	b.do("the range is chosen", chromedp.WaitVisible(chromedp.CSS(`.chip[aria-current][href*="from="]`)))
	b.press("All stores")
	b.do("choosing store 7", chromedp.Click(chromedp.CSS(`input[name=storeId][value="7"]`)))
	b.press("Show these stores")
	b.do("the list is that of one store", chromedp.WaitVisible(`//h2[@id="found"][normalize-space(.)="2 alcohol interactions"]`))
	if at := ask[string](b, "location.search"); !strings.Contains(at, "storeId=7") || !strings.Contains(at, "from=") {
		t.Errorf("the address does not hold the filters: %s", at)
	}

	b.press("CSV")
	b.sees("2 rows, complete")
	select {
	case <-saved:
	case <-time.After(patience):
		t.Fatal("the CSV was not saved")
	}
	csv, err := os.ReadFile(filepath.Join(downloads, "alcohol-interactions.csv"))
	if err != nil || strings.Count(string(csv), "\r\n") != 3 || !strings.Contains(string(csv), "wine-1") {
		t.Errorf("the saved CSV: %q %v", csv, err)
	}

	// What comes in meanwhile is announced, and does not move the list.
	visit(t, s, 7, "late", lastNight().Add(40*time.Minute))
	ask[any](b, `document.dispatchEvent(new Event("visibilitychange"))`)
	b.do("something new is announced", chromedp.WaitVisible(`//a[@data-live][text()="1 new"]`))
	if rows := ask[int](b, `document.querySelectorAll("tbody tr:not(.day)").length`); rows != 2 {
		t.Errorf("the list moved: %d rows", rows)
	}
	b.press("1 new")
	b.do("it is shown", chromedp.WaitVisible(`//h2[@id="found"][normalize-space(.)="3 alcohol interactions"]`))
	b.do("going back", chromedp.Click(chromedp.CSS(`td.id a[href^="/sessions/night?"]`)))
	b.sees("What happened")

	pdf, err := chromedp.Call(b.ctx, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: &on})
	if err != nil || !strings.HasPrefix(string(pdf.Data), "%PDF-") || len(pdf.Data) < 5000 {
		t.Errorf("printing: %d bytes, %v", len(pdf.Data), err)
	}
	b.media("print", "light")
	for selector, shown := range map[string]bool{".top": false, ".mark": false, ".kicker .print-only": true, ".sources": true, ".foot .print-only": true} {
		if got := ask[bool](b, fmt.Sprintf(`document.querySelector(%q).checkVisibility()`, selector)); got != shown {
			t.Errorf("on paper %s is shown: %v", selector, got)
		}
	}
	b.media("screen", "light")

	b.do("marking the alert",
		chromedp.Click(`//li[contains(@class,"fraud-alert")]//summary`), chromedp.SendKeys(`//li[contains(@class,"fraud-alert")]//textarea`, "seen on camera"),
		chromedp.Click(`//li[contains(@class,"fraud-alert")]//button[text()="Confirmed"]`))
	b.sees("seen on camera")
	b.press("Fraud")
	b.do("the mark is in the list", chromedp.WaitVisible(`//td//span[text()="Confirmed"]`))
	b.press("Sign out")
	b.sees("You are signed out.")
	b.open("/fraud-alerts")
	if at := ask[string](b, "location.pathname"); at != "/sign-in" {
		t.Errorf("after signing out %s is shown", at)
	}
}

// fillNight has two interactions of last night in store 7, and one in store 8.
func fillNight(t testing.TB, s *server) {
	t.Helper()
	visit(t, s, 7, "night", lastNight())
	visit(t, s, 7, "other", lastNight().Add(10*time.Minute))
	visit(t, s, 8, "elsewhere", lastNight())
	visit(t, s, 7, "before", lastNight().AddDate(0, 0, -3))
}

func TestAPersonsJobByKeyboard(t *testing.T) {
	s := serve(t)
	fillNight(t, s)
	b := s.browse(t)
	b.open("/sign-in")
	b.do("the token", chromedp.KeyEvent(s.reviewer(t)+kb.Enter)) // the field has the focus
	b.sees("Needs attention")
	b.tabTo("Skip to the content")
	ask[any](b, `{ window.fetched = 0; const f = fetch; fetch = (...a) => { fetched++; return f(...a) }; addEventListener("hashchange", () => { document.body.id = "moved" }) }`)
	b.enter()
	b.do("the page is at its content", chromedp.WaitReady(chromedp.CSS("#moved")))
	if n := ask[int](b, "fetched"); n != 0 {
		t.Errorf("to skip to the content has the page fetched %d times", n)
	}
	b.do("the content has the focus", chromedp.WaitReady(chromedp.CSS("#main:focus")))
	b.open("/")
	b.tabTo("Alcohol")
	b.enter()
	b.sees("alcohol interactions")
	b.tabTo("Last night")
	b.enter()
	b.do("the range is chosen", chromedp.WaitVisible(chromedp.CSS(`.chip[aria-current][href*="from="]`)))
	if got := b.focused(); got != "Last night" {
		t.Errorf("after choosing a range the focus is at %q", got)
	}
	if said := b.text("#said"); said != "3 alcohol interactions" {
		t.Errorf("after choosing a range screen readers are told %q", said)
	}
	b.tabTo("night")
	b.enter()
	b.sees("What happened")
	b.tabTo("Mark or comment Fraud suspected")
	b.enter()
	b.tabTo("Comment")
	b.do("the comment", chromedp.KeyEvent("by keyboard"))
	b.tabTo("False alarm")
	b.enter()
	b.sees("by keyboard")
	b.tabTo("Sign out")
	b.enter()
	b.sees("You are signed out.")
}

func TestAPersonsJobOnAPhone(t *testing.T) {
	s := serve(t)
	fill(t, s)
	b := s.browse(t)
	b.do("a phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch))
	b.signIn(s.reviewer(t))
	for _, path := range everyPage(t, s) {
		b.open(path)
		if width := ask[int](b, "document.documentElement.scrollWidth"); width > 390 {
			t.Errorf("%s is %d wide", path, width)
		}
		small := ask[[]string](b, `[...document.querySelectorAll("button, .button, .chip, summary, nav a")].filter(e => e.checkVisibility()).filter(e => { const r = e.getBoundingClientRect(); return r.height < 24 || r.width < 24 }).map(e => e.innerText)`)
		if len(small) > 0 {
			t.Errorf("%s has what fingers miss: %q", path, small)
		}
	}
	b.open("/alcohol-interactions")
	b.press("Last night")
	b.do("the range is chosen", chromedp.WaitVisible(chromedp.CSS(`.chip[aria-current][href*="from="]`)))
	b.do("opening a session", chromedp.Click(chromedp.CSS(`td.id a[href^="/sessions/night?"]`)))
	b.sees("What happened")
}

func TestAPersonsJobWithScriptsOff(t *testing.T) {
	s := serve(t)
	fillNight(t, s)
	b := s.browse(t)
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.signIn(s.reviewer(t))
	b.press("Alcohol")
	b.sees("alcohol interactions")
	b.press("Last night")
	b.press("All stores")
	b.do("choosing store 7", chromedp.Click(chromedp.CSS(`input[name=storeId][value="7"]`)))
	b.press("Show these stores")
	b.do("the list is that of one store", chromedp.WaitVisible(`//h2[@id="found"][normalize-space(.)="2 alcohol interactions"]`))
	b.do("opening a session", chromedp.Click(chromedp.CSS(`td.id a[href^="/sessions/night?"]`)))
	b.sees("What happened")
	b.do("what needs scripts is not offered", chromedp.WaitNotVisible(chromedp.CSS(".needs-script")))
	b.do("marking the alert",
		chromedp.Click(`//li[contains(@class,"fraud-alert")]//summary`), chromedp.SendKeys(`//li[contains(@class,"fraud-alert")]//textarea`, "without script"),
		chromedp.Click(`//li[contains(@class,"fraud-alert")]//button[text()="Under review"]`))
	b.sees("without script")
	b.press("Sign out")
	b.sees("You are signed out.")
}

func TestTextOfOthersDoesNotAct(t *testing.T) {
	s := serve(t)
	session := poison(t, s)
	b := s.browse(t)
	b.signIn(s.reviewer(t))
	for _, path := range poisonedPages(t, s, session) {
		b.open(path)
		if title := ask[string](b, "document.title"); title == "pwned" || title == "" {
			t.Errorf("%s: what AiFi sent has acted", path)
		}
		if n := ask[int](b, `document.querySelectorAll("main img, main script, main [onerror], main a[href^='javascript']").length`); n > 0 {
			t.Errorf("%s: what AiFi sent became %d elements", path, n)
		}
	}
}
