package store

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// An act is a row that staff wrote, as the view acts shows it. The log knows of an entry
// of the access log without the view: see access.go.

// actFacts are the facts of an act, as its leaf commits to them. What cannot be read
// breaks the commitment.
func actFacts(a *db.ActsRow) []byte {
	var facts translog.ActFacts
	_ = json.Unmarshal(a.Facts, &facts)
	return facts.Append(nil)
}

// actLeaf is the log's record of an act.
func actLeaf(kind translog.Kind, l *db.LoggedActsRow) (translog.Leaf, bool) {
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

// actLog writes leaves of acts.
type actLog struct {
	queries *db.Queries
	random  io.Reader
}

func (s *Store) acts() actLog { return actLog{s.queries, s.random} }

// add queues the leaves of acts whose rows a transaction has just written.
func (a actLog) add(ctx context.Context, tx db.DBTX, kind translog.Kind, ids ...uuid.UUID) error {
	return a.write(ctx, tx, kind, ids, time.Time{})
}

// write queues leaves of acts. adoptedAt is when they were found without one, or zero.
func (a actLog) write(ctx context.Context, tx db.DBTX, kind translog.Kind, ids []uuid.UUID, adoptedAt time.Time) error {
	rows, err := a.queries.Acts(ctx, tx, db.ActsParams{Kind: kind.String(), Ids: ids})
	if err != nil {
		return fmt.Errorf("reading acts of kind %s: %w", kind, err)
	}
	w := db.InsertActsParams{Kind: kind.String(), Adopted: !adoptedAt.IsZero()}
	for i := range rows {
		r := &rows[i]
		secret, err := translog.NewSecret(a.random)
		if err != nil {
			return err
		}
		commitment := secret.Facts().Commit(actFacts(r))
		logged := db.LoggedActsRow{ID: r.ID, At: r.At, DeliveryID: r.DeliveryID, Adopted: w.Adopted, Commitment: commitment[:]}
		if w.Adopted {
			logged.At = adoptedAt
		}
		leaf, _ := actLeaf(kind, &logged)
		w.Ids, w.Ats, w.DeliveryIds = append(w.Ids, r.ID), append(w.Ats, logged.At), append(w.DeliveryIds, r.DeliveryID)
		w.Commitments, w.Secrets = append(w.Commitments, commitment[:]), append(w.Secrets, secret[:])
		w.Leaves = append(w.Leaves, leaf.Append(nil))
	}
	if err := a.queries.InsertActs(ctx, tx, w); err != nil {
		return fmt.Errorf("queueing leaves of kind %s: %w", kind, err)
	}
	return nil
}

// numbered is the id of an act whose row has a number, as the view acts makes it.
func numbered(n int64) (id uuid.UUID) {
	for i := range 8 {
		id[15-i] = byte(n >> (8 * i)) //nolint:gosec // its bytes are meant
	}
	return id
}

// numberOf is the number of which numbered made an id.
func numberOf(id uuid.UUID) (n int64) {
	for _, b := range id[8:] {
		n = n<<8 | int64(b)
	}
	return n
}
