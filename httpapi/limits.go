package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"aifi-audit/store"
)

// Limits keep the server up on the open internet. A field that is 0 has the default.
type Limits struct {
	HeaderBytes   int           // of a request line and its headers; 64 KiB
	HeaderTimeout time.Duration // for all of them to arrive; 10 s
	ReadTimeout   time.Duration // for a whole request to arrive; 1 min
	WriteTimeout  time.Duration // for an answer to be accepted; of an export, a part of it; 2 min
	IdleTimeout   time.Duration // how long a connection is kept between requests; 11 min, which is longer than proxies keep one
	Connections   int           // at a time; 2048
	BodyMemory    int64         // bytes of webhooks' bodies held at a time; 128 MiB
	Exports       int           // at a time; 4
	IngestRate    float64       // webhooks a second with one token; 0 is no limit, since what is refused is lost
	StaffRate     float64       // requests a second with one token of staff; 0 is no limit
}

// WithDefaults fills in what is 0.
func (l Limits) WithDefaults() Limits {
	l.HeaderBytes = cmp.Or(l.HeaderBytes, 64<<10)
	l.HeaderTimeout = cmp.Or(l.HeaderTimeout, 10*time.Second)
	l.ReadTimeout = cmp.Or(l.ReadTimeout, time.Minute)
	l.WriteTimeout = cmp.Or(l.WriteTimeout, 2*time.Minute)
	l.IdleTimeout = cmp.Or(l.IdleTimeout, 11*time.Minute)
	l.Connections = cmp.Or(l.Connections, 2048)
	l.BodyMemory = cmp.Or(l.BodyMemory, 128<<20)
	l.Exports = cmp.Or(l.Exports, 4)
	return l
}

// burstSeconds is how many seconds' worth of requests may come at once.
const burstSeconds = 5

// Server is an HTTP server for the API within its limits. It speaks HTTP/1.1 only:
// without TLS nobody needs HTTP/2, whose streams no limit on connections bounds.
func (a *API) Server() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	crowd := &crowd{most: a.limits.Connections, metrics: a.metrics, now: time.Now}
	crowd.changed.L = &crowd.mu
	return &http.Server{
		Handler:           a,
		Protocols:         protocols,
		ReadHeaderTimeout: a.limits.HeaderTimeout,
		ReadTimeout:       a.limits.ReadTimeout,
		WriteTimeout:      a.limits.WriteTimeout,
		IdleTimeout:       a.limits.IdleTimeout,
		MaxHeaderBytes:    a.limits.HeaderBytes,
		ConnContext:       crowd.greet,
		ConnState:         crowd.state,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
}

// rates are the rates of requests of each token.
type rates struct {
	ingest, staff float64

	mu      sync.Mutex
	byToken map[rateKey]*rate.Limiter // guarded by mu; as many as there are tokens
}

type rateKey struct {
	token  int64
	ingest bool
}

// wait is how long a request must wait for its turn; 0 lets it pass.
func (l *rates) wait(token int64, right store.Right, now time.Time) time.Duration {
	k := rateKey{token, right == store.MayIngest}
	perSecond := l.staff
	if k.ingest {
		perSecond = l.ingest
	}
	if perSecond <= 0 {
		return 0
	}
	l.mu.Lock()
	limiter := l.byToken[k]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Limit(perSecond), int(math.Ceil(perSecond*burstSeconds)))
		l.byToken[k] = limiter
	}
	l.mu.Unlock()
	turn := limiter.ReserveN(now, 1)
	delay := turn.DelayFrom(now)
	if delay > 0 {
		turn.CancelAt(now)
	}
	return delay
}

// tooFast is the problem of a token whose turn has not come.
func tooFast(delay time.Duration) *Problem {
	p := problem(http.StatusTooManyRequests, "rate-limited", "Too many requests", "The token is used more often than it may be.")
	p.retryAfter = int(math.Ceil(delay.Seconds()))
	return p
}

// bodyPatience is how long a webhook waits for memory: to wait is better than to
// refuse, since it is sent once.
const bodyPatience = 10 * time.Second

// strangersShare is one byte in so many of the memory for bodies: who has no token that
// is known to be good gets no more.
const strangersShare = 4

// bodies bounds the memory that bodies of webhooks take.
type bodies struct {
	free, forStrangers *semaphore.Weighted
	most               int64
	metrics            *metrics
}

func newBodies(most int64, m *metrics) *bodies {
	return &bodies{free: semaphore.NewWeighted(most), forStrangers: semaphore.NewWeighted(most / strangersShare), most: most, metrics: m}
}

// takeForStranger is take for who has no token that is known to be good.
func (b *bodies) takeForStranger(ctx context.Context, size int64) (release func(), err error) {
	size = min(size, b.most/strangersShare)
	waiting, cancel := context.WithTimeout(ctx, bodyPatience)
	defer cancel()
	if err := b.forStrangers.Acquire(waiting, size); err != nil {
		return nil, fmt.Errorf("waiting for memory: %w", err)
	}
	releaseAll, err := b.take(ctx, size)
	if err != nil {
		b.forStrangers.Release(size)
		return nil, err
	}
	return func() {
		releaseAll()
		b.forStrangers.Release(size)
	}, nil
}

// take sets memory aside, or fails after a while.
func (b *bodies) take(ctx context.Context, size int64) (release func(), err error) {
	size = min(size, b.most)
	ctx, cancel := context.WithTimeout(ctx, bodyPatience)
	defer cancel()
	if err := b.free.Acquire(ctx, size); err != nil {
		return nil, fmt.Errorf("waiting for memory: %w", err)
	}
	b.metrics.bodyBytes.Add(size)
	return func() {
		b.metrics.bodyBytes.Add(-size)
		b.free.Release(size)
	}, nil
}
