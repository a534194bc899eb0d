package logrows

import (
	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// AccessLeaf is the log's record of an entry of the access log.
func AccessLeaf(r *db.AccessEvidenceRow, secret translog.Secret) translog.Leaf {
	facts := translog.AccessFacts{
		TokenID: r.TokenID, Action: r.Action, Path: r.Path, Query: r.Query, RemoteAddr: r.RemoteAddr, Status: int64(db.OrZero(r.Status)), Rows: r.Rows, Detail: r.Detail,
	}
	return translog.Leaf{Kind: translog.Access, ID: db.OrZero(r.EntryID), At: r.At, Facts: secret.Facts().Commit(facts.Append(nil))}
}

// ErasedAccessLeaf is the leaf of an entry of which a person was erased, as it was.
func ErasedAccessLeaf(r *db.AccessEvidenceRow) (l translog.Leaf, ok bool) {
	if r.ErasedAt == nil || len(r.FactsCommitment) != translog.CommitmentSize || len(r.ErasureSecret) != len(translog.Secret{}) {
		return l, false
	}
	return translog.Leaf{Kind: translog.Access, ID: db.OrZero(r.EntryID), At: r.At, Facts: translog.Commitment(r.FactsCommitment)}, true
}

// AccessErasureLeaf is the leaf that says that a person was erased of an entry, by
// which request, and what the entry says since.
func AccessErasureLeaf(r *db.AccessEvidenceRow) translog.Leaf {
	l := AccessLeaf(r, translog.Secret(r.ErasureSecret))
	l.Kind, l.Body = translog.AccessErasure, translog.Commitment(r.FactsCommitment)
	l.At, l.Webhook = *r.ErasedAt, db.OrZero[uuid.UUID](r.RequestID).String()
	return l
}
