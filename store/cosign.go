package store

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// ErrNotCosigned says that no witness has cosigned a checkpoint yet.
var ErrNotCosigned = errors.New("no witness has cosigned a checkpoint")

// KeepCosignature keeps what a witness says of a checkpoint, which the caller has
// checked.
func (s *Store) KeepCosignature(ctx context.Context, c translog.Checkpoint, w translog.Witness, said translog.Cosignature) error {
	err := s.queries.InsertCosignature(ctx, s.writes, db.InsertCosignatureParams{
		Size: c.N, Checkpoint: c.Note, Witness: w.ID(), Line: said.Line, ReceivedAt: s.now(),
	})
	if err != nil {
		return fmt.Errorf("keeping a cosignature: %w", known(err))
	}
	return nil
}

// CosignedUpTo is the size of the largest tree that a witness cosigned, as far as is
// kept here.
func (s *Store) CosignedUpTo(ctx context.Context, w translog.Witness) (int64, error) {
	size, err := s.queries.CosignedUpTo(ctx, s.reads, w.ID())
	return size, known(err)
}

// Cosigned is the newest checkpoint that a witness has cosigned, with all cosignatures
// that are kept of it. ErrNotCosigned if there is none.
func (s *Store) Cosigned(ctx context.Context) (translog.Checkpoint, error) {
	return s.CosignedBefore(ctx, math.MaxInt64)
}

// CosignedBefore is Cosigned, among the checkpoints of at most a size.
func (s *Store) CosignedBefore(ctx context.Context, size int64) (translog.Checkpoint, error) {
	v := s.sequencer.config.Verifier
	if v == nil {
		return translog.Checkpoint{}, ErrNoLog
	}
	kept, err := s.queries.NewestCosigned(ctx, s.reads, size)
	if errors.Is(err, pgx.ErrNoRows) {
		return translog.Checkpoint{}, ErrNotCosigned
	}
	if err != nil {
		return translog.Checkpoint{}, known(err)
	}
	c, err := v.Open(kept.Checkpoint)
	if err != nil || c.N != kept.Size {
		return c, errors.Join(fmt.Errorf("%w: the checkpoint of size %d that was cosigned", ErrLogDamaged, kept.Size), err)
	}
	lines, err := s.queries.CosignatureLines(ctx, s.reads, kept.Size)
	c.Note = c.WithSignatures(lines...)
	return c, known(err)
}
