package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"time"
)

// tokenFileEvery is how old the time in the file may grow while the tokens stay as
// they are. The grace is counted from it.
const tokenFileEvery = time.Minute

// tokenFile is the tokens as they are kept on disk: their hashes, never themselves.
type tokenFile struct {
	LoadedAt time.Time     `json:"loadedAt"`
	Tokens   []storedToken `json:"tokens"`
}

type storedToken struct {
	Hash      string     `json:"hash"` // SHA-256 in hexadecimal
	ID        int64      `json:"id"`
	Name      string     `json:"name"`
	Rights    []Right    `json:"scopes"`
	StoreIDs  []int64    `json:"storeIds"` // null: not limited
	CreatedAt time.Time  `json:"createdAt"`
	ExpiresAt *time.Time `json:"expiresAt"`
	RevokedAt *time.Time `json:"revokedAt"`
}

// read takes over what an earlier process has written, if there is any.
func (c *tokenCache) read() error {
	text, err := os.ReadFile(c.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var f tokenFile
	if err := json.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("%s: %w", c.file, err)
	}
	byHash := map[[sha256.Size]byte]Token{}
	for _, t := range f.Tokens {
		hash, err := hex.DecodeString(t.Hash)
		if err != nil || len(hash) != sha256.Size {
			return fmt.Errorf("%s: token %d has no SHA-256", c.file, t.ID)
		}
		byHash[[sha256.Size]byte(hash)] = Token{
			ID: t.ID, Name: t.Name, Rights: t.Rights, StoreIDs: t.StoreIDs, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, RevokedAt: t.RevokedAt,
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byHash, c.loadedAt = byHash, f.LoadedAt
	return nil
}

// write keeps the tokens for the next process. Unless they changed, it does so now
// and then only.
func (c *tokenCache) write(changed bool) error {
	if c.file == "" {
		return nil
	}
	c.fileMu.Lock()
	defer c.fileMu.Unlock()
	c.mu.RLock()
	f := tokenFile{LoadedAt: c.loadedAt}
	for hash, t := range c.byHash {
		f.Tokens = append(f.Tokens, storedToken{
			hex.EncodeToString(hash[:]), t.ID, t.Name, t.Rights, t.StoreIDs, t.CreatedAt, t.ExpiresAt, t.RevokedAt,
		})
	}
	c.mu.RUnlock()
	if !changed && f.LoadedAt.Sub(c.written).Abs() < tokenFileEvery {
		return nil
	}
	slices.SortFunc(f.Tokens, func(a, b storedToken) int { return int(a.ID - b.ID) })
	text, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		return err
	}
	if err := WriteDurably(c.file, append(text, '\n'), 0o600); err != nil {
		return err
	}
	c.written = f.LoadedAt
	return nil
}

// sameTokens ignores when they were last used, which matters to nobody here.
func sameTokens(a, b map[[sha256.Size]byte]Token) bool {
	return maps.EqualFunc(a, b, func(x, y Token) bool {
		x.LastUsedAt, y.LastUsedAt = nil, nil
		return reflect.DeepEqual(x, y)
	})
}
