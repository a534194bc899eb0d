package store

import (
	"context"
	"time"

	"aifi-audit/store/internal/db"
)

const (
	stateTimeout = 5 * time.Second
	// MaxOpenQuarantine is up to where the open quarantine is counted.
	MaxOpenQuarantine = 10_000
)

// State is how the installation does.
type State struct {
	At time.Time
	// AwaySince is since when the database cannot be used; the zero time while it can.
	// Then Traffic has only what this process knows: no counts, and nothing usual.
	AwaySince      time.Time
	Spool          *SpoolStats     // nil if there is none
	SpoolError     error           // why there is none, or not all of it, if there should be
	SpoolRefuses   error           // ErrSpoolFull or ErrSpoolFails if it could not take one a moment ago: webhooks are lost
	Undecided      *UndecidedStats // nil if there is no spool
	Replica        *ReplicaState   // nil if there is none
	Log            LogStatus
	OpenQuarantine *int64 // what was not replayed, of the stores in scope; at most MaxOpenQuarantine; nil while the database is away
	Traffic        []Traffic
}

// State tells how the installation does, as far as the scope sees it; of some stores
// only, unless storeIDs is nil. It needs no database, and waits for it a few seconds
// at most.
func (s *Store) State(ctx context.Context, scope Scope, storeIDs []int64) State {
	state := State{
		At: s.now().UTC().Truncate(time.Microsecond), AwaySince: s.health.awaySince(), Replica: s.replica.state(), Log: s.LogStatus(), SpoolError: s.spoolless,
	}
	if s.spool != nil {
		stats, undecided := s.spool.Stats(), s.Undecided()
		state.Spool, state.SpoolRefuses, state.Undecided = &stats, s.health.spoolRefuses(), &undecided
	}
	if state.AwaySince.IsZero() {
		ctx, cancel := context.WithTimeout(ctx, stateTimeout)
		defer cancel()
		if err := s.readState(ctx, scope, storeIDs, &state); err == nil {
			return state
		} else if ctx.Err() == nil {
			s.log.Warn("the state of the installation cannot be read from the database", "error", err)
		}
		state.AwaySince, state.OpenQuarantine = state.At, nil
	}
	state.Traffic = s.trafficKnown(scope, storeIDs)
	return state
}

func (s *Store) readState(ctx context.Context, scope Scope, storeIDs []int64, state *State) error {
	open, err := s.queries.CountOpenQuarantine(ctx, s.reads, db.CountOpenQuarantineParams{
		StoreIds: scope.restrict(storeIDs), CountLimit: MaxOpenQuarantine,
	})
	if err != nil {
		return known(err)
	}
	state.OpenQuarantine = &open
	state.Traffic, err = s.Traffic(ctx, scope, storeIDs)
	return err
}
