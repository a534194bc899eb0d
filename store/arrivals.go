package store

import (
	"maps"
	"strconv"
	"sync"
	"time"

	"aifi-audit/store/aifi"
)

// maxSeries bounds the stores and webhooks that are told apart: senders choose store
// ids. The stores of the rest are one.
const maxSeries = 2000

// arrivalSkew is how far the clocks of several servers may be apart, and what one of them
// received be of the present for the others.
const arrivalSkew = time.Minute

// series is one webhook of one store.
type series struct {
	storeID int64
	rest    bool // of all stores that there was no room for
	webhook string
}

func (k series) storeLabel() string {
	if k.rest {
		return "other"
	}
	return strconv.FormatInt(k.storeID, 10)
}

// arrival is what is known of a series without the database.
type arrival struct {
	last   time.Time      // when the last delivery came
	lag    *time.Duration // that delivery's, from AiFi's timeOfIssue; nil if unknown
	missed float64        // as the database told last, unless one came since
}

// arrivals remembers the last delivery of each series, so that silence can be told
// while the database is away. What seems to come after now was received while a clock was
// ahead, and does not count: silence would not be told until then.
type arrivals struct {
	now   func() time.Time
	mu    sync.Mutex
	known map[series]arrival // guarded by mu; at most maxSeries, and the rest of each webhook
}

// watched is what metrics and arrivals tell of a delivery.
type watched struct {
	series      series
	arrival     arrival
	quarantined aifi.Reason // why it goes to quarantine; "" if it does not, or is there
}

// watched is to be called by who owns the delivery.
func (p *pending) watched() watched {
	w := watched{series{storeID: p.storeID(), webhook: webhookLabel(p.delivery.Webhook)}, arrival{last: p.receivedAt}, ""}
	if p.problem != nil && p.replayed == nil {
		w.quarantined = p.problem.Reason
	}
	// By AiFi's clock and ours; where AiFi's is ahead, none.
	if s := p.statement; s != nil && !s.TimeOfIssue.IsZero() {
		lag := max(0, p.receivedAt.Sub(s.TimeOfIssue))
		w.arrival.lag = &lag
	}
	return w
}

// note notes a delivery that is kept, unless a later one of its series was.
func (a *arrivals) note(w watched) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.put(w.series, w.arrival)
}

// seed notes what the database knows. There is always room for what is silent.
func (a *arrivals) seed(found []Traffic) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range found {
		k := series{storeID: t.StoreID, webhook: t.Webhook}
		if _, ok := a.known[k]; !ok && t.Silent() {
			a.makeRoom()
		}
		a.put(k, arrival{last: t.LastAt})
		if have, ok := a.known[k]; ok && !have.last.After(t.LastAt) {
			have.missed = t.Missed
			a.known[k] = have
		}
	}
}

// makeRoom forgets a series that is not silent, if there is no room for another. It is
// called with mu held.
func (a *arrivals) makeRoom() {
	if len(a.known) < maxSeries {
		return
	}
	for k, have := range a.known {
		if !k.rest && have.missed < SilentAfter {
			delete(a.known, k)
			return
		}
	}
}

// aheadOfTime reports whether a delivery was received by a clock that was ahead.
func (a *arrivals) aheadOfTime(when arrival) bool { return when.last.After(a.now().Add(arrivalSkew)) }

// put is called with mu held.
func (a *arrivals) put(k series, now arrival) {
	if a.known == nil {
		a.known = map[series]arrival{}
	}
	have, ok := a.known[k]
	if !ok && len(a.known) >= maxSeries {
		k = series{rest: true, webhook: k.webhook}
		have = a.known[k]
	}
	if !a.aheadOfTime(now) && (now.last.After(have.last) || a.aheadOfTime(have)) {
		a.known[k] = now
	}
}

// all is a copy of what is known.
func (a *arrivals) all() map[series]arrival {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := maps.Clone(a.known)
	maps.DeleteFunc(all, func(_ series, have arrival) bool { return a.aheadOfTime(have) })
	return all
}
