package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSample(t *testing.T) {
	var s Sample
	for _, step := range []struct{ add, median, low, high float64 }{{3, 3, 3, 3}, {1, 2, 1, 3}, {2, 2, 1, 3}, {10, 2.5, 1, 10}} {
		s.add(step.add)
		if s.Median != step.median || s.Low != step.low || s.High != step.high {
			t.Errorf("after %v: %+v", step.add, s)
		}
	}
	if diff := cmp.Diff([]float64{3, 1, 2, 10}, s.Values); diff != "" {
		t.Error(diff)
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i+1) * time.Millisecond
	}
	for _, c := range []struct {
		of   []time.Duration
		p    float64
		want float64
	}{
		{nil, 99, 0}, {hundred[:1], 50, 1}, {hundred[:1], 99.9, 1}, {hundred, 50, 50}, {hundred, 99, 99}, {hundred, 99.9, 100}, {hundred, 100, 100}, {hundred[:3], 50, 2},
	} {
		if got := percentile(c.of, c.p); got != c.want {
			t.Errorf("p%v of %d times is %v, not %v", c.p, len(c.of), got, c.want)
		}
	}
}

func TestTarget(t *testing.T) {
	var s Sample
	s.add(0.7)
	for _, c := range []struct {
		target Target
		want   string
	}{{Target{AtLeast: 0.6}, "at least 0.60: yes"}, {Target{AtLeast: 1.5}, "at least 1.50: NO"}, {Target{AtMost: 0.5}, "at most 0.50: NO"}, {Target{AtMost: 15}, "at most 15.0: yes"}} {
		if got := c.target.text(&s); got != c.want {
			t.Errorf("it says %q, not %q", got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	var w strings.Builder
	var tab table
	tab.add("", "µs", "ratio")
	tab.add("long name", "12.5", "")
	tab.add("x", "7", "0.61 times")
	if err := tab.write(&w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("               µs       ratio\n  long name  12.5\n  x             7  0.61 times\n", w.String()); diff != "" {
		t.Error(diff)
	}
}
