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

	// Acts of staff. Facts are those of the row that they wrote.
	Note            Kind = 8  // an event was given a disposition, or a comment
	Hold            Kind = 9  // a legal hold was placed
	Lift            Kind = 10 // the hold that ID names was lifted
	Policy          Kind = 11 // it was said how long deliveries are kept
	ErasureRequest  Kind = 12 // the erasure of a person was asked for
	ErasureDecision Kind = 13 // it was approved, rejected or withdrawn
	ErasureResult   Kind = 14 // the request that ID names was carried out
	EarlyAccess     Kind = 15 // staff looked at something before the log had entries of the access log

	// An act no longer names a person: Facts are those that it has now, Body those it had.
	NoteErasure        Kind = 16
	HoldErasure        Kind = 17
	EarlyAccessErasure Kind = 18
)

// Acts are the kinds of leaf that are about acts of staff, but for entries of the access
// log. Those of the erasure of an act follow them.
var Acts = []Kind{Note, Hold, Lift, Policy, ErasureRequest, ErasureDecision, ErasureResult, EarlyAccess}

// OfAct says whether a leaf is about an act of staff, or the erasure of one.
func (k Kind) OfAct() bool { return k >= Note && k <= EarlyAccessErasure }

// ErasureOf is the kind of leaf that says that an act of this kind was erased; 0 if none is.
func (k Kind) ErasureOf() Kind {
	switch k {
	case Note:
		return NoteErasure
	case Hold:
		return HoldErasure
	case EarlyAccess:
		return EarlyAccessErasure
	}
	return 0
}

// Erased is the kind of act of whose erasure a leaf of this kind speaks; 0 if of none.
func (k Kind) Erased() Kind {
	for _, act := range Acts {
		if k != 0 && act.ErasureOf() == k {
			return act
		}
	}
	return 0
}

var actNames = map[Kind]string{
	Note: "note", Hold: "hold", Lift: "lift", Policy: "policy", ErasureRequest: "erasure request", ErasureDecision: "erasure decision",
	ErasureResult: "erasure result", EarlyAccess: "early access",
	NoteErasure: "note erasure", HoldErasure: "hold erasure", EarlyAccessErasure: "early access erasure",
}

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
	if name, ok := actNames[k]; ok {
		return name
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// Leaf is a record of the log.
type Leaf struct {
	Kind    Kind
	ID      uuid.UUID // of the delivery, of the entry of the access log, of the retirement, of the request, or of the act
	At      time.Time // in whole microseconds: when it was received, erased, looked at, done, or adopted
	StoreID int64
	Webhook string     // of an act: what else is to be known of it when its row is gone
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
