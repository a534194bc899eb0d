package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// These tests drive Debian's Chromium as a person would. Without a browser they fail:
// a page that nobody looked at is not tested.

const noChromium = "these tests need Chromium: apt-get install chromium, or name one in the environment variable CHROMIUM"

// patience is how long a step may take before the test gives up. It asserts nothing.
const patience = 2 * time.Minute

// tab is a tab of a browser of its own.
type tab struct {
	t   testing.TB
	ctx context.Context
	url string
}

func (s *server) browse(t testing.TB) *tab {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); path == "" && err == nil {
			path = found
		}
	}
	if path == "" {
		t.Fatal(noChromium)
	}
	// Not t.TempDir: the browser may write to its profile for a moment after it ends.
	profile, err := os.MkdirTemp("", "aifi-audit-browser-")
	if err != nil {
		t.Fatal(err)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.WindowSize(1280, 900),
	}
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // which root cannot have
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		closeTab()
		stop()
		_ = os.RemoveAll(profile)
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	b := &tab{t, ctx, s.URL}
	if _, err := chromedp.Call(ctx, log.Enable, struct{}{}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, func(e any) {
		if entry, ok := e.(*log.EventEntryAdded); ok && entry.Entry.Source == log.EntrySourceSecurity {
			t.Errorf("the browser complains: %s", entry.Entry.Text)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v\nthe page is %s", what, err, b.text("body"))
	}
}

func ask[T any](b *tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", cutLong(script), err)
	}
	return v
}

func cutLong(s string) string {
	if len(s) > 200 {
		return s[:200]
	}
	return s
}

func (b *tab) text(selector string) string {
	return ask[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
}

func (b *tab) open(path string) {
	b.t.Helper()
	b.do("opening "+path, chromedp.Navigate(b.url+path), chromedp.WaitReady(chromedp.CSS("main")))
}

// link is the element of a name that people press.
func link(text string) string {
	return fmt.Sprintf(`//*[self::a or self::button or self::summary][contains(normalize-space(.), %q)]`, text)
}

// press clicks what has a text.
func (b *tab) press(text string) {
	b.t.Helper()
	b.do("pressing "+text, chromedp.Click(link(text), chromedp.NodeVisible))
}

// sees waits until a text is there.
func (b *tab) sees(text string) {
	b.t.Helper()
	b.do("looking for "+text, chromedp.WaitVisible(fmt.Sprintf(`//main//*[contains(text(), %q)]`, text)))
}

func (b *tab) signIn(token string) {
	b.t.Helper()
	b.open("/sign-in")
	b.do("signing in", chromedp.SendKeys(chromedp.CSS("input[name=token]"), token), chromedp.Click(chromedp.CSS("form button")), chromedp.WaitVisible(chromedp.CSS("nav")))
}

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

// media makes the page believe that it is printed, or that its reader likes the dark.
func (b *tab) media(kind, scheme string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media: kind, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}); err != nil {
		b.t.Fatal(err)
	}
}

// tabTo presses the tabulator until what has the focus has a text.
func (b *tab) tabTo(text string) {
	b.t.Helper()
	for range 300 {
		b.do("pressing Tab", chromedp.KeyEvent(kb.Tab))
		focused := ask[string](b, `(e => e === document.body ? "" : (e.labels?.[0]?.textContent || e.textContent || e.title || e.name || "").replace(/\s+/g, " "))(document.activeElement)`)
		if strings.Contains(focused, text) {
			if !ask[bool](b, `(e => getComputedStyle(e).outlineStyle !== "none")(document.activeElement)`) {
				b.t.Errorf("%s has the focus, and nothing shows it", text)
			}
			return
		}
	}
	b.t.Fatalf("the tabulator does not lead to %q", text)
}

func (b *tab) enter() {
	b.t.Helper()
	b.do("pressing Enter", chromedp.KeyEvent(kb.Enter))
}

func TestAPersonsJobByKeyboard(t *testing.T) {
	s := serve(t)
	fillNight(t, s)
	b := s.browse(t)
	b.open("/sign-in")
	b.do("the token", chromedp.KeyEvent(s.reviewer(t)+kb.Enter)) // the field has the focus
	b.sees("Needs attention")
	b.tabTo("Skip to the content")
	b.enter()
	b.do("the content has the focus", chromedp.WaitReady(chromedp.CSS("#main:focus")))
	b.open("/")
	b.tabTo("Alcohol")
	b.enter()
	b.sees("alcohol interactions")
	b.tabTo("Last night")
	b.enter()
	b.do("the range is chosen", chromedp.WaitVisible(chromedp.CSS(`.chip[aria-current][href*="from="]`)))
	b.tabTo("night")
	b.enter()
	b.sees("What happened")
	b.tabTo("Mark Fraud suspected")
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

const axeVersion = "4.11.1"

// axe is the source of axe-core, a tool for tests that npm installs.
func axe(t *testing.T) string {
	t.Helper()
	path := os.Getenv("AXE_CORE")
	if path == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(cache, "aifi-audit-test", "axe-"+axeVersion)
		path = filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			out, err := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, "axe-core@"+axeVersion).CombinedOutput()
			if err != nil {
				t.Fatalf("this test needs axe-core %s: install npm, or name its axe.min.js in the environment variable AXE_CORE\n%v\n%s", axeVersion, err, out)
			}
		}
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("reading axe-core: %v", err)
	}
	return string(source)
}

func TestEveryPageIsAccessible(t *testing.T) {
	source := axe(t)
	s := serve(t)
	fill(t, s)
	token := s.reviewer(t)
	p := s.person(t).signIn(t, token)
	for _, list := range []string{"suspected-fraud", "restricted-products-interactions"} {
		id := delivered(t, s, "night", list)
		p.send(t, "/", "/deliveries/"+id+"/notes", map[string][]string{"disposition": {"confirmed"}, "comment": {"a comment"}})
	}
	b := s.browse(t)
	check := func(path string) {
		b.open(path)
		for _, scheme := range []string{"light", "dark"} {
			b.media("screen", scheme)
			ask[any](b, source+"; 0")
			// Everything unfolded, but what then lies over the rest.
			ask[any](b, `document.querySelectorAll("details:not(.picker)").forEach(d => d.open = true)`)
			violations := violationsOf(b, "document")
			if ask[bool](b, `(d => d && (d.open = true))(document.querySelector(".picker")) ?? false`) {
				violations = append(violations, violationsOf(b, `".picker"`)...)
				ask[any](b, `document.querySelector(".picker").open = false`)
			}
			for _, v := range violations {
				t.Errorf("%s, %s: %s (%s)\n  %s", path, scheme, v.Help, v.ID, strings.Join(v.Nodes, "\n  "))
			}
		}
	}
	check("/sign-in")
	b.signIn(token)
	for _, path := range everyPage(t, s) {
		check(path)
	}
}

// violation is something that axe objects to.
type violation struct {
	ID, Help string
	Nodes    []string
}

func violationsOf(b *tab, part string) (found []violation) {
	b.t.Helper()
	raw := ask[string](b, `axe.run(`+part+`, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r => JSON.stringify(r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => n.html.slice(0, 300) + " " + n.failureSummary)}))))`)
	if err := json.Unmarshal([]byte(raw), &found); err != nil {
		b.t.Fatal(err)
	}
	return found
}
