package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"aifi-audit/store/internal/db"
)

// How long a member of staff stays signed in.
const (
	WebSessionIdle = 2 * time.Hour  // without a request
	WebSessionMost = 12 * time.Hour // altogether

	webSessionBytes = 32
	webSessionTouch = time.Minute // so exact is the last use
)

// SignIn begins a session of the staff page for a token that was authenticated, and
// returns its secret, which is kept nowhere. Sessions that have ended are forgotten.
func (s *Store) SignIn(ctx context.Context, t Token) (string, error) {
	now := s.now()
	err := s.queries.DeleteOldWebSessions(ctx, s.office, db.DeleteOldWebSessionsParams{
		CreatedBefore: now.Add(-WebSessionMost), UsedBefore: now.Add(-WebSessionIdle),
	})
	if err != nil {
		return "", known(err)
	}
	random := make([]byte, webSessionBytes)
	_, _ = rand.Read(random) // never fails
	secret := base64.RawURLEncoding.EncodeToString(random)
	hash := sha256.Sum256([]byte(secret))
	err = s.queries.InsertWebSession(ctx, s.office, db.InsertWebSessionParams{Hash: hash[:], TokenID: t.ID, CreatedAt: now})
	return secret, known(err)
}

// SignedIn gives the token of a session of the staff page. It reports false if there
// is no such session, it has ended, or its token is no longer good.
func (s *Store) SignedIn(ctx context.Context, secret string) (Token, bool, error) {
	hash := sha256.Sum256([]byte(secret))
	session, err := s.queries.GetWebSession(ctx, s.reads, hash[:])
	if err = known(err); errors.Is(err, ErrNotFound) {
		return Token{}, false, nil
	} else if err != nil {
		return Token{}, false, err
	}
	now := s.now()
	if now.Sub(session.CreatedAt) >= WebSessionMost || now.Sub(session.LastUsedAt) >= WebSessionIdle {
		return Token{}, false, nil
	}
	t, ok := s.tokens.byID(session.TokenID)
	if !ok || t.refusal(now) != "" {
		return Token{}, false, nil
	}
	if now.Sub(session.LastUsedAt) >= webSessionTouch {
		if err := s.queries.TouchWebSession(ctx, s.office, db.TouchWebSessionParams{UsedAt: now, Hash: hash[:]}); err != nil {
			return Token{}, false, known(err)
		}
	}
	s.tokens.use(t.ID, now)
	return t, true, nil
}

// SignOut ends a session of the staff page. It is no error if there is none.
func (s *Store) SignOut(ctx context.Context, secret string) error {
	hash := sha256.Sum256([]byte(secret))
	return known(s.queries.DeleteWebSession(ctx, s.office, hash[:]))
}
