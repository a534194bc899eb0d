package httpapi

import (
	linked "container/list"
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// freshFor is how long a connection may keep the server waiting before it is the first to
// go: until its first request is whole, and then until that shows a good token.
const freshFor = 250 * time.Millisecond

// crowd bounds the connections of a server. One too many takes the place of that
// which has kept the server waiting the longest, so that strangers keep nobody out,
// whether they say nothing, promise a body that does not come, or read no answer. Only
// while all have a good token, or have just come, does it wait. With a connection the
// context of its request ends, so that no handler goes on waiting for who is gone.
type crowd struct {
	most    int
	metrics *metrics
	now     func() time.Time

	mu        sync.Mutex
	changed   sync.Cond           // tells of places that may have become free
	places    map[net.Conn]*place // guarded by mu; one more than are open while that waits
	open      int                 // guarded by mu
	strangers linked.List         // guarded by mu; of those that showed no good token with this request, oldest first
	idle      linked.List         // guarded by mu; of those between requests, oldest first
	undecided linked.List         // guarded by mu; of those whose token cannot be looked up now, oldest first
}

// place is that of a connection.
type place struct {
	crowd  *crowd
	conn   net.Conn
	cancel context.CancelFunc // of all that is done for it

	since time.Time       // guarded by the crowd's mu
	queue *linked.List    // guarded by the crowd's mu; nil while it is not to be turned out
	at    *linked.Element // guarded by the crowd's mu; in queue
}

// placeKey is that of the place of a request's connection in its context.
type placeKey struct{}

// placeOf is the place of a request's connection; nil if no crowd bounds it.
func placeOf(r *http.Request) *place {
	p, _ := r.Context().Value(placeKey{}).(*place)
	return p
}

// greet is an http.Server's ConnContext: it comes before the first state.
func (c *crowd) greet(ctx context.Context, conn net.Conn) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	p := &place{crowd: c, conn: conn, cancel: cancel}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.places == nil {
		c.places = map[net.Conn]*place{}
	}
	c.places[conn] = p
	return context.WithValue(ctx, placeKey{}, p)
}

// state is an http.Server's ConnState. The server accepts no connection while it is
// told of a new one, and tells of a request when its head is whole.
func (c *crowd) state(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.places[conn]
	if p == nil {
		return // it was turned out
	}
	switch state {
	case http.StateNew:
		for c.open >= c.most && !c.turnOut() {
			c.wait()
		}
		c.open++
		c.move(p, &c.strangers)
	case http.StateActive:
		c.move(p, &c.strangers)
	case http.StateIdle:
		c.move(p, &c.idle)
	case http.StateClosed, http.StateHijacked:
		c.leave(p)
	}
	c.metrics.connections.Store(int64(c.open))
}

// serve keeps a connection from being turned out until its request is answered, or it is
// among strangers or the undecided again: it has a good token, or waits for the server.
func (p *place) serve() { p.move(nil) }

// countAsStranger says that a connection showed no good token.
func (p *place) countAsStranger() {
	if p != nil {
		p.move(&p.crowd.strangers)
	}
}

// countAsUndecided says that nobody knows now whether the token of a connection is good: it
// is turned out after all strangers, unless these are fewer.
func (p *place) countAsUndecided() {
	if p != nil {
		p.move(&p.crowd.undecided)
	}
}

func (p *place) move(to *linked.List) {
	if p == nil {
		return
	}
	p.crowd.mu.Lock()
	defer p.crowd.mu.Unlock()
	if p.crowd.places[p.conn] == p {
		p.crowd.move(p, to)
	}
}

// move puts a place at the end of a queue; nil is none. The caller holds mu.
func (c *crowd) move(p *place, to *linked.List) {
	if p.queue != nil {
		p.queue.Remove(p.at)
	}
	p.queue, p.since = to, c.now()
	if to != nil {
		p.at = to.PushBack(p)
	}
	c.changed.Broadcast()
}

// leave gives a place free. The caller holds mu.
func (c *crowd) leave(p *place) {
	c.move(p, nil)
	delete(c.places, p.conn)
	c.open--
	p.cancel()
}

// turnOut closes a connection that the server waits for, if there is any. The caller
// holds mu.
func (c *crowd) turnOut() bool {
	p := c.overdue(&c.strangers)
	if p == nil {
		p = first(&c.idle)
	}
	if p == nil && c.undecidedPrevail() {
		p = c.overdue(&c.undecided)
	}
	if p == nil {
		return false
	}
	c.leave(p)
	_ = p.conn.Close() // the server hears of it by itself
	c.metrics.turnedOut.Inc()
	return true
}

// undecidedPrevail reports whether the undecided are not spared any more: room comes no
// faster than strangers stop being fresh, so there must be enough of these. The caller
// holds mu.
func (c *crowd) undecidedPrevail() bool { return c.undecided.Len() > c.strangers.Len() }

// overdue is the first of a queue if it is no longer fresh, or else nil. The caller holds mu.
func (c *crowd) overdue(queue *linked.List) *place {
	if p := first(queue); p != nil && c.stillFresh(p) <= 0 {
		return p
	}
	return nil
}

// stillFresh is for how long a place is not to be turned out yet. The caller holds mu.
func (c *crowd) stillFresh(p *place) time.Duration { return freshFor - c.now().Sub(p.since) }

// wait waits until something changes, or a connection is no longer fresh. The caller
// holds mu.
func (c *crowd) wait() {
	next := first(&c.strangers)
	if p := first(&c.undecided); c.undecidedPrevail() && (next == nil || p.since.Before(next.since)) {
		next = p
	}
	if next != nil {
		timer := time.AfterFunc(c.stillFresh(next), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.changed.Broadcast()
		})
		defer timer.Stop()
	}
	c.changed.Wait()
}

// first is the place that has been in a queue the longest; nil if it is empty.
func first(l *linked.List) *place {
	if l.Len() == 0 {
		return nil
	}
	return l.Front().Value.(*place)
}
