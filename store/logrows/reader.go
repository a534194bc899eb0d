// Package logrows reads the transparency log as PostgreSQL has it, and makes its leaves
// again from the rows that they commit to. Package translog does the arithmetic; who
// writes the rows is package store.
package logrows

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

// Reader reads the log as it is stored. What it gives is not to be believed before
// it was checked against a signed checkpoint.
type Reader struct {
	Queries *db.Queries
	Conn    db.DBTX // of one snapshot, if what it reads must fit together
}

// State opens the newest checkpoint; the empty tree if nothing was sequenced.
func (r Reader) State(ctx context.Context, v *translog.Verifier) (translog.Checkpoint, error) {
	state, err := r.Queries.GetLogState(ctx, r.Conn)
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

// Intact gives the newest checkpoint and the tree's edge. ErrRolledBack unless the one
// is of the other.
func (r Reader) Intact(ctx context.Context, v *translog.Verifier) (*translog.Edge, translog.Checkpoint, error) {
	state, err := r.State(ctx, v)
	if err != nil {
		return nil, state, err
	}
	edge, err := r.Edge(ctx, state.N)
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

// Continues is ErrRolledBack unless a tree begins with one that was signed before.
func (r Reader) Continues(ctx context.Context, state, before translog.Checkpoint) error {
	if state.N < before.N {
		return fmt.Errorf("%w: it has %d leaves, and %d were signed", ErrRolledBack, state.N, before.N)
	}
	if before.N == 0 {
		return nil
	}
	root, _, err := translog.NewReader(state.Tree, r.Tiles(ctx)).Prefix(before.N)
	if errors.Is(err, ErrUnread) {
		return err
	}
	if err != nil || root != before.Hash {
		return errors.Join(fmt.Errorf("%w: its first %d leaves are others", ErrRolledBack, before.N), err)
	}
	return nil
}

// Edge loads the right edge of the tree of a size.
func (r Reader) Edge(ctx context.Context, size int64) (*translog.Edge, error) {
	return translog.LoadEdge(size, func(level int, n int64, width int) ([]tlog.Hash, error) {
		data, err := r.Tile(ctx, tlog.Tile{H: translog.TileHeight, L: level, N: n, W: width})
		if err != nil {
			return nil, err
		}
		return translog.SplitHashes(data)
	})
}

// Tiles reads tiles for a translog.Reader, those of level 0 by one statement and the
// others by another.
func (r Reader) Tiles(ctx context.Context) translog.ReadTiles {
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
			rows, err := r.Queries.LeafTiles(ctx, r.Conn, leaves)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrUnread, err)
			}
			for _, row := range rows {
				found[number{0, row.N}] = row.Hashes
			}
		}
		if len(roots.N) > 0 {
			rows, err := r.Queries.RootTiles(ctx, r.Conn, roots)
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
				return nil, fmt.Errorf("%w: tile %s has %d bytes where %d are needed", ErrDamaged, t.Path(), len(data), want)
			}
			all[i] = data[:want]
		}
		return all, nil
	}
}

// Tile gives the first t.W hashes of a tile.
func (r Reader) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	data, err := r.Tiles(ctx)([]tlog.Tile{t})
	if err != nil {
		return nil, err
	}
	return data[0], nil
}

// Roots reads roots of tiles by their number; those that are not there are zero.
func (r Reader) Roots(ctx context.Context, level int, from, end int64) (map[int64]tlog.Hash, error) {
	rows, err := r.Queries.TileRoots(ctx, r.Conn, db.TileRootsParams{Level: int16(level), FromN: from, EndN: end}) //nolint:gosec // a level is small
	if err != nil {
		return nil, err
	}
	roots := make(map[int64]tlog.Hash, len(rows))
	for _, row := range rows {
		if len(row.Root) == tlog.HashSize {
			roots[row.N] = tlog.Hash(row.Root)
		}
	}
	return roots, nil
}

// TimesAtOnce is how many times the leaves of which are looked for by one statement.
const TimesAtOnce = 1000

// Located is where a leaf is.
type Located struct {
	Index int64
	Kind  translog.Kind
}

// Locate finds the leaves of an id and a time.
func (r Reader) Locate(ctx context.Context, at time.Time, id uuid.UUID) ([]Located, error) {
	rows, err := r.Queries.LeafRowsAt(ctx, r.Conn, at)
	if err != nil {
		return nil, err
	}
	var found []Located
	for _, row := range rows {
		for i, l := range IDsOf(row.Ids) {
			if l.ID() == id {
				found = append(found, Located{row.FirstIndex + i, l.Kind()})
			}
		}
	}
	return found, nil
}
