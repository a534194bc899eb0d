package store

import (
	"context"
	"time"
)

// refusedTokensMost is how many tokens are told apart.
const refusedTokensMost = 200

// RefusedToken is what is kept of the webhooks that came with one token, and were
// refused for one reason.
type RefusedToken struct {
	Fingerprint string // as in Refused
	Reason      Refusal
	Kept, Open  int64 // Open are those that were not replayed
	First, Last time.Time
	Webhooks    []string
	RemoteAddrs []string
}

// RefusedTokens gives what was refused by token, the latest first.
func (s *Store) RefusedTokens(ctx context.Context, scope Scope) ([]RefusedToken, error) {
	if scope.limited {
		return nil, nil
	}
	rows, err := s.queries.ListRefusedTokens(ctx, s.reads, refusedTokensMost)
	if err != nil {
		return nil, known(err)
	}
	found := make([]RefusedToken, len(rows))
	for i, r := range rows {
		found[i] = RefusedToken{
			Fingerprint: fingerprintOf(r.TokenHash), Reason: Refusal(r.Reason), Kept: r.Kept, Open: r.Open,
			First: r.FirstAt, Last: r.LastAt, Webhooks: r.Webhooks, RemoteAddrs: r.RemoteAddrs,
		}
	}
	return found, nil
}
