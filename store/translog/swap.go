package translog

import (
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Tile is a complete lowest tile with all hashes within it, so that changing a leaf
// costs eight hashes.
type Tile struct{ levels [TileHeight + 1][]tlog.Hash }

// NewTile makes the tile of TileWidth hashes.
func NewTile(hashes []tlog.Hash) *Tile {
	t := &Tile{}
	t.levels[0] = slices.Clone(hashes)
	for l := range TileHeight {
		below := t.levels[l]
		t.levels[l+1] = make([]tlog.Hash, len(below)/2)
		for i := range t.levels[l+1] {
			t.levels[l+1][i] = tlog.NodeHash(below[2*i], below[2*i+1])
		}
	}
	return t
}

// Root is the hash over the tile.
func (t *Tile) Root() tlog.Hash { return t.levels[TileHeight][0] }

// Leaves are the tile's hashes. They must not be changed.
func (t *Tile) Leaves() []tlog.Hash { return t.levels[0] }

// Set changes a leaf.
func (t *Tile) Set(i int, h tlog.Hash) {
	t.levels[0][i] = h
	for l := range TileHeight {
		i /= 2
		t.levels[l+1][i] = tlog.NodeHash(t.levels[l][2*i], t.levels[l][2*i+1])
	}
}

// Swapped finds the two leaves that must change places for the tile to have a root, and
// has them do so.
func (t *Tile) Swapped(root tlog.Hash) (i, j int, ok bool) {
	for i := range TileWidth {
		for j := i + 1; j < TileWidth; j++ {
			a, b := t.levels[0][i], t.levels[0][j]
			t.Set(i, b)
			t.Set(j, a)
			if t.Root() == root {
				return i, j, true
			}
			t.Set(i, a)
			t.Set(j, b)
		}
	}
	return 0, 0, false
}

// Replaced finds the leaf that must be another, one of hashes, for the tile to have a
// root, and has it be so: leaf i is then hashes[j].
func (t *Tile) Replaced(root tlog.Hash, hashes []tlog.Hash) (i, j int, ok bool) {
	for i := range TileWidth {
		was := t.levels[0][i]
		for j, h := range hashes {
			if t.Set(i, h); t.Root() == root {
				return i, j, true
			}
		}
		t.Set(i, was)
	}
	return 0, 0, false
}
