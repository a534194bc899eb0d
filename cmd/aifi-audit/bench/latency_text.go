package bench

import (
	"fmt"
	"io"
)

func (m *Latency) write(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "\nLatency: webhooks come at instants of their own, at a share of %s a second. Milliseconds from that instant to the answer.\n", number(m.Capacity)); err != nil {
		return err
	}
	var t table
	t.add("", "a second", "p50", "p99", "target", "p99.9", "longest", "late")
	for _, l := range m.Levels {
		for _, side := range []struct {
			name   string
			times  *Times
			target *Target
		}{{fmt.Sprintf("aifi-audit serve at %.0f %%", 100*l.Share), &l.Server, l.Target}, {"HTTP alone, at the same instants", &l.HTTPAlone, nil}} {
			t.add(side.name, side.times.Rate.median(), side.times.P50.text(), side.times.P99.text(), side.target.text(&side.times.P99),
				side.times.P999.text(), side.times.Max.text(), side.times.Late.median())
		}
	}
	if err := t.write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "  late: p99 of the part that was over before the webhook was sent. HTTP alone is a server that reads the body and answers: what it takes, the machine takes.")
	return err
}
