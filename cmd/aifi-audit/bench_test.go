package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

func TestBenchLatencyAndStorage(t *testing.T) {
	report, _ := benchmarked(t, "--only=latency,storage")
	if report.Ingest != nil || report.Latency == nil || report.Storage == nil {
		t.Fatalf("there are other measurements than asked for: %+v", report)
	}
	if len(report.Latency.Levels) != 3 {
		t.Errorf("the levels are %+v", report.Latency.Levels)
	}
	for _, level := range report.Latency.Levels {
		for _, side := range []bench.Times{level.Server, level.HTTPAlone} {
			positive(t, "the rate", &side.Rate)
			positive(t, "p50", &side.P50)
			positive(t, "p99.9", &side.P999)
			if side.P50.Low > side.P99.High || side.P99.Median > side.Max.High {
				t.Errorf("the percentiles are %+v", side)
			}
		}
	}
	s := report.Storage
	if s.Deliveries < 1 || s.BodyBytes < 100 || s.WALBytes < s.BodyBytes || s.Written.Bytes < s.BodyBytes/4 || s.Written.Ratio != s.Written.Bytes/s.BodyBytes {
		t.Errorf("storage is %+v", s)
	}
	written, rebuilt := 0.0, 0.0
	indexes := 0
	for _, table := range s.Tables {
		written += table.Rows + table.Toast
		rebuilt += table.Rows + table.Toast
		for _, index := range table.Indexes {
			written += index.Written
			rebuilt += index.Rebuilt
			indexes++
		}
	}
	if !about(written, s.Written.Bytes) || !about(rebuilt, s.Rebuilt.Bytes) || rebuilt > written || indexes == 0 {
		t.Errorf("tables and indexes take %+v, then %+v, and one by one %v and %v", s.Written, s.Rebuilt, written, rebuilt)
	}
	if !slices.ContainsFunc(s.Tables, func(t *bench.TableSize) bool { return t.Name == "delivery_bodies" && t.Rows+t.Toast > s.BodyBytes/8 }) {
		t.Errorf("the bodies take too little: %+v", s.Tables)
	}
}

func about(a, b float64) bool { return a > b*0.99 && a < b*1.01 }

func TestBenchSearchAndExport(t *testing.T) {
	report, text := benchmarked(t, "--only=search,export", "--events=6e3,2e3", "--months=1", "--requests=2")
	s := report.Search
	if s == nil || report.Export == nil {
		t.Fatalf("there are other measurements than asked for: %+v", report)
	}
	if diff := cmp.Diff([]int{2000, 6000}, s.Sizes); diff != "" {
		t.Errorf("the sizes (-want +got):\n%s", diff)
	}
	places := map[string]int{}
	for _, p := range slices.Concat(s.LookUps, s.Pages) {
		places[p.Place]++
		if len(p.At) != 2 || p.Growth <= 0 || p.Place != "" && p.LookUps <= 0 {
			t.Errorf("a page is %+v", p)
		}
		for _, at := range p.At {
			if at.P50 <= 0 || at.P99 < at.P50 || p.Place != "" && at.Bytes == 0 || p.Place == "deep" && at.Depth == 0 {
				t.Errorf("a page is %+v", p)
			}
		}
		if !strings.Contains(text, p.Name) {
			t.Errorf("%s is not told", p.Name)
		}
	}
	if places[""] != 2 || places["first"] < 40 || places["next"] < 10 || places["deep"] == 0 {
		t.Errorf("the pages are %v", places)
	}
	x := report.Export
	positive(t, "the rate of the server", &x.Server.Rows)
	positive(t, "the rate of psql", &x.PSQL.Rows)
	positive(t, "the ratio", &x.Ratio)
	if x.Rows != 5400 {
		t.Errorf("%d rows were exported", x.Rows)
	}
}
