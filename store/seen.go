package store

import (
	"crypto/sha256"
	"maps"
	"time"
)

const (
	seenLimit  = 200_000
	seenValues = 50_000 // rows with values, of about 300 bytes each
	// seenEvery is how exact the last_seen_at of stores, products, gondolas and
	// customers is: rewriting them for each event would cost more than the event.
	seenEvery = time.Minute

	// seenFor is how long rows are taken for written without asking: what somebody
	// removes meanwhile, which search then does without, is written again after it.
	seenFor = time.Hour

	seenSessions = 20_000 // of about 200 bytes each
	// stateEvery is how long a session's row may go without the state that it has:
	// until then somebody else's change of it, or its removal, would stay.
	stateEvery = 10 * time.Minute
)

// seen remembers which rows of the catalogue are written, so that most batches need
// not touch them. Its flusher owns it; what a batch adds counts after its commit.
type seen struct {
	rows  map[string]span
	fresh map[string]span // of the batch under way

	values      map[string]writtenValues
	freshValues map[string]writtenValues // of the batch under way

	stated stated

	sessions      map[storeKey]writtenSession
	freshSessions map[storeKey]writtenSession // of the batch under way
}

// brief is what is remembered of a text: senders choose how long it is, and what is
// remembered must not take more memory than was reckoned with. A NUL is in no text
// that is kept.
func brief(text string) string {
	if len(text) <= longText {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return "\x00" + string(sum[:])
}

const longText = 100 // bytes

// writtenSession is a state of a session that was written.
type writtenSession struct {
	at         time.Time         // of the webhook that stated it
	customerID string            // brief; "" leaves whom the row has
	state      [sha256.Size]byte // of the state's JSON
}

// writtenValues is a row whose values are those that were stated last.
type writtenValues struct {
	span             // that was written
	stated time.Time // when the values were stated last, whether that was written or not
	values values
}

// values are a row's; what is empty was not stated. What is remembered of them is brief.
type values [3]string

type span struct{ first, last time.Time }

func newSeen() *seen {
	return &seen{
		rows: map[string]span{}, fresh: map[string]span{}, stated: newStated(),
		values: map[string]writtenValues{}, freshValues: map[string]writtenValues{},
		sessions: map[storeKey]writtenSession{}, freshSessions: map[storeKey]writtenSession{},
	}
}

// needsState reports whether the state of a session has to be written, which is given as
// JSON too: most webhooks of a session repeat it.
func (s *seen) needsState(key storeKey, row sessionRow, state string) bool {
	key.id = brief(key.id)
	now := writtenSession{row.last, brief(row.customerID), sha256.Sum256([]byte(state))}
	have, ok := s.sessions[key]
	if ok && (row.customerID == "" || have.customerID == now.customerID) && row.last.Before(have.at.Add(stateEvery)) && have.state == now.state {
		return false
	}
	s.freshSessions[key] = now
	return true
}

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

// needsValues is needs for a row with values, which were said at a time of their own. It
// leaves out those that a newer webhook has stated otherwise, be it that the row did not
// need to be written for that one.
func (s *seen) needsValues(key string, at, said time.Time, stated values) (left values, needed bool) {
	have, ok := s.freshValues[key]
	if !ok {
		have = s.values[key]
	}
	needed = at.Before(have.first)
	if !at.Before(have.last.Add(seenEvery)) { // of the row too: somebody else may have changed it
		have.values, needed = values{}, true
	}
	newest := !said.Before(have.stated)
	for i, v := range stated {
		switch short, old := brief(v), have.values[i]; {
		case v == "" || short == old:
		case newest || old == "":
			have.values[i], needed = short, true
		default:
			stated[i] = ""
		}
	}
	if needed {
		have.span = have.including(at)
	}
	if newest {
		have.stated = said
	}
	if needed || newest {
		s.freshValues[key] = have
	}
	return stated, needed
}

// once is needs for a row without times.
func (s *seen) once(key string) bool { return s.needs(key, time.Time{}) }

func (s *seen) begin() {
	clear(s.fresh)
	clear(s.freshValues)
	clear(s.freshSessions)
}

func (s *seen) committed() {
	remember(s.sessions, s.freshSessions, seenSessions)
	remember(s.values, s.freshValues, seenValues)
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

// remember adds what is fresh to what is kept, which is forgotten when it grows beyond
// most.
func remember[K comparable, V any](kept, fresh map[K]V, most int) {
	if len(kept)+len(fresh) > most {
		clear(kept)
	}
	maps.Copy(kept, fresh)
}
