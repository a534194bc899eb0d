package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"aifi-audit/store/spool"
)

const (
	undecidedShare = 16       // of what the spool may take, beside it: one byte in so many
	undecidedMost  = 64 << 20 // bytes
)

// undecided are webhooks whose token is not known, while the database cannot be asked
// for it. They wait in a spool of their own: strangers can fill it, and must take no room
// from those with a good token; and an older program, which would take them for decided,
// does not find them.
type undecided struct {
	spool    *spool.Spool // nil if there is none
	recorded atomic.Int64
	refused  map[Refusal]*atomic.Int64
}

func (u *undecided) begin() {
	u.refused = map[Refusal]*atomic.Int64{}
	for _, why := range []Refusal{UnknownToken, ExpiredToken, RevokedToken, NoIngestScope} {
		u.refused[why] = new(atomic.Int64)
	}
}

// undecidedBytes are how many bytes the undecided may take beside a spool.
func undecidedBytes(spoolBytes int64) int64 {
	return max(1, min(spoolBytes/undecidedShare, undecidedMost))
}

// UndecidedStats is the state of the webhooks whose token has still to be looked up.
type UndecidedStats struct {
	SpoolStats
	Recorded int64             // with a good token, since the Store was opened
	Refused  map[Refusal]int64 // the others
}

// Undecided is the state of the undecided webhooks; zero if there is no spool.
func (s *Store) Undecided() UndecidedStats {
	u := &s.undecided
	if u.spool == nil {
		return UndecidedStats{}
	}
	st := UndecidedStats{SpoolStats: u.spool.Stats(), Recorded: u.recorded.Load(), Refused: map[Refusal]int64{}}
	for why, n := range u.refused {
		st.Refused[why] = n.Load()
	}
	return st
}

// KeepUndecided keeps a webhook that Authenticate called undecided, on local disk, with the
// hash of its token. When the database can be asked, it is recorded or refused, by what the
// token was good for when the webhook was received. Errors are ErrUnavailable and
// ErrSpoolFull: then nothing was kept.
func (s *Store) KeepUndecided(ctx context.Context, secret string, d Delivery) error {
	if s.undecided.spool == nil {
		return ErrUnavailable
	}
	if errors.Is(s.health.spoolRefuses(), ErrSpoolFull) { // what room there is, is for those with a good token
		return ErrSpoolFull
	}
	hash := sha256.Sum256([]byte(secret))
	record, err := encodeSpooled(d, hash[:])
	if err == nil {
		err = s.undecided.spool.Append(ctx, record)
	}
	switch {
	case errors.Is(err, spool.ErrFull):
		return fmt.Errorf("%w: %w", ErrSpoolFull, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// tokenThen gives the token that a webhook came with, or why it is refused, by what was
// true at its receipt. That its token was made before goes without saying, and clocks
// differ. The tokens are read unless they were since a moment.
func (s *Store) tokenThen(ctx context.Context, hash []byte, receivedAt, since time.Time) (Token, Refusal, error) {
	if err := s.tokens.lookAgain(ctx, s, since); err != nil {
		return Token{}, "", err
	}
	t, ok := s.tokens.find([sha256.Size]byte(hash), s.now())
	if !ok {
		return Token{}, UnknownToken, nil
	}
	if t.RevokedAt != nil && receivedAt.Before(*t.RevokedAt) {
		t.RevokedAt = nil
	}
	why := t.refusal(receivedAt)
	if why == "" && !t.May(MayIngest) {
		why = NoIngestScope
	}
	return t, why, nil
}

// refuseLater writes what was refused of a batch of a spool, if such are kept. What cannot
// be written ever is set aside.
func (s *Store) refuseLater(ctx context.Context, batch *spool.Batch, refused map[int]refusal) error {
	if len(refused) == 0 || !s.KeepsRefusals() {
		return nil
	}
	err := s.insertRefused(ctx, slices.Collect(maps.Values(refused)))
	if !ownFault(err) {
		return known(err)
	}
	for i := range refused {
		batch.SetAside(i, err.Error())
	}
	return nil
}

// decided notes what became of a batch of a spool.
func (s *Store) decided(recorded map[int]*pending, refused map[int]refusal) {
	for _, p := range recorded {
		if p.wasUndecided {
			s.metrics.received(p.watched())
			s.tokens.use(p.delivery.TokenID, p.receivedAt)
			s.undecided.recorded.Add(1)
		}
	}
	for _, no := range refused {
		s.undecided.refused[no.reason].Add(1)
	}
	if len(refused) > 0 {
		s.log.Warn("webhooks are refused whose token could be looked up only now", "webhooks", len(refused))
	}
}
