package simulator

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Ledger remembers what was sent and what the server says it keeps, in about 50 bytes
// a delivery. Its methods may be called from several goroutines.
type Ledger struct {
	mu     sync.Mutex
	kept   []receipt        // guarded by mu
	unsure map[[32]byte]int // guarded by mu; by SHA-256 of the body: sent, but not said to be kept
	first  time.Time        // guarded by mu; the least simulated time
	last   time.Time        // guarded by mu
}

// receipt is what the server says it keeps.
type receipt struct {
	id   uuid.UUID
	sum  [32]byte // SHA-256 of the body
	list byte     // in which its event is to be found: an index of lists, or noList
}

// lists are the webhooks whose events are searched for, and where.
var lists = []struct{ webhook, path string }{
	{"restricted-products-interactions", "alcohol-interactions"},
	{"suspected-fraud", "fraud-alerts"},
	{"remote-register", "registrations"},
}

const noList = 255

// Add notes a delivery and its answer. It is made for RunConfig.Answered.
func (l *Ledger) Add(d Delivery, a Answer) {
	sum := sha256.Sum256(d.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first.IsZero() || d.At.Before(l.first) {
		l.first = d.At
	}
	if d.At.After(l.last) {
		l.last = d.At
	}
	id, err := uuid.Parse(a.DeliveryID)
	if a.Err != nil || err != nil {
		if l.unsure == nil {
			l.unsure = map[[32]byte]int{}
		}
		l.unsure[sum]++
		return
	}
	r := receipt{id: id, sum: sum, list: noList}
	for i, list := range lists {
		// What is malformed need not state an event.
		if list.webhook == d.Webhook && !d.Malformed {
			r.list = byte(i)
		}
	}
	l.kept = append(l.kept, r)
}

// Kept is how many deliveries the server says it keeps.
func (l *Ledger) Kept() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.kept)
}

// receivedAt is the time that an id carries, in whole milliseconds.
func receivedAt(id uuid.UUID) time.Time {
	ms := int64(id[0])<<40 | int64(id[1])<<32 | int64(id[2])<<24 | int64(id[3])<<16 | int64(id[4])<<8 | int64(id[5])
	return time.UnixMilli(ms)
}
