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
	// missPause is between two reads that misses start: strangers cannot ask the
	// database more often than that.
	missPause = 100 * time.Millisecond
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
	looked look       // guarded by missMu; the last of them

	useMu sync.Mutex
	used  map[int64]time.Time // guarded by useMu; not yet written
}

// look is a reload that a miss started.
type look struct {
	began, ended time.Time // by the monotonic clock
	err          error
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
	if began.Before(c.loaded) { // another asked later, and was answered first
		c.mu.Unlock()
		return nil
	}
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

// Authenticate gives the token of a secret, or why it is refused. The look-up is by
// hash, so its time tells nothing of the secret.
func (s *Store) Authenticate(ctx context.Context, secret string) (Token, Refusal) {
	hash := sha256.Sum256([]byte(secret))
	c := &s.tokens
	missed := time.Now()
	t, ok := c.find(hash, s.now())
	if !ok {
		if s.health.away.Load() || c.lookAgain(ctx, s, missed) != nil {
			return Token{}, UndecidedToken
		}
		if t, ok = c.find(hash, s.now()); !ok {
			return Token{}, UnknownToken
		}
	}
	now := s.now()
	if why := t.refusal(now); why != "" {
		return Token{}, why
	}
	c.use(t.ID, now)
	return t, ""
}

// use notes the last use of a token.
func (c *tokenCache) use(id int64, now time.Time) {
	c.useMu.Lock()
	defer c.useMu.Unlock()
	if c.used == nil {
		c.used = map[int64]time.Time{}
	}
	if now.After(c.used[id]) {
		c.used[id] = now
	}
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

// lookAgain reads the tokens, unless they were read since a moment at which one was
// missed: it may have been made after the last reload, and the first webhook with it
// must not be lost. Those who miss at the same time share a read, and its failure.
func (c *tokenCache) lookAgain(ctx context.Context, s *Store, missed time.Time) error {
	c.missMu.Lock()
	defer c.missMu.Unlock()
	c.mu.RLock()
	loaded := c.loaded
	c.mu.RUnlock()
	switch {
	case loaded.After(missed):
		return nil
	case c.looked.err != nil && loaded.Before(c.looked.ended) && missed.Sub(c.looked.ended) < tokenTimeout:
		return c.looked.err
	}
	ctx = context.WithoutCancel(ctx) // others wait for it too
	pause(ctx, missPause-time.Since(c.looked.began))
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	c.looked.began = time.Now()
	c.looked.err = c.reload(ctx, s)
	c.looked.ended = time.Now()
	return c.looked.err
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
