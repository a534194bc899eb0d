package httpapi_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// axe is the source of axe-core.
func axe(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(npmTool(t, "AXE_CORE", "axe-core", axeVersion, "axe.min.js"))
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

// Ids can be a digit, and flags as long as AiFi likes.
func TestShortAndLongValuesHaveRoom(t *testing.T) {
	source := axe(t)
	s := serve(t)
	s.push(t, "restricted-products-interactions", `{"storeId":7,"sessionId":"1","timeOfOrigin":"2026-01-02T03:04:05Z","customer":{"id":"5"},"productIds":["1","2","3","4"],"gondolaIds":[1,2,3,4],"shopper":{"shopperFlags":["A","`+strings.Repeat("LONG_", 40)+`"]}}`)
	b := s.browse(t)
	b.signIn(s.reviewer(t))
	for _, path := range []string{"/alcohol-interactions", "/sessions", "/sessions/1?storeId=7"} {
		b.open(path)
		ask[any](b, source+"; 0")
		for _, v := range violationsOf(b, "document") {
			t.Errorf("%s: %s (%s)\n  %s", path, v.Help, v.ID, strings.Join(v.Nodes, "\n  "))
		}
		if wider := ask[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wider > 0 {
			t.Errorf("%s is %d pixels wider than the window", path, wider)
		}
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
