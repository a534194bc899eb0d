package store

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

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
		commitment := secret.Facts().Commit(logrows.ActFacts(r))
		logged := db.LoggedActsRow{ID: r.ID, At: r.At, DeliveryID: r.DeliveryID, Adopted: w.Adopted, Commitment: commitment[:]}
		if w.Adopted {
			logged.At = adoptedAt
		}
		leaf, _ := logrows.ActLeaf(kind, &logged)
		w.Ids, w.Ats, w.DeliveryIds = append(w.Ids, r.ID), append(w.Ats, logged.At), append(w.DeliveryIds, r.DeliveryID)
		w.Commitments, w.Secrets = append(w.Commitments, commitment[:]), append(w.Secrets, secret[:])
		w.Leaves = append(w.Leaves, leaf.Append(nil))
	}
	if err := a.queries.InsertActs(ctx, tx, w); err != nil {
		return fmt.Errorf("queueing leaves of kind %s: %w", kind, err)
	}
	return nil
}
