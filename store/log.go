package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// LeafProof shows that the log has a leaf, and opens it as far as that can still be
// done.
type LeafProof struct {
	Index int64
	Proof tlog.RecordProof // to the root of the checkpoint
	logrows.Opened
}

// Checkpoint is the newest checkpoint of the log, or ErrNoLog.
func (s *Store) Checkpoint(ctx context.Context) (translog.Checkpoint, error) {
	v := s.sequencer.config.Verifier
	if v == nil {
		return translog.Checkpoint{}, ErrNoLog
	}
	c, err := s.reader().State(ctx, v)
	if err == nil && c.N == 0 {
		err = ErrNoLog
	}
	return c, knownLog(err)
}

func (s *Store) reader() logrows.Reader { return logrows.Reader{Queries: s.queries, Conn: s.reads} }

// knownLog is known, for errors that may also be the log's.
func knownLog(err error) error {
	for _, own := range []error{ErrRolledBack, ErrLogDamaged, ErrNoLog, ErrNotFound, ErrUnsequenced, ErrTampered} {
		if errors.Is(err, own) {
			return err
		}
	}
	return known(err)
}

// Tile gives the hashes of a tile of the newest checkpoint's tree, unchecked: who
// reads tiles checks them against a checkpoint. ErrNotFound if the tree does not
// reach so far.
func (s *Store) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	c, err := s.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if t.N*translog.TileWidth+int64(t.W) > c.N>>(translog.TileHeight*t.L) {
		return nil, ErrNotFound
	}
	data, err := s.reader().Tile(ctx, t)
	return data, knownLog(err)
}

// ProveGrowth proves that the tree of size to begins with the tree of size from.
// ErrBeyond if the log is not as large; 0 as to is the newest size.
func (s *Store) ProveGrowth(ctx context.Context, from, to int64) (older, newer tlog.Tree, proof tlog.TreeProof, c translog.Checkpoint, err error) {
	if c, err = s.Checkpoint(ctx); err != nil {
		return older, newer, nil, c, err
	}
	if to == 0 {
		to = c.N
	}
	if to > c.N || from > to {
		return older, newer, nil, c, ErrBeyond
	}
	read := s.reader().Tiles(ctx)
	newer = tlog.Tree{N: to, Hash: c.Hash}
	if to < c.N {
		if newer.Hash, _, err = translog.NewReader(c.Tree, read).Prefix(to); err != nil {
			return older, newer, nil, c, knownLog(logrows.Damaged(err))
		}
	}
	older.N = from
	older.Hash, proof, err = translog.NewReader(newer, read).Prefix(from)
	return older, newer, proof, c, knownLog(logrows.Damaged(err))
}

// ProveDelivery proves the leaves of a delivery: that of its receipt, and those of its
// replay and its erasure if there are any. Each is made again from what the database
// holds now, and held against the tree: ErrTampered if it is another.
func (s *Store) ProveDelivery(ctx context.Context, scope Scope, id uuid.UUID) ([]LeafProof, translog.Checkpoint, error) {
	c, err := s.Checkpoint(ctx)
	if err != nil {
		return nil, c, err
	}
	proofs, err := s.ProveDeliveryAt(ctx, scope, c, id)
	return proofs, c, err
}

// ProveDeliveryAt is ProveDelivery for a checkpoint that the caller has.
func (s *Store) ProveDeliveryAt(ctx context.Context, scope Scope, c translog.Checkpoint, id uuid.UUID) ([]LeafProof, error) {
	if _, err := s.Delivery(ctx, scope, id); err != nil {
		return nil, err
	}
	return s.proveLeaves(ctx, c, id)
}

func (s *Store) proveLeaves(ctx context.Context, c translog.Checkpoint, id uuid.UUID) ([]LeafProof, error) {
	found, err := s.reader().Locate(ctx, ReceivedAt(id), id)
	if err != nil {
		return nil, known(err)
	}
	received, err := s.evidenceOf(ctx, translog.Delivery, id)
	if err != nil {
		return nil, err
	}
	if received.ErasedAt != nil && received.Body == nil {
		erasure, err := s.reader().Locate(ctx, *received.ErasedAt, id)
		if err != nil {
			return nil, known(err)
		}
		found = append(found, erasure...)
	}
	if len(found) == 0 {
		return nil, ErrUnsequenced
	}
	tree := s.tiles.Reader(c.Tree, s.reader().Tiles(ctx))
	proofs := make([]LeafProof, 0, len(found))
	for _, at := range found {
		if at.Index >= c.N {
			continue // sequenced after the checkpoint was read
		}
		row := received
		if at.Kind == translog.Replay {
			if row, err = s.evidenceOf(ctx, at.Kind, id); err != nil {
				return nil, err
			}
		}
		o, err := logrows.Open(at.Kind, row)
		if err != nil {
			return nil, err
		}
		hash, proof, err := tree.Leaf(at.Index)
		if err != nil {
			// Perhaps the database was replaced by one with another log.
			s.tiles.Forget()
			tree = translog.NewReader(c.Tree, s.reader().Tiles(ctx))
			hash, proof, err = tree.Leaf(at.Index)
		}
		if err != nil {
			return nil, knownLog(logrows.Damaged(err))
		}
		if o.Leaf.Hash() != hash {
			return nil, fmt.Errorf("leaf %d, %s %s: %w", at.Index, at.Kind, id, ErrTampered)
		}
		proofs = append(proofs, LeafProof{at.Index, proof, o})
	}
	if len(proofs) == 0 {
		return nil, ErrUnsequenced
	}
	return proofs, nil
}

// evidenceOf reads what a leaf of a delivery was made from.
func (s *Store) evidenceOf(ctx context.Context, kind translog.Kind, id uuid.UUID) (*logrows.Row, error) {
	rows, err := s.queries.DeliveryEvidence(ctx, s.reads, db.DeliveryEvidenceParams{
		ReceivedAt: []time.Time{ReceivedAt(id)}, ID: []uuid.UUID{id}, Replayed: kind == translog.Replay,
	})
	if err != nil {
		return nil, known(err)
	}
	if len(rows) != 1 {
		return nil, ErrNotFound
	}
	return &rows[0], nil
}
