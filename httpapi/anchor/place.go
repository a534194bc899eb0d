package anchor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aifi-audit/store/translog"
)

const (
	tryTimeout   = 10 * time.Second
	firstPause   = time.Second
	longestPause = 5 * time.Minute
	// failuresLogged is how often failures that go on are logged.
	failuresLogged = 15 * time.Minute
)

// sender brings a checkpoint to a place. It is called by one goroutine at a time.
type sender interface {
	send(ctx context.Context, c translog.Checkpoint) error
}

// errContradicts says that a place knows of another history of the log: it was rolled
// back, or rewritten and signed again.
var errContradicts = errors.New("THE LOG IS NOT WHAT IT WAS")

// place is one place where checkpoints go.
type place struct {
	to       string
	sender   sender
	log      *slog.Logger
	now      func() time.Time
	failures prometheus.Counter
	wake     chan struct{}

	mu      sync.Mutex // guards what follows
	status  Status
	newest  translog.Checkpoint // to be sent; zero: all is
	offered time.Time           // when newest came
	logged  time.Time           // when a failure was logged last
}

// Status is how a place does.
type Status struct {
	To           string    // file, url, or a witness's name
	Size         int64     // of the tree anchored last by this process
	At           time.Time // when; the zero time: not yet
	WaitingSince time.Time // since when a checkpoint has waited to be anchored; the zero time: none does
	Error        string    // why it failed last; "": it did not
	Contradicts  bool      // a witness knows of another history of the log
}

func newPlace(to string, s sender, c Config) *place {
	p := &place{to: to, sender: s, log: c.Logger.With("to", to), now: c.Now, wake: make(chan struct{}, 1), status: Status{To: to}}
	labels := prometheus.Labels{"to": to}
	p.failures = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "aifi_audit_log_anchor_failures_total", Help: "Attempts to anchor a checkpoint that failed.", ConstLabels: labels,
	})
	if c.Registry == nil {
		return p
	}
	gauge := func(name, help string, value func(Status) float64) {
		c.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, func() float64 {
			return value(p.Status())
		}))
	}
	c.Registry.MustRegister(p.failures)
	gauge("aifi_audit_log_anchored_size", "Leaves of the checkpoint that was anchored last, by the process that signs.", func(s Status) float64 { return float64(s.Size) })
	gauge("aifi_audit_log_anchored_timestamp_seconds", "When that was; 0: not yet.", func(s Status) float64 {
		if s.At.IsZero() {
			return 0
		}
		return float64(s.At.UnixMilli()) / 1e3
	})
	gauge("aifi_audit_log_anchor_behind_seconds", "How long a checkpoint has waited to be anchored.", func(s Status) float64 {
		if s.WaitingSince.IsZero() {
			return 0
		}
		return max(0, p.now().Sub(s.WaitingSince).Seconds())
	})
	gauge("aifi_audit_log_anchor_contradicts", "1 if a witness knows of another history of the log: it was rolled back, or signed anew.", func(s Status) float64 {
		if s.Contradicts {
			return 1
		}
		return 0
	})
	return p
}

// Status is how the place does.
func (p *place) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// offer has a checkpoint sent, in the place of one that still waits.
func (p *place) offer(c translog.Checkpoint) {
	p.mu.Lock()
	p.newest, p.offered = c, p.now()
	if p.status.WaitingSince.IsZero() {
		p.status.WaitingSince = p.offered
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default: // already told
	}
}

// run sends until ctx ends.
func (p *place) run(ctx context.Context) {
	for wait(ctx, p.wake) {
		for longest := firstPause; p.try(ctx) != nil && ctx.Err() == nil; longest = min(2*longest, longestPause) {
			pause(ctx, longest/2+rand.N(longest/2)) //nolint:gosec // that many do not try at once needs no secret
		}
	}
}

// try sends the newest checkpoint, if one waits.
func (p *place) try(ctx context.Context) error {
	p.mu.Lock()
	c := p.newest
	p.mu.Unlock()
	if c.N == 0 {
		return nil
	}
	trying, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	err := p.sender.send(trying, c)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return err // stopped
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.failed(err)
		return err
	}
	if p.status.Error != "" {
		p.log.Info("checkpoints of the log are anchored again", "size", c.N)
	}
	p.status = Status{To: p.to, Size: c.N, At: p.now().UTC()}
	if p.newest.N == c.N {
		p.newest = translog.Checkpoint{}
	} else {
		p.status.WaitingSince = p.offered
	}
	return nil
}

// reason is an error without the address or path in it: staff need not know it, and an
// address may be a secret one.
func reason(err error) error {
	var u *url.Error
	var f *fs.PathError
	switch {
	case errors.As(err, &u):
		return u.Err
	case errors.As(err, &f):
		return fmt.Errorf("%s: %w", f.Op, f.Err)
	}
	return err
}

// failed notes a failure, and says so when it is new, and now and then. The caller
// holds mu.
func (p *place) failed(err error) {
	p.failures.Inc()
	now, why := p.now(), reason(err).Error()
	if why != p.status.Error || now.Sub(p.logged) >= failuresLogged {
		p.log.Error("A CHECKPOINT OF THE LOG IS NOT ANCHORED; it is tried again", "error", why, "waiting", now.Sub(p.status.WaitingSince).Round(time.Second))
		p.logged = now
	}
	p.status.Error, p.status.Contradicts = why, errors.Is(err, errContradicts)
}
