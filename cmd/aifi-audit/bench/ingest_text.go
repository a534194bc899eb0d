package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

func (m *Ingest) write(w io.Writer) error {
	var t table
	t.add("", "a second", "server is", "target", "p50 ms", "p99 ms", "client", "server", "PostgreSQL", "others")
	for _, s := range append([]*Stretch{&m.Server}, m.Limits...) {
		ratio := s.Ratio.text()
		if ratio != "" {
			ratio += " times"
		}
		t.add(s.Name, s.Rate.text(), ratio, s.Target.text(s.Ratio), s.P50.median(), s.P99.median(),
			s.CPU.Client.median(), s.CPU.Server.median(), s.CPU.PostgreSQL.median(), percent(s.CPU.Others))
	}
	if _, err := fmt.Fprintln(w, "\nIngest. The last columns: microseconds of processor time a delivery, by whom; and the share of the machine that others used."); err != nil {
		return err
	}
	if err := t.write(w); err != nil {
		return err
	}
	var answers []string
	for _, status := range slices.Sorted(maps.Keys(m.Answers)) {
		answers = append(answers, fmt.Sprintf("%d times %d", m.Answers[status], status))
	}
	_, err := fmt.Fprintf(w, "  A delivery: a body of %s bytes, %s rows in all tables, %s bytes of write-ahead log. Answers: %s. All was in the signed log %s s after the last.\n",
		m.BodyBytes.median(), m.RowsPerDelivery.median(), m.WALBytes.median(), strings.Join(answers, ", "), m.LogBehindSeconds.median())
	for _, s := range append([]*Stretch{&m.Server}, m.Limits...) {
		if err == nil {
			_, err = fmt.Fprintf(w, "  %s: %s.\n", s.Name, s.About)
		}
	}
	return err
}

func percent(s *Sample) string {
	if s == nil || len(s.Values) == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", 100*s.Median)
}
