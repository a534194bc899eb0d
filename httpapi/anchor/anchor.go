// Package anchor takes checkpoints of the log out of the reach of who runs it: into a
// file, to a URL, and to witnesses, who cosign them. What lies there contradicts
// whoever rewrites the log later and signs it again.
//
//   - All places are given the same checkpoints: the newest, at most one every
//     Config.Every. Those in between are not needed: each continues all before it.
//   - Each place has its own pace. While one fails, it is tried again and again, with
//     the newest, and the others do not notice. Nor does whoever signs the log.
//   - Whoever starts to sign anchors at once what was signed last: what a crash left
//     behind is made up for.
package anchor

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aifi-audit/store"
	"aifi-audit/store/translog"
)

const (
	// DefaultEvery is how often checkpoints are anchored, at most.
	DefaultEvery = time.Minute
	// lastTry is how long Flush tries.
	lastTry = 5 * time.Second
)

// Config says where checkpoints go. An empty one is of no place.
type Config struct {
	File      string // to append to; made if it is missing
	URL       *url.URL
	Token     func() (string, error) // for the URL: a bearer token, read anew each time; nil or "" is none
	Witnesses []Witness              // whose names differ
	Every     time.Duration          // 0 is DefaultEvery

	Logger   *slog.Logger          // nil discards
	Registry prometheus.Registerer // nil counts into nothing
	Client   *http.Client          // for tests: what it trusts; nil trusts what the machine does
	Now      func() time.Time      // nil is time.Now
}

// Witness is one to ask for cosignatures.
type Witness struct {
	Key translog.Witness
	URL *url.URL // the submission prefix: add-checkpoint comes behind it
}

// Anchors are the places where checkpoints go. Make them with New, give Published to the
// store, Start them with the store that signs, and Flush after that is closed.
type Anchors struct {
	every   time.Duration
	places  []*place
	offered latest
}

// latest holds the newest checkpoint until somebody takes it.
type latest struct {
	mu   sync.Mutex
	c    translog.Checkpoint // guarded by mu; zero: none
	wake chan struct{}
}

func (l *latest) put(c translog.Checkpoint) {
	l.mu.Lock()
	l.c = c
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default: // already told
	}
}

func (l *latest) take() translog.Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.c
	l.c = translog.Checkpoint{}
	return c
}

// New makes the anchors.
func New(c Config) (*Anchors, error) {
	if c.Every == 0 {
		c.Every = DefaultEvery
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &Anchors{every: c.Every, offered: latest{wake: make(chan struct{}, 1)}}
	client := newClient(c.Client)
	add := func(to string, s sender) {
		a.places = append(a.places, newPlace(to, s, c))
	}
	if c.File != "" {
		add("file", &appender{path: c.File})
	}
	if c.URL != nil {
		if err := checkURL(c.URL); err != nil {
			return nil, err
		}
		add("url", &poster{client: client, url: c.URL.String(), token: c.Token})
	}
	names := map[string]bool{}
	for _, w := range c.Witnesses {
		if err := checkURL(w.URL); err != nil {
			return nil, err
		}
		if names[w.Key.Name()] {
			return nil, errors.New("there are two witnesses of the name " + w.Key.Name())
		}
		names[w.Key.Name()] = true
		add(w.Key.Name(), &asker{client: client, key: w.Key, url: w.URL.JoinPath("add-checkpoint").String(), known: -1})
	}
	return a, nil
}

// Published takes a checkpoint to be anchored. It never waits.
func (a *Anchors) Published(_ context.Context, c translog.Checkpoint) { a.offered.put(c) }

// Start anchors what is published from now on, until stop, which waits for what is under
// way. The store must not be closed before that.
func (a *Anchors) Start(ctx context.Context, s *store.Store) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	for _, p := range a.places {
		if w, ok := p.sender.(*asker); ok {
			w.store = s
		}
		work.Go(func() { p.run(ctx) })
	}
	work.Go(func() {
		for wait(ctx, a.offered.wake) {
			a.offer()
			pause(ctx, a.every)
		}
	})
	return func() {
		cancel()
		work.Wait()
	}
}

func (a *Anchors) offer() {
	if c := a.offered.take(); c.N > 0 {
		for _, p := range a.places {
			p.offer(c)
		}
	}
}

// Flush tries once more, for a few seconds, to anchor what was published last; but for
// witnesses, who cannot be asked without the store. Start must have been stopped.
func (a *Anchors) Flush() {
	a.offer()
	ctx, cancel := context.WithTimeout(context.Background(), lastTry)
	defer cancel()
	var work sync.WaitGroup
	for _, p := range a.places {
		if _, ok := p.sender.(*asker); !ok {
			work.Go(func() { _ = p.try(ctx) }) // it is logged
		}
	}
	work.Wait()
}

// Status is how each place does.
func (a *Anchors) Status() []Status {
	if a == nil {
		return nil
	}
	all := make([]Status, len(a.places))
	for i, p := range a.places {
		all[i] = p.Status()
	}
	return all
}

// wait is false if ctx ended.
func wait(ctx context.Context, wake <-chan struct{}) bool {
	select {
	case <-ctx.Done():
		return false
	case <-wake:
		return true
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
