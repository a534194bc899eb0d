package httpapi

import (
	linked "container/list"
	"net"
	"net/http"
	"sync"
	"time"
)

// freshFor is how long a new connection may send nothing before it is the first to go.
const freshFor = 250 * time.Millisecond

// crowd bounds the connections of a server. One too many takes the place of that
// which has kept the server waiting the longest, so that those who connect and say
// nothing keep nobody out. Only while all are in a request, or have just come, does
// it wait.
type crowd struct {
	most    int
	metrics *metrics
	now     func() time.Time

	mu      sync.Mutex
	changed sync.Cond           // tells of places that may have become free
	open    map[net.Conn]*place // guarded by mu
	fresh   linked.List         // guarded by mu; of those without a whole request yet, oldest first
	idle    linked.List         // guarded by mu; of those between requests, oldest first
}

// place is that of a connection; all of it is guarded by the crowd's mu.
type place struct {
	conn  net.Conn
	since time.Time
	queue *linked.List    // nil while it is in a request
	at    *linked.Element // in queue
}

// state is an http.Server's ConnState. The server accepts no connection while it is
// told of a new one, and tells of a request when its head is whole.
func (c *crowd) state(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		for len(c.open) >= c.most && !c.turnOut() {
			c.wait()
		}
		if c.open == nil {
			c.open = map[net.Conn]*place{}
		}
		c.open[conn] = &place{conn: conn}
		c.queue(conn, &c.fresh)
	case http.StateActive:
		c.queue(conn, nil)
	case http.StateIdle:
		c.queue(conn, &c.idle)
	case http.StateClosed, http.StateHijacked:
		c.queue(conn, nil)
		delete(c.open, conn)
	}
	c.metrics.connections.Store(int64(len(c.open)))
	c.changed.Broadcast()
}

// queue puts a connection at the end of a queue; nil is none. The caller holds mu.
func (c *crowd) queue(conn net.Conn, to *linked.List) {
	p := c.open[conn]
	if p == nil {
		return // it was turned out
	}
	if p.queue != nil {
		p.queue.Remove(p.at)
	}
	p.queue, p.since = to, c.now()
	if to != nil {
		p.at = to.PushBack(p)
	}
}

// turnOut closes a connection that the server waits for, if there is any. The caller
// holds mu.
func (c *crowd) turnOut() bool {
	p := first(&c.fresh)
	if p == nil || c.now().Sub(p.since) < freshFor {
		p = first(&c.idle)
	}
	if p == nil {
		return false
	}
	p.queue.Remove(p.at)
	delete(c.open, p.conn)
	_ = p.conn.Close() // the server hears of it by itself
	c.metrics.turnedOut.Inc()
	return true
}

// wait waits until something changes, or a connection is no longer fresh. The caller
// holds mu.
func (c *crowd) wait() {
	if p := first(&c.fresh); p != nil {
		timer := time.AfterFunc(freshFor-c.now().Sub(p.since), func() {
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
