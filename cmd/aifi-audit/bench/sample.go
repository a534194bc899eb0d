package bench

import (
	"math"
	"slices"
	"time"
)

// Sample is a figure that was measured in several turns.
type Sample struct {
	Median float64   `json:"median"`
	Low    float64   `json:"low"`
	High   float64   `json:"high"`
	Values []float64 `json:"values"` // of the turns, in their order
}

// add adds the value of a turn.
func (s *Sample) add(v float64) {
	s.Values = append(s.Values, v)
	sorted := slices.Sorted(slices.Values(s.Values))
	n := len(sorted)
	s.Low, s.High = sorted[0], sorted[n-1]
	s.Median = (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// last is the value of the newest turn.
func (s *Sample) last() float64 { return s.Values[len(s.Values)-1] }

// Target is what a figure, or its ratio to a limit, is to reach.
type Target struct {
	AtLeast float64 `json:"atLeast,omitempty"`
	AtMost  float64 `json:"atMost,omitempty"`
}

// Met reports whether a value reaches it.
func (t Target) Met(v float64) bool {
	return (t.AtLeast == 0 || v >= t.AtLeast) && (t.AtMost == 0 || v <= t.AtMost)
}

// percentile of sorted times, in milliseconds; 0 of none.
func percentile(sorted []time.Duration, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	i := int(math.Ceil(p/100*float64(len(sorted)))) - 1
	return milliseconds(sorted[max(i, 0)])
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }
