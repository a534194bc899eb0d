package translog

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// CommitmentSize is the length of a Commitment in bytes.
const CommitmentSize = sha256.Size

// Commitment is HMAC-SHA-256 of something under its salt. Who has both can check
// it; who has only the commitment learns nothing, not even by guessing.
type Commitment [CommitmentSize]byte

// Salt of a commitment.
type Salt [32]byte

// Commit commits to b.
func (s Salt) Commit(b []byte) Commitment { return authenticate((*[32]byte)(&s), b) }

// Secret is fresh for each delivery, and both of its salts come from it by HKDF. To
// erase a body, keep the Facts salt and delete the secret: then nobody can derive
// the body's salt again, and the facts stay provable.
type Secret [32]byte

// NewSecret reads a secret from random, which is crypto/rand.Reader but for tests.
func NewSecret(random io.Reader) (s Secret, err error) {
	if _, err := io.ReadFull(random, s[:]); err != nil {
		return s, fmt.Errorf("making a secret: %w", err)
	}
	return s, nil
}

// Body is the salt of the body.
func (s Secret) Body() Salt { return s.expand(bodyInfo) }

// Facts is the salt of the facts.
func (s Secret) Facts() Salt { return s.expand(factsInfo) }

// What HKDF (RFC 5869) is told of each salt, and the number of its only block: a salt
// is as long as a hash.
var (
	bodyInfo  = []byte("aifi-audit salt of body 1\x01")
	factsInfo = []byte("aifi-audit salt of facts 1\x01")
)

func (s Secret) expand(info []byte) Salt { return authenticate((*[32]byte)(&s), info) }

var errHex = errors.New("must be 64 hexadecimal digits")

// MarshalText writes hexadecimal digits.
func (c Commitment) MarshalText() ([]byte, error) { return hexText(c), nil }

// UnmarshalText reads hexadecimal digits.
func (c *Commitment) UnmarshalText(text []byte) error { return fromHex((*[32]byte)(c), text) }

// MarshalText writes hexadecimal digits.
func (s Salt) MarshalText() ([]byte, error) { return hexText(s), nil }

// UnmarshalText reads hexadecimal digits.
func (s *Salt) UnmarshalText(text []byte) error { return fromHex((*[32]byte)(s), text) }

func hexText(b [32]byte) []byte { return hex.AppendEncode(nil, b[:]) }

func fromHex(to *[32]byte, text []byte) error {
	if len(text) != hex.EncodedLen(len(to)) {
		return errHex
	}
	if _, err := hex.Decode(to[:], text); err != nil {
		return errHex
	}
	return nil
}
