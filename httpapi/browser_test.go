package httpapi_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
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
	t       testing.TB
	ctx     context.Context
	url     string
	path    string // of the browser
	profile string // its directory
}

func (s *server) browse(t testing.TB, more ...chromedp.ExecAllocatorOption) *tab {
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
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	ctx, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		closeTab()
		stop()
		_ = os.RemoveAll(profile)
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	b := &tab{t, ctx, s.URL, path, profile}
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

// forget makes the browser forget what it kept of the pages seen before.
func (b *tab) forget() {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, network.ClearBrowserCache, struct{}{}); err != nil {
		b.t.Fatal(err)
	}
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
		focused := b.focused()
		if focused != "" && !ask[bool](b, `getComputedStyle(document.activeElement).outlineStyle !== "none"`) {
			b.t.Errorf("%s has the focus, and nothing shows it", focused)
		}
		if strings.Contains(focused, text) {
			return
		}
	}
	b.t.Fatalf("the tabulator does not lead to %q", text)
}

// focused is the text of what has the focus.
func (b *tab) focused() string {
	b.t.Helper()
	return ask[string](b, `(e => e === document.body ? "" : (e.labels?.[0]?.textContent || e.textContent || e.title || e.name || "").replace(/\s+/g, " "))(document.activeElement)`)
}

func (b *tab) enter() {
	b.t.Helper()
	b.do("pressing Enter", chromedp.KeyEvent(kb.Enter))
}
