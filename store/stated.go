package store

import (
	"maps"

	"github.com/google/uuid"

	"aifi-audit/store/logrows"
)

// mostStated is how many events a generation of stated holds, of about 60 bytes each.
const mostStated = 100_000

// stated remembers the newest events that are in the database, and by which delivery
// each was stated first: what is sent twice is mostly sent twice within minutes.
type stated struct {
	young, old map[logrows.EventKey]uuid.UUID
	wary       int // for how many more batches it is not relied on: all events are asked for
}

// waryFor is how many batches that is, from the start and after each event that was met
// unexpectedly: who sends something again may go on to do so.
const waryFor = 100

func newStated() stated {
	return stated{young: map[logrows.EventKey]uuid.UUID{}, wary: waryFor}
}

// by is the delivery that stated an event first, if the event is remembered.
func (s *stated) by(event logrows.EventKey) (uuid.UUID, bool) {
	if stater, ok := s.young[event]; ok {
		return stater, true
	}
	stater, ok := s.old[event]
	return stater, ok
}

// remember adds the events of a batch that is committed.
func (s *stated) remember(events map[logrows.EventKey]uuid.UUID) {
	s.wary = max(0, s.wary-1)
	if len(s.young)+len(events) > mostStated {
		s.old, s.young = s.young, map[logrows.EventKey]uuid.UUID{}
	}
	maps.Copy(s.young, events)
}
