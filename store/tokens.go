package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"aifi-audit/store/internal/db"
)

// Right is what a token is good for: a scope, in the words of OAuth.
type Right string

// The rights. None implies another.
const (
	MayIngest     Right = "ingest" // post webhooks
	MayRead       Right = "read"   // search and view
	MayExport     Right = "export" // CSV
	MayReview     Right = "review" // mark events, and comment on them
	MayAdminister Right = "admin"  // replay, set time zones
)

// Rights are all of them.
var Rights = []Right{MayIngest, MayRead, MayExport, MayReview, MayAdminister}

const (
	tokenPrefix = "aifi_audit_"
	tokenBytes  = 32
)

// Token says who may do what. The secret itself is kept nowhere.
type Token struct {
	ID         int64
	Name       string
	Rights     []Right
	StoreIDs   []int64 // the stores it is limited to; nil: not limited
	CreatedAt  time.Time
	ExpiresAt  *time.Time
	RevokedAt  *time.Time
	LastUsedAt *time.Time // to a few seconds
}

// May reports whether the token has the right.
func (t Token) May(r Right) bool { return slices.Contains(t.Rights, r) }

// Scope is the stores that the token may see and speak for.
func (t Token) Scope() Scope {
	if t.StoreIDs == nil {
		return Scope{}
	}
	return OnlyStores(t.StoreIDs)
}

// Refusal is why a token is not good for a request; "" is that it is.
type Refusal string

// The refusals.
const (
	UnknownToken   Refusal = "unknown_token"
	ExpiredToken   Refusal = "expired_token"
	RevokedToken   Refusal = "revoked_token"
	NoIngestScope  Refusal = "no_ingest_scope"
	UndecidedToken Refusal = "undecided_token" // it is not known, and the database cannot be asked just now
)

// refusal is why the token is not good at a time, whatever it is for.
func (t Token) refusal(now time.Time) Refusal {
	switch {
	case t.RevokedAt != nil:
		return RevokedToken
	case t.ExpiresAt != nil && !now.Before(*t.ExpiresAt):
		return ExpiredToken
	}
	return ""
}

// CreateToken makes a token and returns its secret, which cannot be had again.
// ErrNameTaken if the name was ever used.
func (s *Store) CreateToken(ctx context.Context, name string, rights []Right, storeIDs []int64, expires *time.Time) (string, error) {
	random := make([]byte, tokenBytes)
	_, _ = rand.Read(random) // never fails
	secret := tokenPrefix + base64.RawURLEncoding.EncodeToString(random)
	hash := sha256.Sum256([]byte(secret))
	scopes := make([]string, len(rights))
	for i, r := range rights {
		scopes[i] = string(r)
	}
	err := s.queries.InsertToken(ctx, s.office, db.InsertTokenParams{
		Name: name, Hash: hash[:], Scopes: scopes, StoreIds: storeIDs, CreatedAt: s.now(), ExpiresAt: expires,
	})
	if keyTaken(err) {
		return "", fmt.Errorf("creating token %q: %w", name, ErrNameTaken)
	}
	if err != nil {
		return "", fmt.Errorf("creating token %q: %w", name, known(err))
	}
	s.tokensChanged(ctx)
	return secret, nil
}

// tokensChanged has this process know of it at once. Should that fail, it hears of it as
// the others do, and what was done stands.
func (s *Store) tokensChanged(ctx context.Context) {
	if err := s.tokens.reload(ctx, s); err != nil {
		s.log.Warn("tokens cannot be read again yet", "error", err)
	}
}

// Tokens lists all tokens, oldest first.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := s.queries.ListTokens(ctx, s.office)
	if err != nil {
		return nil, known(err)
	}
	tokens := make([]Token, len(rows))
	for i, r := range rows {
		tokens[i] = tokenOf(r)
	}
	return tokens, nil
}

func tokenOf(r db.Token) Token {
	rights := make([]Right, len(r.Scopes))
	for i, scope := range r.Scopes {
		rights[i] = Right(scope)
	}
	return Token{r.ID, r.Name, rights, r.StoreIds, r.CreatedAt, r.ExpiresAt, r.RevokedAt, r.LastUsedAt}
}

// RevokeToken ends a token. ErrNotFound if there is none that is good.
func (s *Store) RevokeToken(ctx context.Context, name string) error {
	now := s.now()
	n, err := s.queries.RevokeToken(ctx, s.office, db.RevokeTokenParams{RevokedAt: &now, Name: name})
	if err == nil && n == 0 {
		err = ErrNotFound
	} else {
		err = known(err)
	}
	if err != nil {
		return fmt.Errorf("revoking token %q: %w", name, err)
	}
	s.tokensChanged(ctx)
	return nil
}
