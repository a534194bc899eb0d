package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
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
	row     *logrows.Row // if they make another
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
	reader := translog.NewReader(signed, v.log.Tiles(ctx))
	first := v.From.N / translog.TileWidth
	if v.From.N > signed.N {
		first = 0
	}
	if err := v.expect(ctx, first*translog.TileWidth); err != nil {
		return err
	}
	edge, err := v.log.Edge(ctx, first*translog.TileWidth)
	if errors.Is(err, logrows.ErrUnread) {
		return err
	}
	if err != nil {
		v.found(Finding{Class: Tampered, What: "tile", Detail: err.Error()})
		first, edge = 0, &translog.Edge{}
	}
	if err := v.before(reader, first*translog.TileWidth); err != nil {
		return err
	}
	if err := v.earlierActs(ctx, reader, first); err != nil {
		return err
	}
	err = v.eachChunk(ctx, first*translog.TileWidth, signed.N, func(ctx context.Context, c *chunk) error {
		n, complete := c.first/translog.TileWidth, (c.end-c.first)/translog.TileWidth
		roots, err := v.log.Roots(ctx, 0, n, n+complete)
		if err != nil {
			return err
		}
		proven, err := reader.Tiles(n, n+complete)
		if err != nil && !errors.Is(logrows.Damaged(err), logrows.ErrDamaged) {
			return err
		}
		for i := range complete {
			tile := c.leaves[i*translog.TileWidth : (i+1)*translog.TileWidth]
			if err := v.tile(ctx, edge, n+i, tile, roots[n+i], proven); err != nil {
				return err
			}
			if len(proven) > 0 {
				proven = proven[1:]
			}
		}
		v.last(ctx, edge, signed, c.leaves[complete*translog.TileWidth:])
		v.result.Leaves += int64(len(c.leaves))
		v.collect(c)
		if v.Progress != nil {
			v.Progress(c.end, signed.N)
		}
		return nil
	})
	if err != nil {
		return err
	}
	v.sameActs(signed)
	v.swaps()
	v.mismatches()
	return nil
}

// collect takes over what a chunk's leaves are about.
func (v *verification) collect(c *chunk) {
	v.known.merge(c.tallies)
	v.erasures = append(v.erasures, c.erasures...)
	v.adopt(c.adopted)
	v.actDigests.add(c.leaves)
	v.countRetired(c.leaves)
}

// tile verifies a complete tile and adds it to the edge. stored is its root in
// log_tiles; proven begins with its root in the signed tree, unless log_tiles is damaged.
func (v *verification) tile(ctx context.Context, edge *translog.Edge, n int64, leaves []storedLeaf, stored tlog.Hash, proven []tlog.Hash) error {
	table, rows := hashesOf(leaves)
	tableRoot, rowsRoot := translog.RootOfTile(table), translog.RootOfTile(rows)
	right := tableRoot // the hashes that are taken for those that were signed
	makes := func(root tlog.Hash) func([]tlog.Hash) bool {
		return func(hashes []tlog.Hash) bool { return translog.RootOfTile(hashes) == root }
	}
	switch {
	case len(proven) == 0 && stored != tableRoot: // one of the two was changed
		table, leaves = nil, slices.Clone(leaves)
		v.broken(brokenTile{leaves, makes(stored), &stored, func() {
			v.found(Finding{Class: Tampered, What: "tile", Detail: fmt.Sprintf("number %d of level 0", n)})
			v.blameRows(leaves)
		}})
	case len(proven) == 0 || proven[0] == tableRoot:
		v.blameRows(leaves)
	case proven[0] == rowsRoot:
		right, table = rowsRoot, rows
		v.blameLeaves(leaves)
	default:
		right, table, leaves = proven[0], nil, slices.Clone(leaves) // no tree that ends here can be made
		v.broken(brokenTile{leaves, makes(right), &right, func() { v.blameTile(leaves, "the leaves do not make the tile that was signed") }})
	}
	v.prefixes(edge, table)
	for _, above := range edge.AppendTile(right) {
		roots, err := v.log.Roots(ctx, above.Level, above.N, above.N+1)
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
func (v *verification) last(ctx context.Context, edge *translog.Edge, signed tlog.Tree, leaves []storedLeaf) {
	if edge.Size()+int64(len(leaves)) != signed.N {
		return // there is more to come
	}
	table, rows := hashesOf(leaves)
	makes := func(hashes []tlog.Hash) bool { return grown(edge, hashes) == signed }
	switch {
	case makes(table):
		v.blameRows(leaves)
	case makes(rows):
		table = rows
		v.blameLeaves(leaves)
	case len(leaves) > 0:
		table, leaves = nil, slices.Clone(leaves)
		v.broken(brokenTile{leaves, v.makesWithTiles(ctx, edge, signed), nil, func() { v.blameTile(leaves, "the leaves do not make the tree that was signed") }})
	default:
		v.found(Finding{Class: Tampered, What: "checkpoint", Detail: "the tiles do not make the tree that was signed"})
	}
	v.prefixes(edge, table)
}

// grown is the tree of an edge with more leaves.
func grown(edge *translog.Edge, hashes []tlog.Hash) tlog.Tree {
	e := edge.Clone()
	for _, h := range hashes {
		e.Append(h)
	}
	tree, err := e.Tree()
	if err != nil {
		return tlog.Tree{}
	}
	return tree
}

// makesWithTiles tells whether hashes make the tree that was signed, with the edge as it
// came out of the leaves, or as the tiles have it: leaves before it may be wrong.
func (v *verification) makesWithTiles(ctx context.Context, edge *translog.Edge, signed tlog.Tree) func([]tlog.Hash) bool {
	stored, err := v.log.Edge(ctx, edge.Size())
	return func(hashes []tlog.Hash) bool {
		return grown(edge, hashes) == signed || err == nil && grown(stored, hashes) == signed
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

// surplus finds what log_leaves holds beside the leaves of a tree. A row that nobody signed
// would seem to be known to the log.
func (v *verification) surplus(ctx context.Context, size int64) error {
	rows, err := v.Queries.SurplusLeaves(ctx, v.log.Conn, db.SurplusLeavesParams{FromIndex: v.From.N / translog.TileWidth * translog.TileWidth, Size: size})
	for _, first := range rows {
		v.found(Finding{Class: Tampered, What: "leaves", Leaf: &first, Detail: "log_leaves holds some from here on that are not in the tree that was signed"})
	}
	return err
}

// leaves reads the leaves from log_leaves. Those that are not there are marked.
func storedLeaves(ctx context.Context, r logrows.Reader, from, end int64) ([]storedLeaf, error) {
	rows, err := r.Queries.LeafRows(ctx, r.Conn, db.LeafRowsParams{FromIndex: from, EndIndex: end})
	if err != nil {
		return nil, err
	}
	leaves := make([]storedLeaf, end-from)
	for i := range leaves {
		leaves[i] = storedLeaf{index: from + int64(i), absent: true}
	}
	for _, row := range rows {
		for i := range min(len(row.Ids)/logrows.IDSize, len(row.Hashes)/tlog.HashSize) {
			at := row.FirstIndex + int64(i)
			if at >= end {
				break
			}
			id := row.Ids[i*logrows.IDSize : (i+1)*logrows.IDSize]
			leaves[at-from] = storedLeaf{
				index: at, kind: translog.Kind(id[0]), id: uuid.UUID(id[1:]), hash: tlog.Hash(row.Hashes[i*tlog.HashSize : (i+1)*tlog.HashSize]),
			}
		}
	}
	return leaves, nil
}
