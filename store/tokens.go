package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"sync"
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
	tokenPrefix  = "aifi_audit_"
	tokenBytes   = 32
	tokenRefresh = 2 * time.Second // so long a revoked token may stay good
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
	_, err := s.queries.InsertToken(ctx, s.writes, db.InsertTokenParams{
		Name: name, Hash: hash[:], Scopes: scopes, StoreIds: storeIDs, CreatedAt: s.now(), ExpiresAt: expires,
	})
	if err != nil {
		return "", fmt.Errorf("creating token %q: %w", name, known(err))
	}
	return secret, s.tokens.reload(ctx, s)
}

// Tokens lists all tokens, oldest first.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := s.queries.ListTokens(ctx, s.writes)
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
	n, err := s.queries.RevokeToken(ctx, s.writes, db.RevokeTokenParams{RevokedAt: &now, Name: name})
	if err == nil && n == 0 {
		err = ErrNotFound
	} else {
		err = known(err)
	}
	if err != nil {
		return fmt.Errorf("revoking token %q: %w", name, err)
	}
	return s.tokens.reload(ctx, s)
}

// tokenCache holds all tokens, so that no request waits for the database.
type tokenCache struct {
	mu     sync.RWMutex
	byHash map[[sha256.Size]byte]Token // guarded by mu; replaced whole
	loaded time.Time                   // guarded by mu; when the last reload began

	missMu sync.Mutex // held by the one reload that a miss starts

	useMu sync.Mutex
	used  map[int64]time.Time // guarded by useMu; not yet written
}

func (c *tokenCache) reload(ctx context.Context, s *Store) error {
	began := time.Now()
	rows, err := s.queries.ListTokens(ctx, s.writes)
	if err != nil {
		return fmt.Errorf("reading the tokens: %w", known(err))
	}
	byHash := make(map[[sha256.Size]byte]Token, len(rows))
	for _, r := range rows {
		if len(r.Hash) == sha256.Size {
			byHash[[sha256.Size]byte(r.Hash)] = tokenOf(r)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byHash, c.loaded = byHash, began
	return nil
}

// Authenticate gives the token of a secret, unless it is unknown, expired or
// revoked. The look-up is by hash, so its time tells nothing of the secret.
func (s *Store) Authenticate(ctx context.Context, secret string) (Token, bool) {
	hash := sha256.Sum256([]byte(secret))
	c := &s.tokens
	c.mu.RLock()
	t, ok := c.byHash[hash]
	c.mu.RUnlock()
	if !ok {
		t, ok = c.lookAgain(ctx, s, hash)
	}
	now := s.now()
	if !ok || !t.good(now) {
		return Token{}, false
	}
	c.use(t.ID, now)
	return t, true
}

// good reports whether the token is neither revoked nor expired.
func (t Token) good(now time.Time) bool {
	return t.RevokedAt == nil && (t.ExpiresAt == nil || now.Before(*t.ExpiresAt))
}

// use notes the last use of a token.
func (c *tokenCache) use(id int64, now time.Time) {
	c.useMu.Lock()
	defer c.useMu.Unlock()
	if c.used == nil {
		c.used = map[int64]time.Time{}
	}
	c.used[id] = now
}

// byID finds a token among the few that there are.
func (c *tokenCache) byID(id int64) (Token, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, t := range c.byHash {
		if t.ID == id {
			return t, true
		}
	}
	return Token{}, false
}

// lookAgain finds a token that was made after the last reload: the first webhook
// with it must not be lost. Those who miss at the same time share a reload.
func (c *tokenCache) lookAgain(ctx context.Context, s *Store, hash [sha256.Size]byte) (Token, bool) {
	missed := time.Now()
	c.missMu.Lock()
	defer c.missMu.Unlock()
	c.mu.RLock()
	fresh := c.loaded.After(missed)
	c.mu.RUnlock()
	if !fresh {
		if err := c.reload(ctx, s); err != nil {
			return Token{}, false
		}
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, ok := c.byHash[hash]
	return t, ok
}

func (s *Store) keepTokens(ctx context.Context) {
	tick := time.NewTicker(tokenRefresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.tokens.reload(ctx, s); err != nil && ctx.Err() == nil {
				s.log.Warn("tokens could not be refreshed; the known ones stay good", "error", err)
			}
			s.flushTokenUse(ctx)
		}
	}
}

func (s *Store) flushTokenUse(ctx context.Context) {
	c := &s.tokens
	c.useMu.Lock()
	used := c.used
	c.used = nil
	c.useMu.Unlock()
	if len(used) == 0 {
		return
	}
	var args db.TouchTokensParams
	for id, at := range used {
		args.ID, args.UsedAt = append(args.ID, id), append(args.UsedAt, at)
	}
	if err := s.queries.TouchTokens(ctx, s.writes, args); err != nil && ctx.Err() == nil {
		s.log.Warn("the last use of tokens could not be written", "error", err)
	}
}

// Access is one look at the data by staff.
type Access struct {
	TokenID    int64
	Action     string // search, view, export, replay, configure, review
	Path       string
	Query      string
	RemoteAddr string
}

// LogAccess writes who looks at what. Results must not leave unless it succeeds.
func (s *Store) LogAccess(ctx context.Context, a Access) error {
	return known(s.queries.InsertAccess(ctx, s.writes, db.InsertAccessParams{
		At: s.now(), TokenID: a.TokenID, Action: a.Action, Path: cleanText(a.Path), Query: cleanText(a.Query), RemoteAddr: a.RemoteAddr,
	}))
}
