package httpapi_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/remote"
)

// report is what is read of Lighthouse's.
type report struct {
	FinalDisplayedURL string
	Categories        map[string]struct {
		Score     float64
		AuditRefs []struct {
			ID     string
			Weight float64
		}
	}
	Audits map[string]struct {
		Title        string
		Score        *float64
		NumericValue float64
		DisplayValue string
	}
}

// TestLighthouse has Lighthouse look at each kind of page as on a phone with a slow line. It
// opens them in the browser of the test, in which somebody is signed in.
func TestLighthouse(t *testing.T) {
	const least = 0.95
	program := npmTool(t, "LIGHTHOUSE", "lighthouse", lighthouseVersion, "cli/index.js")
	s := serve(t)
	fillTo(t, s, 60)
	b := s.browse(t, remote.WebSocket)
	active, err := os.ReadFile(filepath.Join(b.profile, "DevToolsActivePort"))
	if err != nil {
		t.Fatal(err)
	}
	port, _, _ := strings.Cut(string(active), "\n")
	// How long the server takes is not Lighthouse's to measure: the machine is busy
	// with other tests, and there is a benchmark for it.
	latency := filepath.Join(t.TempDir(), "latency.json")
	if err := os.WriteFile(latency, fmt.Appendf(nil, `{"additionalRttByOrigin": {%q: 0}, "serverResponseTimeByOrigin": {%[1]q: 50}}`, s.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	audit := func(path string) {
		began := time.Now()
		// Now and then Lighthouse loses the browser, or its patience with it, and says nothing
		// of the page.
		var out []byte
		for try := 1; ; try++ {
			var said strings.Builder
			lighthouse := exec.CommandContext(t.Context(), "node", program, s.URL+path, "--port="+port, "--output=json", "--output-path=stdout", "--quiet",
				"--only-categories=performance,accessibility,best-practices", "--disable-full-page-screenshot", "--precomputed-lantern-data-path="+latency)
			lighthouse.Stderr = &said
			var err error
			if out, err = lighthouse.Output(); err == nil {
				break
			}
			if try == 3 {
				t.Fatalf("%s: %v\n%s", path, err, said.String())
			}
			t.Logf("%s: it is tried again: %v\n%s", path, err, said.String())
		}
		var r report
		if err := json.Unmarshal(out, &r); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if r.FinalDisplayedURL != s.URL+path {
			t.Errorf("%s: Lighthouse has seen %s", path, r.FinalDisplayedURL)
		}
		line := ""
		for _, name := range []string{"performance", "accessibility", "best-practices"} {
			category := r.Categories[name]
			line += fmt.Sprintf(" %s %.0f", name, category.Score*100)
			// How long the browser takes for a page is of the machine's neighbours too: the
			// score is told, and what it is made of that is the page's own is held.
			if category.Score >= least || name == "performance" {
				continue
			}
			t.Errorf("%s: %s %.2f", path, name, category.Score)
			for _, ref := range category.AuditRefs {
				if a := r.Audits[ref.ID]; ref.Weight > 0 && a.Score != nil && *a.Score < 1 {
					t.Logf("  %s: %.2f %s %s", ref.ID, *a.Score, a.Title, a.DisplayValue)
				}
			}
		}
		if shift, weight := r.Audits["cumulative-layout-shift"], r.Audits["total-byte-weight"]; shift.NumericValue > still || weight.NumericValue <= 0 || weight.NumericValue > heavy {
			t.Errorf("%s: its layout shifts by %v, and it has %v bytes", path, shift.NumericValue, weight.NumericValue)
		}
		t.Logf("%-60s%s, %.0f bytes, LCP %s, TBT %s, CLS %s (%.1f s)", path, line, r.Audits["total-byte-weight"].NumericValue,
			r.Audits["largest-contentful-paint"].DisplayValue, r.Audits["total-blocking-time"].DisplayValue, r.Audits["cumulative-layout-shift"].DisplayValue, time.Since(began).Seconds())
	}
	audit("/sign-in")
	b.signIn(s.reviewer(t))
	for _, path := range pagesByKind(t, s) {
		audit(path)
	}
}

// pagesByKind is a page of each layout: the overview, a list, a story, a delivery. What
// is looked at on every page, in less time, is in TestEveryPageIsAccessible and
// TestNoPageIsHeavyOrShifts.
func pagesByKind(t testing.TB, s *server) []string {
	t.Helper()
	return []string{
		"/", "/alcohol-interactions", "/sessions/night?storeId=7",
		"/deliveries/" + delivered(t, s, "night", "suspected-fraud"),
	}
}
