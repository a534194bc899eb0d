package translog

import (
	"crypto/sha256"
	"hash"
	"sync"
)

// authenticator computes HMAC-SHA-256 (RFC 2104) under keys of 32 bytes, again and
// again in the same memory: crypto/hmac makes all of its parts anew for each key, and
// a leaf has four.
type authenticator struct {
	hash  hash.Hash
	block [sha256.BlockSize]byte // the key, padded
	inner [sha256.Size]byte
}

var authenticators = sync.Pool{New: func() any { return &authenticator{hash: sha256.New()} }}

// authenticate is HMAC-SHA-256 of b.
func authenticate(key *[32]byte, b []byte) [sha256.Size]byte {
	a := authenticators.Get().(*authenticator) //nolint:forcetypeassert // the pool holds nothing else
	defer authenticators.Put(a)
	defer clear(a.block[:]) // it is a secret
	const innerPad, outerPad = 0x36, 0x5c
	inner := a.under(key, innerPad, b)
	return [sha256.Size]byte(a.under(key, outerPad, inner))
}

// under is SHA-256 of the padded key, followed by b.
func (a *authenticator) under(key *[32]byte, pad byte, b []byte) []byte {
	for i := range a.block {
		a.block[i] = pad
	}
	for i, c := range key {
		a.block[i] ^= c
	}
	a.hash.Reset()
	_, _ = a.hash.Write(a.block[:]) // never fails
	_, _ = a.hash.Write(b)
	return a.hash.Sum(a.inner[:0])
}
