package translog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cosig "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// Witness is somebody else who signs a checkpoint if it continues those that he signed
// before (c2sp.org/tlog-witness).
type Witness struct{ key note.Verifier }

// NewWitness reads a witness's public key, as name+hash+key (c2sp.org/signed-note).
func NewWitness(vkey string) (Witness, error) {
	key, err := cosig.NewVerifierForCosignatureV1(vkey)
	if err != nil {
		return Witness{}, fmt.Errorf("reading the witness's public key: %w", err)
	}
	w := Witness{key}
	if said, _, _ := strings.Cut(strings.TrimPrefix(vkey, key.Name()+"+"), "+"); key.Name()+"+"+said != w.ID() {
		return Witness{}, fmt.Errorf("the public key of witness %s is mistyped, or is no key for cosignatures", key.Name())
	}
	return w, nil
}

// Name is the witness's name.
func (w Witness) Name() string { return w.key.Name() }

// ID tells the witness's keys apart: its name and the hash of the key.
func (w Witness) ID() string { return fmt.Sprintf("%s+%08x", w.key.Name(), w.key.KeyHash()) }

// ErrCosignature says that a witness's signature is not there, or not valid.
var ErrCosignature = errors.New("it is not cosigned by the witness")

// Cosignature is a witness's signature of a checkpoint.
type Cosignature struct {
	Line string    // of the note, without its end
	At   time.Time // when it was made, by the witness's clock
}

// Cosignature finds the witness's own among the signatures of a checkpoint, and checks
// it. Others are passed over.
func (w Witness) Cosignature(signed []byte) (Cosignature, error) {
	n, err := note.Open(signed, note.VerifierList(w.key))
	if err != nil {
		return Cosignature{}, ErrCosignature
	}
	at, err := cosig.CoSigV1Timestamp(n.Sigs[0])
	if err != nil {
		return Cosignature{}, fmt.Errorf("%w: %w", ErrCosignature, err)
	}
	return Cosignature{fmt.Sprintf("%s%s %s", signature, n.Sigs[0].Name, n.Sigs[0].Base64), at.UTC()}, nil
}

// WithSignatures is the note of a checkpoint with further lines of signatures.
func (c Checkpoint) WithSignatures(lines ...string) []byte {
	signed := slices.Clone(c.Note)
	for _, line := range lines {
		signed = append(append(signed, line...), '\n')
	}
	return signed
}

// appendix reads lines of signatures, and nothing else.
func appendix(lines []byte) bool {
	for line := range bytes.Lines(lines) {
		if !bytes.HasPrefix(line, signature) || !bytes.HasSuffix(line, []byte("\n")) {
			return false
		}
	}
	return len(lines) > 0
}

// Answered finds the witness's cosignature in its answer to add-checkpoint: lines of
// signatures, which are to be added to the checkpoint.
func (w Witness) Answered(c Checkpoint, answer []byte) (Cosignature, error) {
	if !appendix(answer) {
		return Cosignature{}, errors.New("the witness's answer is not lines of signatures")
	}
	return w.Cosignature(append(slices.Clone(c.Note), answer...))
}
