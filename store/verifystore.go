package store

import "context"

// Verify recomputes the log from what the database holds. ErrNoLog without a key to check
// it with.
func (s *Store) Verify(ctx context.Context, o VerifyOptions) (Verification, error) {
	if s.sequencer.config.Verifier == nil {
		return Verification{}, ErrNoLog
	}
	result, err := verifyFrom(ctx, s.source(), o)
	return result, knownLog(err)
}

func (s *Store) source() Source {
	return Source{Pool: s.reads, Openers: readConnections / 2, Queries: s.queries, Verifier: s.sequencer.config.Verifier, Now: s.now()}
}
