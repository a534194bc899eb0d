package store

import (
	"context"

	"aifi-audit/store/verify"
)

// Verify recomputes the log from what the database holds. ErrNoLog without a key to check
// it with.
func (s *Store) Verify(ctx context.Context, o verify.Options) (verify.Result, error) {
	if s.sequencer.config.Verifier == nil {
		return verify.Result{}, ErrNoLog
	}
	result, err := verify.Run(ctx, s.source(), o)
	return result, knownLog(err)
}

func (s *Store) source() verify.Source {
	return verify.Source{Pool: s.reads, Openers: readConnections / 2, Queries: s.queries, Verifier: s.sequencer.config.Verifier, Now: s.now()}
}
