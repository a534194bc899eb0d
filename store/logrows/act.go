package logrows

import (
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// An act is a row that staff wrote, as the view acts shows it. The log knows of an entry
// of the access log without the view: see access.go.

// ActFacts are the facts of an act, as its leaf commits to them. What cannot be read
// breaks the commitment.
func ActFacts(a *db.ActsRow) []byte {
	var facts translog.ActFacts
	_ = json.Unmarshal(a.Facts, &facts)
	return facts.Append(nil)
}

// ActMakes reports whether an act's facts are those that were committed to.
func ActMakes(a *db.ActsRow, secret, commitment []byte) bool {
	if len(secret) != len(translog.Secret{}) || len(commitment) != translog.CommitmentSize {
		return false
	}
	return translog.Secret(secret).Facts().Commit(ActFacts(a)) == translog.Commitment(commitment)
}

// ActLeaf is the log's record of an act.
func ActLeaf(kind translog.Kind, l *db.LoggedActsRow) (translog.Leaf, bool) {
	if len(l.Commitment) != translog.CommitmentSize {
		return translog.Leaf{}, false
	}
	return translog.Leaf{Kind: kind, ID: l.ID, At: l.At, Webhook: beside(l), Facts: translog.Commitment(l.Commitment)}, true
}

// beside is what the leaf of an act says without a secret.
func beside(l *db.LoggedActsRow) string {
	var words []string
	if l.Adopted {
		words = append(words, "adopted")
	}
	if l.DeliveryID != uuid.Nil {
		words = append(words, "delivery "+l.DeliveryID.String())
	}
	return strings.Join(words, " ")
}

// ActErasureLeaf is the leaf that says that a person was erased of an act, by which
// request, and what the act says since.
func ActErasureLeaf(kind translog.Kind, l *db.LoggedActsRow) (translog.Leaf, bool) {
	if l.ErasedAt.IsZero() || len(l.Commitment) != translog.CommitmentSize || len(l.ErasedCommitment) != translog.CommitmentSize {
		return translog.Leaf{}, false
	}
	return translog.Leaf{
		Kind: kind.ErasureOf(), ID: l.ID, At: l.ErasedAt, Webhook: db.OrZero(l.RequestID).String(),
		Body: translog.Commitment(l.Commitment), Facts: translog.Commitment(l.ErasedCommitment),
	}, true
}

// NumberedID is the id of an act whose row has a number, as the view acts makes it.
func NumberedID(n int64) (id uuid.UUID) {
	for i := range 8 {
		id[15-i] = byte(n >> (8 * i)) //nolint:gosec // its bytes are meant
	}
	return id
}

// NumberOf is the number of which NumberedID made an id.
func NumberOf(id uuid.UUID) (n int64) {
	for _, b := range id[8:] {
		n = n<<8 | int64(b)
	}
	return n
}
