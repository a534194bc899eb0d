package simulator

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// Report says what was sent and what was answered.
type Report struct {
	Sent      int
	Malformed int // of those sent
	Bytes     int64
	Elapsed   time.Duration
	Webhooks  map[string]int
	Answers   map[string]int // by HTTP status and what became of the delivery
	Failed    int            // without an answer
	LastError error
	P50, P99  time.Duration
	Slowest   time.Duration
}

// Rate is deliveries a second.
func (r Report) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Sent) / r.Elapsed.Seconds()
}

// WriteText writes the report for people.
func (r Report) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "sent\t%d deliveries, %d of them malformed, %.1f MB in %s: %.0f/s\n",
		r.Sent, r.Malformed, float64(r.Bytes)/1e6, r.Elapsed.Round(time.Millisecond), r.Rate())
	fmt.Fprintf(w, "answered in\tmedian %s, 99 %% within %s, slowest %s\n", r.P50.Round(time.Microsecond), r.P99.Round(time.Microsecond), r.Slowest.Round(time.Microsecond))
	for _, name := range slices.Sorted(maps.Keys(r.Webhooks)) {
		fmt.Fprintf(w, "  %s\t%d\n", name, r.Webhooks[name])
	}
	for _, answer := range slices.Sorted(maps.Keys(r.Answers)) {
		fmt.Fprintf(w, "answer %s\t%d\n", answer, r.Answers[answer])
	}
	if r.Failed > 0 {
		fmt.Fprintf(w, "without an answer\t%d (the last: %v)\n", r.Failed, r.LastError)
	}
	return w.Flush()
}

type tally struct {
	mu        sync.Mutex // guards all below
	start     time.Time
	r         Report
	latencies []time.Duration
}

func newTally() *tally {
	return &tally{start: time.Now(), r: Report{Webhooks: map[string]int{}, Answers: map[string]int{}}}
}

func (t *tally) add(d Delivery, a Answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.r.Sent++
	t.r.Bytes += int64(len(d.Body))
	t.r.Webhooks[d.Webhook]++
	if d.Malformed {
		t.r.Malformed++
	}
	if a.Err != nil {
		t.r.Failed++
		t.r.LastError = a.Err
		return
	}
	answer := fmt.Sprint(a.Status)
	if a.State != "" {
		answer += " " + a.State
	}
	t.r.Answers[answer]++
	t.latencies = append(t.latencies, a.Received.Sub(a.Sent))
}

// progress is the report without the latencies, which cost a sort.
func (t *tally) progress() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.r
	r.Webhooks, r.Answers = maps.Clone(r.Webhooks), maps.Clone(r.Answers)
	r.Elapsed = time.Since(t.start)
	return r
}

func (t *tally) report() Report {
	r := t.progress()
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.latencies); n > 0 {
		sorted := slices.Sorted(slices.Values(t.latencies))
		r.P50, r.P99, r.Slowest = sorted[n/2], sorted[n*99/100], sorted[n-1]
	}
	return r
}
