package translog

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a tree, signed. Its origin is the name of its keys.
type Checkpoint struct {
	tlog.Tree
	Note []byte // as signed
}

// Signer signs checkpoints with the keys of one name. During a change of keys there
// are two of them, and a checkpoint bears the signatures of both.
type Signer struct {
	origin    string
	signers   []note.Signer
	verifiers []string
}

// NewKey makes an Ed25519 key. name is that of the log: like a host and path, without
// a scheme, spaces or plus signs.
func NewKey(random io.Reader, name string) (signing, verifying string, err error) {
	if name == "" || strings.ContainsAny(name, "+ \t\r\n") {
		return "", "", errors.New("the log's name must not be empty, nor have spaces or plus signs")
	}
	return note.GenerateKey(random, name)
}

// NewSigner reads signing keys, one a line. All must have one name.
func NewSigner(keys string) (*Signer, error) {
	s := &Signer{}
	for line := range strings.Lines(keys) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		signer, verifier, err := parseKey(line)
		if err != nil {
			return nil, err
		}
		if s.origin != "" && s.origin != signer.Name() {
			return nil, fmt.Errorf("the log's signing keys have two names, %s and %s", s.origin, signer.Name())
		}
		s.origin = signer.Name()
		s.signers = append(s.signers, signer)
		s.verifiers = append(s.verifiers, verifier)
	}
	if len(s.signers) == 0 {
		return nil, errors.New("there is no signing key of the log")
	}
	return s, nil
}

// parseKey reads a signing key and derives its public key. Errors do not quote it.
func parseKey(key string) (note.Signer, string, error) {
	bad := errors.New("reading the log's signing key: it is not an Ed25519 key as PRIVATE+KEY+name+hash+key")
	signer, err := note.NewSigner(key)
	if err != nil {
		return nil, "", bad
	}
	secret, err := base64.StdEncoding.DecodeString(strings.SplitN(key, "+", 5)[4]) // it may hold plus signs itself
	if err != nil || len(secret) != 1+ed25519.SeedSize {
		return nil, "", bad
	}
	public, _ := ed25519.NewKeyFromSeed(secret[1:]).Public().(ed25519.PublicKey)
	verifier, err := note.NewEd25519VerifierKey(signer.Name(), public)
	return signer, verifier, err
}

// Origin is the log's name.
func (s *Signer) Origin() string { return s.origin }

// Verifiers are the public keys, as text.
func (s *Signer) Verifiers() []string { return s.verifiers }

// Sign signs a tree.
func (s *Signer) Sign(t tlog.Tree) (Checkpoint, error) {
	text := log.Checkpoint{Origin: s.origin, Size: uint64(t.N), Hash: t.Hash[:]}.Marshal() //nolint:gosec // sizes are positive
	signed, err := note.Sign(&note.Note{Text: string(text)}, s.signers...)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("signing a checkpoint: %w", err)
	}
	return Checkpoint{t, signed}, nil
}

// Verifier knows the public keys that a checkpoint may be signed by.
type Verifier struct{ keys []note.Verifier }

// NewVerifier reads public keys, one a line.
func NewVerifier(keys string) (*Verifier, error) {
	v := &Verifier{}
	for line := range strings.Lines(keys) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, err := note.NewVerifier(line)
		if err != nil {
			return nil, fmt.Errorf("reading the log's public key: %w", err)
		}
		v.keys = append(v.keys, key)
	}
	if len(v.keys) == 0 {
		return nil, errors.New("there is no public key of the log")
	}
	return v, nil
}

// ErrCheckpoint says that a checkpoint is malformed, of another log, or not signed
// by a key that counts.
var ErrCheckpoint = errors.New("the checkpoint is not signed by a key of this log")

// Open checks a signed checkpoint.
func (v *Verifier) Open(signed []byte) (Checkpoint, error) {
	for _, key := range v.keys {
		c, _, _, err := log.ParseCheckpoint(signed, key.Name(), key)
		if err != nil {
			continue
		}
		if len(c.Hash) != tlog.HashSize || int64(c.Size) < 0 { //nolint:gosec // the check is for that
			return Checkpoint{}, ErrCheckpoint
		}
		return Checkpoint{tlog.Tree{N: int64(c.Size), Hash: tlog.Hash(c.Hash)}, signed}, nil //nolint:gosec // checked
	}
	return Checkpoint{}, fmt.Errorf("%w: %s", ErrCheckpoint, v.wrong(signed))
}

// wrong tells what is wrong with a checkpoint.
func (v *Verifier) wrong(signed []byte) string {
	n, err := note.Open(signed, note.VerifierList(v.keys...))
	var invalid *note.InvalidSignatureError
	var unknown *note.UnverifiedNoteError
	switch {
	case errors.As(err, &invalid):
		return fmt.Sprintf("the signature of %s+%08x is not valid", invalid.Name, invalid.Hash)
	case errors.As(err, &unknown):
		var names []string
		for _, s := range unknown.Note.UnverifiedSigs {
			names = append(names, fmt.Sprintf("%s+%08x", s.Name, s.Hash))
		}
		return "it is signed by " + strings.Join(names, ", ")
	case err != nil:
		return "it is no signed note"
	}
	origin, _, _ := strings.Cut(n.Text, "\n")
	return fmt.Sprintf("what is signed is no checkpoint of the log, but %q", origin)
}

// SignText signs a text that is no checkpoint, as a C2SP signed note. It must end with
// a newline, and not begin with the log's name, as checkpoints do.
func (s *Signer) SignText(text string) ([]byte, error) {
	if first, _, _ := strings.Cut(text, "\n"); first == s.origin {
		return nil, errors.New("a text must not begin as a checkpoint does")
	}
	signed, err := note.Sign(&note.Note{Text: text}, s.signers...)
	if err != nil {
		return nil, fmt.Errorf("signing a text: %w", err)
	}
	return signed, nil
}

// OpenText checks what SignText gives, and returns the text.
func (v *Verifier) OpenText(signed []byte) (string, error) {
	n, err := note.Open(signed, note.VerifierList(v.keys...))
	if err != nil {
		return "", fmt.Errorf("it is not signed by a key of this log: %w", err)
	}
	return n.Text, nil
}
