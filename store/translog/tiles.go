package translog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// ReadTiles reads the hashes of tiles, concatenated, as they are stored. It need not
// check them: a [Reader] does.
type ReadTiles func(tiles []tlog.Tile) ([][]byte, error)

// Reader gives hashes of a tree, proven to be of that tree. It remembers the tiles that
// it read. One goroutine owns it.
type Reader struct {
	tree   tlog.Tree
	hashes tlog.HashReader
}

// NewReader reads a tree, which the caller trusts, from tiles, which nobody need.
func NewReader(tree tlog.Tree, read ReadTiles) Reader {
	return (*Tiles)(nil).Reader(tree, read)
}

// Leaf proves that the tree has a leaf at an index, and gives the leaf's hash.
func (r Reader) Leaf(index int64) (tlog.Hash, tlog.RecordProof, error) {
	if index < 0 || index >= r.tree.N {
		return tlog.Hash{}, nil, fmt.Errorf("leaf %d is not in a tree of %d", index, r.tree.N)
	}
	hashes, err := r.hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
	if err != nil {
		return tlog.Hash{}, nil, err
	}
	proof, err := tlog.ProveRecord(r.tree.N, index, r.hashes)
	return hashes[0], proof, err
}

// Tiles gives the roots of the complete lowest tiles from n up to (not including) end.
func (r Reader) Tiles(n, end int64) ([]tlog.Hash, error) {
	indexes := make([]int64, 0, end-n)
	for ; n < end; n++ {
		indexes = append(indexes, tlog.StoredHashIndex(TileHeight, n))
	}
	return r.hashes.ReadHashes(indexes)
}

// Prefix proves that the tree begins with the tree of a size, and gives its root.
func (r Reader) Prefix(size int64) (tlog.Hash, tlog.TreeProof, error) {
	if size < 0 || size > r.tree.N {
		return tlog.Hash{}, nil, fmt.Errorf("a tree of %d has no prefix of %d", r.tree.N, size)
	}
	root, err := tlog.TreeHash(size, r.hashes)
	if err != nil || size == 0 {
		return root, nil, err
	}
	proof, err := tlog.ProveTree(r.tree.N, size, r.hashes)
	return root, proof, err
}

// tileReader keeps the tiles that were found to be right: one proof reads most of them
// again and again.
type tileReader struct {
	read  ReadTiles
	right map[tlog.Tile][]byte
	known *Tiles // nil: nothing was read before
}

func (t tileReader) Height() int { return TileHeight }

func (t tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	all := make([][]byte, len(tiles))
	var missing []tlog.Tile
	for i, tile := range tiles {
		if all[i] = t.right[tile]; all[i] == nil {
			all[i] = t.known.get(tile)
		}
		if all[i] == nil {
			missing = append(missing, tile)
		}
	}
	if len(missing) == 0 {
		return all, nil
	}
	data, err := t.read(missing)
	if err != nil {
		return nil, err
	}
	if len(data) != len(missing) {
		return nil, errors.New("not all tiles were read")
	}
	for i := range all {
		if all[i] == nil {
			all[i], data = data[0], data[1:]
		}
	}
	return all, nil
}

func (t tileReader) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for i, tile := range tiles {
		t.right[tile] = data[i]
		t.known.put(tile, data[i])
	}
}

// ErrTilePath says that a path names no tile.
var ErrTilePath = errors.New("not the path of a tile")

// ParseTilePath reads the end of a C2SP tile path (c2sp.org/tlog-tiles): level,
// number in groups of three digits, and the width of an incomplete tile, as in
// 0/x001/x234/067.p/8. Only the canonical spelling is a path.
func ParseTilePath(path string) (tlog.Tile, error) {
	level, rest, ok := strings.Cut(path, "/")
	n, err := strconv.Atoi(level)
	if !ok || err != nil || n < 0 || n > 5 || level != strconv.Itoa(n) {
		return tlog.Tile{}, ErrTilePath
	}
	t, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%d/%s", TileHeight, n, rest))
	if err != nil || t.Path() != fmt.Sprintf("tile/%d/%d/%s", TileHeight, n, rest) {
		return tlog.Tile{}, ErrTilePath
	}
	return t, nil
}
