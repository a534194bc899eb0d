package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aifi-audit/cmd/aifi-audit/bench"
	"aifi-audit/store/storetest"
)

// benchmarked runs the benchmark as a process, which starts itself again as a server,
// at a size of seconds.
func benchmarked(t *testing.T, args ...string) (bench.Report, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	cmd := exec.CommandContext(t.Context(), "aifi-audit", append([]string{
		"bench", "--database-url=" + storetest.URL(t), "--json=" + file, "--duration=300ms", "--repetitions=2", "--stores=3", "--connections=8",
	}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report bench.Report
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&report); err != nil {
		t.Fatal(err)
	}
	// The PostgreSQL of the tests is fast rather than durable, if it is their own.
	fsync := report.Machine.Settings["fsync"]
	if told := strings.Contains(string(text), "WARNING: fsync is off"); told != (fsync == "off") {
		t.Errorf("fsync is %s, and the warnings are %q", fsync, report.Warnings)
	}
	if report.Machine.Cores == 0 || report.Machine.PostgreSQL == "" || fsync == "" {
		t.Errorf("the machine is %+v", report.Machine)
	}
	return report, string(text)
}

// positive checks a figure of the two turns.
func positive(t *testing.T, what string, s *bench.Sample) {
	t.Helper()
	if s == nil || len(s.Values) != 2 || !(s.Low > 0 && s.Low <= s.Median && s.Median <= s.High) {
		t.Errorf("%s is %+v", what, s)
	}
}

func TestBenchIngest(t *testing.T) {
	report, text := benchmarked(t, "--only=ingest")
	m := report.Ingest
	if m == nil {
		t.Fatal("there is no ingest")
	}
	positive(t, "the rate", &m.Server.Rate)
	positive(t, "p99", m.Server.P99)
	positive(t, "the client's time", m.Server.CPU.Client)
	positive(t, "the size of a body", &m.BodyBytes)
	positive(t, "the log written", &m.WALBytes)
	if m.RowsPerDelivery.Low < 2 {
		t.Errorf("a delivery has %v rows", m.RowsPerDelivery.Low)
	}
	if m.Answers[200] == 0 || len(m.Answers) != 1 {
		t.Errorf("the answers are %v", m.Answers)
	}
	var limits []string
	for _, limit := range m.Limits {
		limits = append(limits, limit.Name)
		positive(t, "the rate of "+limit.Name, &limit.Rate)
		positive(t, "the ratio to "+limit.Name, limit.Ratio)
		if !strings.Contains(text, limit.About) {
			t.Errorf("what %s is, is not told", limit.Name)
		}
	}
	if got := strings.Join(limits, ", "); got != "COPY, INSERT, INSERT over HTTP, HTTP alone" {
		t.Errorf("the limits are %s", got)
	}
}
