package store

import "time"

const (
	seenLimit = 200_000
	// seenEvery is how exact the last_seen_at of stores, products, gondolas and
	// customers is: rewriting them for each event would cost more than the event.
	seenEvery = time.Minute
)

// seen remembers which rows of the catalogue are written, so that most batches need
// not touch them. Its flusher owns it; what a batch adds counts after its commit.
type seen struct {
	rows  map[string]span
	fresh map[string]span // of the batch under way
}

type span struct{ first, last time.Time }

func newSeen() *seen { return &seen{rows: map[string]span{}, fresh: map[string]span{}} }

// needs reports whether the row named by key has to be written for time at.
func (s *seen) needs(key string, at time.Time) bool {
	if have, ok := s.rows[key]; ok && !at.Before(have.first) && at.Before(have.last.Add(seenEvery)) {
		return false
	}
	sp, ok := s.fresh[key]
	if !ok {
		sp = span{at, at}
	}
	if at.Before(sp.first) {
		sp.first = at
	}
	if at.After(sp.last) {
		sp.last = at
	}
	s.fresh[key] = sp
	return true
}

func (s *seen) begin() { clear(s.fresh) }

func (s *seen) committed() {
	if len(s.rows)+len(s.fresh) > seenLimit {
		clear(s.rows)
	}
	for key, sp := range s.fresh {
		if have, ok := s.rows[key]; ok {
			if have.first.Before(sp.first) {
				sp.first = have.first
			}
			if have.last.After(sp.last) {
				sp.last = have.last
			}
		}
		s.rows[key] = sp
	}
}
