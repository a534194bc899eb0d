package translog

import (
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	// TileHeight is the height of a tile in levels of the tree.
	TileHeight = 8
	// TileWidth is how many hashes a complete tile has.
	TileWidth = 1 << TileHeight
)

// Edge is the right edge of a growing tree: the incomplete tile of each level. It is
// all that appending needs. One goroutine owns it; the zero Edge is the empty tree.
type Edge struct {
	size   int64
	levels [][]tlog.Hash // of each level of tiles, those of its last tile; fewer than TileWidth
}

// TileRoot is the hash over a complete tile. It is a hash of the tile above.
type TileRoot struct {
	Level int
	N     int64
	Hash  tlog.Hash
}

// LoadEdge makes the edge of a tree of a size. read gives the hashes of a tile.
func LoadEdge(size int64, read func(level int, n int64, width int) ([]tlog.Hash, error)) (*Edge, error) {
	e := &Edge{size: size}
	for level, at := 0, size; at > 0; level, at = level+1, at/TileWidth {
		width := int(at % TileWidth)
		var hashes []tlog.Hash
		if width > 0 {
			var err error
			if hashes, err = read(level, at/TileWidth, width); err != nil {
				return nil, err
			}
			if len(hashes) != width {
				return nil, fmt.Errorf("tile %d of level %d has %d hashes where %d are needed", at/TileWidth, level, len(hashes), width)
			}
		}
		e.levels = append(e.levels, slices.Clone(hashes))
	}
	return e, nil
}

// Size is the number of leaves.
func (e *Edge) Size() int64 { return e.size }

// Clone copies the edge.
func (e *Edge) Clone() *Edge {
	c := &Edge{size: e.size, levels: make([][]tlog.Hash, len(e.levels))}
	for i, hashes := range e.levels {
		c.levels[i] = slices.Clone(hashes)
	}
	return c
}

// Append adds a leaf and returns the tiles that it completes, lowest first.
func (e *Edge) Append(h tlog.Hash) (complete []TileRoot) {
	e.size++
	return e.push(0, h)
}

// AppendTile adds the leaves of a complete tile by its root. The edge must stand at
// the start of a tile.
func (e *Edge) AppendTile(root tlog.Hash) (complete []TileRoot) {
	if e.size%TileWidth != 0 {
		panic("translog: a tile must follow a tile")
	}
	if len(e.levels) == 0 {
		e.levels = append(e.levels, nil)
	}
	e.size += TileWidth
	return e.push(1, root)
}

func (e *Edge) push(level int, h tlog.Hash) (complete []TileRoot) {
	for ; ; level++ {
		if level == len(e.levels) {
			e.levels = append(e.levels, nil)
		}
		e.levels[level] = append(e.levels[level], h)
		if len(e.levels[level]) < TileWidth {
			return complete
		}
		h = RootOfTile(e.levels[level])
		complete = append(complete, TileRoot{level, e.size>>(TileHeight*(level+1)) - 1, h})
		e.levels[level] = e.levels[level][:0]
	}
}

// RootOfTile is the hash over a complete tile.
func RootOfTile(hashes []tlog.Hash) tlog.Hash {
	row := slices.Clone(hashes)
	for len(row) > 1 {
		for i := range len(row) / 2 {
			row[i] = tlog.NodeHash(row[2*i], row[2*i+1])
		}
		row = row[:len(row)/2]
	}
	return row[0]
}

// Tree is the tree that has this edge.
func (e *Edge) Tree() (tlog.Tree, error) {
	root, err := tlog.TreeHash(e.size, tlog.HashReaderFunc(e.read))
	return tlog.Tree{N: e.size, Hash: root}, err
}

// read gives stored hashes that lie in the edge's tiles.
func (e *Edge) read(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		t := tlog.TileForIndex(TileHeight, index)
		if t.L >= len(e.levels) || t.N != e.size>>(TileHeight*(t.L+1)) {
			return nil, fmt.Errorf("hash %d is not on the edge", index)
		}
		var err error
		if hashes[i], err = tlog.HashFromTile(t, join(e.levels[t.L]), index); err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

func join(hashes []tlog.Hash) []byte {
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

// SplitHashes cuts concatenated hashes apart.
func SplitHashes(b []byte) ([]tlog.Hash, error) {
	if len(b)%tlog.HashSize != 0 {
		return nil, fmt.Errorf("%d bytes are not whole hashes", len(b))
	}
	hashes := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], b[i*tlog.HashSize:])
	}
	return hashes, nil
}
