package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// logReader reads the log as it is stored. What it gives is not to be believed before
// it was checked against a signed checkpoint.
type logReader struct {
	queries *db.Queries
	conn    db.DBTX
}

// state opens the newest checkpoint; the empty tree if nothing was sequenced.
func (r logReader) state(ctx context.Context, v *translog.Verifier) (translog.Checkpoint, error) {
	state, err := r.queries.GetLogState(ctx, r.conn)
	if errors.Is(err, pgx.ErrNoRows) {
		root, err := tlog.TreeHash(0, nil)
		return translog.Checkpoint{Tree: tlog.Tree{Hash: root}}, err
	}
	if err != nil {
		return translog.Checkpoint{}, err
	}
	c, err := v.Open(state.Checkpoint)
	if err != nil {
		return c, fmt.Errorf("%w: its checkpoint: %w", ErrRolledBack, err)
	}
	if c.N != state.Size || string(c.Hash[:]) != string(state.Root) {
		return c, fmt.Errorf("%w: its state is not that of its checkpoint", ErrRolledBack)
	}
	return c, nil
}

// intact gives the newest checkpoint and the tree's edge. ErrRolledBack unless the one
// is of the other.
func (r logReader) intact(ctx context.Context, v *translog.Verifier) (*translog.Edge, translog.Checkpoint, error) {
	state, err := r.state(ctx, v)
	if err != nil {
		return nil, state, err
	}
	edge, err := r.edge(ctx, state.N)
	if err != nil {
		return nil, state, err
	}
	tree, err := edge.Tree()
	if err != nil {
		return nil, state, err
	}
	if tree != state.Tree {
		return nil, state, fmt.Errorf("%w: its leaves or tiles do not make the tree of its checkpoint", ErrRolledBack)
	}
	return edge, state, nil
}

// continues is ErrRolledBack unless a tree begins with one that was signed before.
func (r logReader) continues(ctx context.Context, state, before translog.Checkpoint) error {
	if state.N < before.N {
		return fmt.Errorf("%w: it has %d leaves, and %d were signed", ErrRolledBack, state.N, before.N)
	}
	if before.N == 0 {
		return nil
	}
	root, _, err := translog.NewReader(state.Tree, r.tiles(ctx)).Prefix(before.N)
	if errors.Is(err, ErrUnread) {
		return err
	}
	if err != nil || root != before.Hash {
		return errors.Join(fmt.Errorf("%w: its first %d leaves are others", ErrRolledBack, before.N), err)
	}
	return nil
}

// edge loads the right edge of the tree of a size.
func (r logReader) edge(ctx context.Context, size int64) (*translog.Edge, error) {
	return translog.LoadEdge(size, func(level int, n int64, width int) ([]tlog.Hash, error) {
		data, err := r.tile(ctx, tlog.Tile{H: translog.TileHeight, L: level, N: n, W: width})
		if err != nil {
			return nil, err
		}
		return translog.SplitHashes(data)
	})
}

// tiles reads tiles for a translog.Reader, those of level 0 by one statement and the
// others by another.
func (r logReader) tiles(ctx context.Context) translog.ReadTiles {
	return func(tiles []tlog.Tile) ([][]byte, error) {
		var leaves []int64
		var roots db.RootTilesParams
		for _, t := range tiles {
			if t.L == 0 {
				leaves = append(leaves, t.N)
			} else {
				roots.Level, roots.N = append(roots.Level, int16(t.L-1)), append(roots.N, t.N) //nolint:gosec // a level is small
			}
		}
		type number struct {
			level int
			n     int64
		}
		found := map[number][]byte{}
		if len(leaves) > 0 {
			rows, err := r.queries.LeafTiles(ctx, r.conn, leaves)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrUnread, err)
			}
			for _, row := range rows {
				found[number{0, row.N}] = row.Hashes
			}
		}
		if len(roots.N) > 0 {
			rows, err := r.queries.RootTiles(ctx, r.conn, roots)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrUnread, err)
			}
			for _, row := range rows {
				found[number{int(row.Level) + 1, row.N}] = row.Hashes
			}
		}
		all := make([][]byte, len(tiles))
		for i, t := range tiles {
			data, want := found[number{t.L, t.N}], t.W*tlog.HashSize
			if len(data) < want {
				return nil, fmt.Errorf("%w: tile %s has %d bytes where %d are needed", ErrLogDamaged, t.Path(), len(data), want)
			}
			all[i] = data[:want]
		}
		return all, nil
	}
}

// tile gives the first t.W hashes of a tile.
func (r logReader) tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	data, err := r.tiles(ctx)([]tlog.Tile{t})
	if err != nil {
		return nil, err
	}
	return data[0], nil
}

// located is where a leaf is.
type located struct {
	index int64
	kind  translog.Kind
}

// locate finds the leaves of an id and a time.
func (r logReader) locate(ctx context.Context, at time.Time, id uuid.UUID) ([]located, error) {
	rows, err := r.queries.LeafRowsAt(ctx, r.conn, at)
	if err != nil {
		return nil, err
	}
	var found []located
	for _, row := range rows {
		for i, l := range leafIDsOf(row.Ids) {
			if l.id() == id {
				found = append(found, located{row.FirstIndex + i, l.kind()})
			}
		}
	}
	return found, nil
}

// damaged says of an error in reading tiles that the log is damaged, unless the
// database could not be read.
func damaged(err error) error {
	for _, other := range []error{nil, ErrUnread, context.Canceled, ErrLogDamaged} {
		if errors.Is(err, other) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrLogDamaged, err)
}
