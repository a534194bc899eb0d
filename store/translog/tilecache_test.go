package translog_test

import (
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store/translog"
)

// What was read once is not read again, however the tree grows; and what another tree
// remembers is an error in this one, until it is forgotten.
func TestTilesAreRemembered(t *testing.T) {
	f := grow(70_000)
	var tiles translog.Tiles
	var asked []tlog.Tile
	read := func(missing []tlog.Tile) ([][]byte, error) {
		asked = append(asked, missing...)
		return f.read(missing)
	}
	for _, step := range []struct {
		more int   // leaves, before
		leaf int64 // to be proven
		want []tlog.Tile
	}{
		{0, 1000, []tlog.Tile{{H: 8, L: 2, N: 0, W: 1}, {H: 8, L: 1, N: 1, W: 17}, {H: 8, L: 0, N: 273, W: 112}, {H: 8, L: 1, N: 0, W: 256}, {H: 8, L: 0, N: 3, W: 256}}},
		{0, 1000, []tlog.Tile{{H: 8, L: 0, N: 3, W: 256}}},
		{0, 69_999, nil},
		{1, 2000, []tlog.Tile{{H: 8, L: 0, N: 273, W: 113}, {H: 8, L: 0, N: 7, W: 256}}},
	} {
		for range step.more {
			h := tlog.RecordHash([]byte{1})
			f.leaves = append(f.leaves, h)
			f.edge.Append(h)
		}
		asked = nil
		h, p, err := tiles.Reader(f.tree(t), read).Leaf(step.leaf)
		if err != nil || h != f.leaves[step.leaf] {
			t.Fatalf("leaf %d: %v, %v", step.leaf, h, err)
		}
		if err := tlog.CheckRecord(p, f.edge.Size(), f.tree(t).Hash, step.leaf, h); err != nil {
			t.Error(err)
		}
		if !slices.Equal(asked, step.want) {
			t.Errorf("leaf %d: read %v, want %v", step.leaf, asked, step.want)
		}
	}
	other := grow(69_000)
	other.leaves[0][0]++
	var edge translog.Edge
	other.roots = map[[2]int64]tlog.Hash{}
	for _, h := range other.leaves {
		for _, r := range edge.Append(h) {
			other.roots[[2]int64{int64(r.Level), r.N}] = r.Hash
		}
	}
	other.edge = edge
	if _, _, err := tiles.Reader(other.tree(t), other.read).Leaf(5); err == nil {
		t.Error("a tile of one tree is right in another")
	}
	tiles.Forget()
	if _, _, err := tiles.Reader(other.tree(t), other.read).Leaf(5); err != nil {
		t.Error(err)
	}
}
