package translog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"
)

// Kind says what a leaf is about.
type Kind byte

// The kinds of leaf.
const (
	Delivery Kind = 1 // a delivery was received
	Replay   Kind = 2 // a delivery that was quarantined is understood now, as its facts say
	Erasure  Kind = 3 // the body of a delivery was erased: At is when, Body what was committed to
	Access   Kind = 4 // staff looked at something: an entry of the access log

	Retirement    Kind = 5 // deliveries were removed, since the time for which they are kept was over: At is when
	AccessErasure Kind = 6 // an entry of the access log no longer names a person: Facts are those that it has now, Body those it had
	Certificate   Kind = 7 // a person was erased, by the request that ID names: Facts is the statement of what was
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case Delivery:
		return "delivery"
	case Replay:
		return "replay"
	case Erasure:
		return "erasure"
	case Access:
		return "access"
	case AccessErasure:
		return "access erasure"
	case Certificate:
		return "certificate"
	case Retirement:
		return "retirement"
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// Leaf is a record of the log.
type Leaf struct {
	Kind    Kind
	ID      uuid.UUID // of the delivery, of the entry of the access log, of the retirement, or of the request
	At      time.Time // in whole microseconds: when it was received, erased or looked at
	StoreID int64
	Webhook string
	Body    Commitment // zero: the leaf is not about a body
	Facts   Commitment
}

const (
	leafVersion = 1
	leafFixed   = 2 + 16 + 8 + 8 + 2*CommitmentSize
)

// Append encodes the leaf: a version, the kind, the id, microseconds since 1970, the
// store (both big-endian), the two commitments, and the webhook to the end.
func (l Leaf) Append(b []byte) []byte {
	b = append(slices.Grow(b, leafFixed+len(l.Webhook)), leafVersion, byte(l.Kind))
	b = append(b, l.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(l.At.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(l.StoreID)) //nolint:gosec // two's complement is meant
	b = append(b, l.Body[:]...)
	b = append(b, l.Facts[:]...)
	return append(b, l.Webhook...)
}

// Hash is the hash of the leaf in the tree: tlog.RecordHash of what Append encodes,
// without memory of its own.
func (l Leaf) Hash() tlog.Hash {
	const usual, leaf = 256, 0 // bytes at most; what RFC 6962 puts before a leaf
	room := [usual]byte{leaf}
	return sha256.Sum256(l.Append(room[:1]))
}

// ErrLeaf says that bytes are not a leaf of this version.
var ErrLeaf = errors.New("not a leaf that this program knows")

// ParseLeaf decodes what Append encodes.
func ParseLeaf(b []byte) (Leaf, error) {
	if len(b) < leafFixed || b[0] != leafVersion {
		return Leaf{}, ErrLeaf
	}
	l := Leaf{Kind: Kind(b[1]), ID: uuid.UUID(b[2:18])}
	l.At = time.UnixMicro(int64(binary.BigEndian.Uint64(b[18:]))).UTC() //nolint:gosec // as it was written
	l.StoreID = int64(binary.BigEndian.Uint64(b[26:]))                  //nolint:gosec // as it was written
	l.Body, l.Facts = Commitment(b[34:66]), Commitment(b[66:98])
	l.Webhook = string(b[leafFixed:])
	return l, nil
}
