package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// eraseOf takes a person out of acts by change, and queues the leaves that say so. An
// act that is not what its leaf committed to is not erased: that would hide what was
// done to it. Acts without a leaf are just changed.
func (x *erasing) eraseOf(ctx context.Context, kind translog.Kind, ids []uuid.UUID, change func() error) error {
	asked := db.ActsParams{Kind: kind.String(), Ids: ids}
	before, err := x.queries.Acts(ctx, x.tx, asked)
	if err != nil {
		return fmt.Errorf("reading acts of kind %s: %w", kind, err)
	}
	rows, err := x.queries.LoggedActs(ctx, x.tx, db.LoggedActsParams(asked))
	if err != nil {
		return fmt.Errorf("reading what leaves of kind %s are made of: %w", kind, err)
	}
	logged := make(map[uuid.UUID]*db.LoggedActsRow, len(rows))
	for i := range rows {
		if rows[i].Secret != nil {
			logged[rows[i].ID] = &rows[i]
		}
	}
	for i := range before {
		if l := logged[before[i].ID]; l != nil && !logrows.ActMakes(&before[i], l.Secret, l.Commitment) {
			return fmt.Errorf("%s %s: %w", kind, l.ID, ErrTampered)
		}
	}
	if err := change(); err != nil {
		return err
	}
	after, err := x.queries.Acts(ctx, x.tx, asked)
	if err != nil {
		return fmt.Errorf("reading acts of kind %s: %w", kind, err)
	}
	left := db.InsertActErasuresParams{Kind: kind.String(), ErasedAt: x.at, RequestID: x.request.ID}
	for i := range after {
		l := logged[after[i].ID]
		if l == nil {
			continue
		}
		secret, err := translog.NewSecret(x.random)
		if err != nil {
			return err
		}
		commitment := secret.Facts().Commit(logrows.ActFacts(&after[i]))
		l.ErasedAt, l.ErasedCommitment, l.RequestID = x.at, commitment[:], &x.request.ID
		leaf, _ := logrows.ActErasureLeaf(kind, l)
		left.Ids, left.Commitments = append(left.Ids, l.ID), append(left.Commitments, commitment[:])
		left.Secrets, left.Leaves = append(left.Secrets, secret[:]), append(left.Leaves, leaf.Append(nil))
	}
	if err := x.queries.InsertActErasures(ctx, x.tx, left); err != nil {
		return fmt.Errorf("writing what erasures of kind %s leave: %w", kind, err)
	}
	if err := x.queries.EraseActs(ctx, x.tx, db.EraseActsParams{Kind: kind.String(), Ids: left.Ids}); err != nil {
		return fmt.Errorf("erasing acts of kind %s: %w", kind, err)
	}
	return nil
}
