package httpapi_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

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
