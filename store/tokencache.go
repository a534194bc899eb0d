package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"aifi-audit/store/internal/db"
)

const (
	tokenRefresh = 2 * time.Second // so long a revoked token may stay good
	tokenTimeout = time.Second     // for reading the tokens again on a miss
)

// tokenCache holds all tokens, so that no request waits for the database. With a
// file they outlast the process too, for a start without the database.
type tokenCache struct {
	file  string        // "" is none
	grace time.Duration // how long the tokens are good without the database; 0 is for ever

	mu       sync.RWMutex
	byHash   map[[sha256.Size]byte]Token // guarded by mu; replaced whole
	loaded   time.Time                   // guarded by mu; when the last reload began, by the monotonic clock
	loadedAt time.Time                   // guarded by mu; the same by the wall clock, or as the file says

	fileMu  sync.Mutex
	written time.Time // guarded by fileMu; loadedAt of the file

	missMu sync.Mutex // held by the one reload that a miss starts

	useMu sync.Mutex
	used  map[int64]time.Time // guarded by useMu; not yet written
}

func (c *tokenCache) reload(ctx context.Context, s *Store) error {
	began := time.Now()
	rows, err := s.queries.ListTokens(ctx, s.writes)
	if err != nil {
		return known(err)
	}
	byHash := make(map[[sha256.Size]byte]Token, len(rows))
	for _, r := range rows {
		if len(r.Hash) == sha256.Size {
			byHash[[sha256.Size]byte(r.Hash)] = tokenOf(r)
		}
	}
	c.mu.Lock()
	changed := !sameTokens(c.byHash, byHash)
	c.byHash, c.loaded, c.loadedAt = byHash, began, s.now()
	c.mu.Unlock()
	if err := c.write(changed); err != nil {
		s.log.Error("the tokens cannot be kept for when the database is away", "error", err)
	}
	return nil
}

// loadedSince is when the tokens were read that are known; the zero time is never.
func (c *tokenCache) loadedSince() time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.loadedAt
}

// find gives a token, unless what is known of it is too old.
func (c *tokenCache) find(hash [sha256.Size]byte, now time.Time) (Token, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, ok := c.byHash[hash]
	return t, ok && (c.grace == 0 || now.Sub(c.loadedAt) <= c.grace)
}

// Authenticate gives the token of a secret, unless it is unknown, expired or
// revoked; of one that is not good it gives what is known, the zero Token if nothing.
// The look-up is by hash, so its time tells nothing of the secret.
func (s *Store) Authenticate(ctx context.Context, secret string) (Token, bool) {
	hash := sha256.Sum256([]byte(secret))
	c := &s.tokens
	t, ok := c.find(hash, s.now())
	if !ok && !s.health.away.Load() {
		t, ok = c.lookAgain(ctx, s, hash)
	}
	now := s.now()
	if !ok {
		return Token{}, false
	}
	if !t.good(now) {
		return t, false
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
		ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
		defer cancel()
		if err := c.reload(ctx, s); err != nil {
			return Token{}, false
		}
	}
	return c.find(hash, s.now())
}

// keepTokens reads the tokens again and again, and writes when they were used.
func (s *Store) keepTokens(ctx context.Context) {
	tick := time.NewTicker(tokenRefresh)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.tokens.reload(ctx, s)
		if err != nil && !failing && ctx.Err() == nil && !errors.Is(err, errNotConnected) {
			s.log.Warn("the tokens cannot be read again; those known stay good for a while", "error", err)
		}
		if failing = err != nil; !failing {
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
