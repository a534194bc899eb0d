package main

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store/storetest"
)

var ourMetrics = regexp.MustCompile(`\baifi_audit_[a-z_]+`)

// metrics are the names of ours that the program serves, once all have a value.
func metrics(t *testing.T) map[string]bool {
	t.Helper()
	db := "--database-url=" + storetest.URL(t)
	url := started(t, "serve", "--listen=127.0.0.1:0", "--data-dir="+t.TempDir(), "--log-anchor-file="+filepath.Join(t.TempDir(), "anchors"), db)
	ingest := strings.TrimSpace(command(t, "token", "create", "--name=AiFi", "--scope=ingest", db))
	command(t, "simulate", "--url="+url, "--token="+ingest, "--rate=0", "--count=10")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "# TYPE aifi_audit_"); ok {
			name, _, _ := strings.Cut(rest, " ")
			names["aifi_audit_"+name] = true
		}
	}
	return names
}

// What rules and dashboard name is served, and what is served the README explains.
func TestMetricsAreNamedAlike(t *testing.T) {
	served := metrics(t)
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "\n## Metrics\n")
	table, _, _ = strings.Cut(table, "\n## ")
	documented := map[string]bool{}
	for _, name := range ourMetrics.FindAllString(table, -1) {
		documented[name] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(served)), slices.Sorted(maps.Keys(documented))); diff != "" {
		t.Errorf("served, and in the README:\n%s", diff)
	}
	for _, what := range []string{"rules", "dashboard"} {
		names := ourMetrics.FindAllString(command(t, "monitoring", what), -1)
		if len(names) < 15 {
			t.Errorf("%s name %v only", what, names)
		}
		for _, name := range names {
			histogram := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
			if !served[name] && !served[histogram] {
				t.Errorf("%s name %s, which is not served", what, name)
			}
		}
	}
}

// Each alert is in the README, and has a test in which it is raised.
func TestAlertsAreTestedAndDocumented(t *testing.T) {
	tests, err := os.ReadFile("monitoring/rules_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	raised := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^      - alertname: (\w+)\n        eval_time: \w+\n        exp_alerts:\n          - exp_labels`).FindAllStringSubmatch(string(tests), -1) {
		raised[m[1]] = true
	}
	alerts := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(command(t, "monitoring", "rules"), -1)
	if len(alerts) < 15 {
		t.Fatalf("only %d alerts", len(alerts))
	}
	for _, a := range alerts {
		if !raised[a[1]] {
			t.Errorf("no test raises %s", a[1])
		}
		if !strings.Contains(string(readme), "| `"+a[1]+"` |") {
			t.Errorf("the README does not know %s", a[1])
		}
	}
}

func TestDashboardIsOne(t *testing.T) {
	var d struct {
		Title  string
		Panels []struct {
			ID      int
			Type    string
			Title   string
			Targets []struct{ Expr string }
			GridPos struct{ X, Y, W, H int }
		}
	}
	if err := json.Unmarshal([]byte(command(t, "monitoring", "dashboard")), &d); err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %+v", p)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			if !ourMetrics.MatchString(target.Expr) {
				t.Errorf("%s asks for %q", p.Title, target.Expr)
			}
		}
	}
	if d.Title != "aifi-audit" || len(d.Panels) < 15 {
		t.Errorf("%d panels of %q", len(d.Panels), d.Title)
	}
}
