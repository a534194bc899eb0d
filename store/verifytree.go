package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// storedLeaf is a leaf as the log's table has it, and as it comes out of the rows.
type storedLeaf struct {
	index   int64
	kind    translog.Kind
	id      uuid.UUID
	hash    tlog.Hash
	absent  bool         // the table has no such leaf
	now     tlog.Hash    // from the rows; zero if it cannot be made
	row     *evidenceRow // if they make another
	retired *retirement  // of a delivery whose row is gone by the rules
	fault   *Finding     // why now is not hash, to be told if the table's leaf is right
}

func (l *storedLeaf) finding(class Class, what, detail string) Finding {
	return Finding{Class: class, What: what, Leaf: &l.index, Detail: detail}.about(l.kind, l.id)
}

// blame notes why the rows do not make the leaf.
func (l *storedLeaf) blame(class Class, what, detail string) (right bool) {
	f := l.finding(class, what, detail)
	l.fault = &f
	return false
}

// tree verifies the leaves, tiles and checkpoints of a tree. At each tile it holds
// three things against each other: the root that the signed tree has for it, the
// hashes in log_leaves, and those made again from the rows.
func (v *verification) tree(ctx context.Context, signed tlog.Tree) error {
	trees, err := v.trees(ctx)
	if err != nil {
		return err
	}
	reader := translog.NewReader(signed, v.log.tiles(ctx))
	first := v.From.N / translog.TileWidth
	if v.From.N > signed.N {
		first = 0
	}
	edge, err := v.log.edge(ctx, first*translog.TileWidth)
	if err != nil {
		v.found(Finding{Class: Tampered, What: "tile", Detail: err.Error()})
		first, edge = 0, &translog.Edge{}
	}
	return v.eachChunk(ctx, first*translog.TileWidth, signed.N, func(ctx context.Context, c *chunk) error {
		n, complete := c.first/translog.TileWidth, (c.end-c.first)/translog.TileWidth
		roots, err := v.log.roots(ctx, 0, n, n+complete)
		if err != nil {
			return err
		}
		proven, err := reader.Tiles(n, n+complete)
		if err != nil && !errors.Is(damaged(err), ErrLogDamaged) {
			return err
		}
		for i := range complete {
			tile := c.leaves[i*translog.TileWidth : (i+1)*translog.TileWidth]
			if err := v.tile(ctx, edge, trees, n+i, tile, roots[n+i], proven); err != nil {
				return err
			}
			if len(proven) > 0 {
				proven = proven[1:]
			}
		}
		v.last(edge, signed, trees, c.leaves[complete*translog.TileWidth:])
		v.result.Leaves += int64(len(c.leaves))
		v.known.merge(c.tallies)
		v.erasures = append(v.erasures, c.erasures...)
		v.countRetired(c.leaves)
		if v.Progress != nil {
			v.Progress(c.end, signed.N)
		}
		return nil
	})
}

// tile verifies a complete tile and adds it to the edge. stored is its root in
// log_tiles; proven begins with its root in the signed tree, unless log_tiles is damaged.
func (v *verification) tile(ctx context.Context, edge *translog.Edge, trees map[int64][]tlog.Hash, n int64, leaves []storedLeaf, stored tlog.Hash, proven []tlog.Hash) error {
	table, rows := hashesOf(leaves)
	tableRoot, rowsRoot := translog.RootOfTile(table), translog.RootOfTile(rows)
	right := tableRoot // the hashes that are taken for those that were signed
	switch {
	case len(proven) == 0 && stored != tableRoot:
		v.found(Finding{Class: Tampered, What: "tile", Detail: fmt.Sprintf("number %d of level 0", n)})
		v.blameRows(leaves)
	case len(proven) == 0 || proven[0] == tableRoot:
		v.blameRows(leaves)
	case proven[0] == rowsRoot:
		right, table = rowsRoot, rows
		v.blameLeaves(leaves)
	default:
		right, table = proven[0], nil // no tree that ends here can be made
		v.blameTile(leaves, "the leaves do not make the tile that was signed")
	}
	v.prefixes(edge, trees, table)
	for _, above := range edge.AppendTile(right) {
		roots, err := v.log.roots(ctx, above.Level, above.N, above.N+1)
		if err != nil {
			return err
		}
		if roots[above.N] != above.Hash {
			v.found(Finding{Class: Tampered, What: "tile", Detail: fmt.Sprintf("number %d of level %d", above.N, above.Level)})
		}
	}
	return nil
}

// last verifies the leaves behind the last complete tile, and the root.
func (v *verification) last(edge *translog.Edge, signed tlog.Tree, trees map[int64][]tlog.Hash, leaves []storedLeaf) {
	if edge.Size()+int64(len(leaves)) != signed.N {
		return // there is more to come
	}
	table, rows := hashesOf(leaves)
	makes := func(hashes []tlog.Hash) bool {
		e := edge.Clone()
		for _, h := range hashes {
			e.Append(h)
		}
		tree, err := e.Tree()
		return err == nil && tree == signed
	}
	switch {
	case makes(table):
		v.blameRows(leaves)
	case makes(rows):
		table = rows
		v.blameLeaves(leaves)
	case len(leaves) > 0:
		table = nil
		v.blameTile(leaves, "the leaves do not make the tree that was signed")
	default:
		v.found(Finding{Class: Tampered, What: "checkpoint", Detail: "the tiles do not make the tree that was signed"})
	}
	v.prefixes(edge, trees, table)
}

// prefixes compares the trees that end within a tile with those that were signed.
func (v *verification) prefixes(edge *translog.Edge, trees map[int64][]tlog.Hash, hashes []tlog.Hash) {
	for size, roots := range trees {
		more := size - edge.Size()
		if more < 1 || more > int64(len(hashes)) {
			continue
		}
		e := edge.Clone()
		for _, h := range hashes[:more] {
			e.Append(h)
		}
		tree, err := e.Tree()
		for _, root := range roots {
			if err != nil || tree.Hash != root {
				v.found(Finding{Class: Tampered, What: "checkpoint", Detail: fmt.Sprintf("the log does not begin with the tree of %d leaves that was signed", size)})
			}
		}
	}
}

// hashesOf gives the hashes of the table, and those of the rows where they can be made.
func hashesOf(leaves []storedLeaf) (table, rows []tlog.Hash) {
	for _, l := range leaves {
		table = append(table, l.hash)
		if l.now == (tlog.Hash{}) {
			l.now = l.hash
		}
		rows = append(rows, l.now)
	}
	return table, rows
}

// blameRows tells what is wrong with the rows: the leaves are right.
func (v *verification) blameRows(leaves []storedLeaf) {
	for i := range leaves {
		switch l := &leaves[i]; {
		case l.absent:
			v.found(Finding{Class: Missing, What: "leaf", Leaf: &l.index})
		case l.fault != nil:
			v.found(*l.fault)
		case l.now != l.hash:
			v.found(diagnose(l))
		}
	}
}

// blameLeaves tells what is wrong with the leaves: the rows are right.
func (v *verification) blameLeaves(leaves []storedLeaf) {
	for i := range leaves {
		switch l := &leaves[i]; {
		case l.fault != nil:
			v.found(*l.fault)
		case l.now != l.hash:
			v.found(l.finding(Tampered, "leaf", "its hash in log_leaves was changed"))
		}
	}
}

// blameTile tells that leaves are wrong, and which ones as far as can be said.
func (v *verification) blameTile(leaves []storedLeaf, why string) {
	first, last := leaves[0].index, leaves[len(leaves)-1].index
	v.found(Finding{Class: Tampered, What: "leaves", Leaf: &first, Detail: fmt.Sprintf("up to leaf %d: %s", last, why)})
	for i := range leaves {
		switch l := &leaves[i]; {
		case l.absent:
			v.found(Finding{Class: Missing, What: "leaf", Leaf: &l.index})
		case l.fault != nil:
			v.found(*l.fault)
		case l.now != l.hash:
			v.found(l.finding(Tampered, "leaf", "the rows make another leaf"))
		}
	}
}

// leaves reads the leaves from log_leaves. Those that are not there are marked.
func (r logReader) leaves(ctx context.Context, from, end int64) ([]storedLeaf, error) {
	rows, err := r.queries.LeafRows(ctx, r.conn, db.LeafRowsParams{FromIndex: from, EndIndex: end})
	if err != nil {
		return nil, err
	}
	leaves := make([]storedLeaf, end-from)
	for i := range leaves {
		leaves[i] = storedLeaf{index: from + int64(i), absent: true}
	}
	for _, row := range rows {
		for i := range min(len(row.Ids)/idSize, len(row.Hashes)/tlog.HashSize) {
			at := row.FirstIndex + int64(i)
			if at >= end {
				break
			}
			id := row.Ids[i*idSize : (i+1)*idSize]
			leaves[at-from] = storedLeaf{
				index: at, kind: translog.Kind(id[0]), id: uuid.UUID(id[1:]), hash: tlog.Hash(row.Hashes[i*tlog.HashSize : (i+1)*tlog.HashSize]),
			}
		}
	}
	return leaves, nil
}

// roots reads roots of tiles by their number; those that are not there are zero.
func (r logReader) roots(ctx context.Context, level int, from, end int64) (map[int64]tlog.Hash, error) {
	rows, err := r.queries.TileRoots(ctx, r.conn, db.TileRootsParams{Level: int16(level), FromN: from, EndN: end}) //nolint:gosec // a level is small
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
