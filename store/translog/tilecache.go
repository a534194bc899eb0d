package translog

import (
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// mostTiles bounds a Tiles: 8 kB each.
const mostTiles = 1024

// Tiles remembers tiles that many proofs read: those above the lowest level, and the
// incomplete one of the lowest. Leaves are never changed, so what was right of a tile is
// right in every tree that grew from its own; a [Reader] hashes it again all the same.
// Many goroutines may use it.
type Tiles struct {
	mu    sync.Mutex
	right map[tileNumber][]byte // by the level and the number; of the greatest width that was read
}

type tileNumber struct {
	level int
	n     int64
}

// Reader is NewReader, with what is remembered.
func (c *Tiles) Reader(tree tlog.Tree, read ReadTiles) Reader {
	return Reader{tree, tlog.TileHashReader(tree, tileReader{read, map[tlog.Tile][]byte{}, c})}
}

// Forget forgets all: a tree is not one that grew from those before.
func (c *Tiles) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.right)
}

func (c *Tiles) get(t tlog.Tile) []byte {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if data, width := c.right[tileNumber{t.L, t.N}], t.W*tlog.HashSize; len(data) >= width {
		return data[:width:width]
	}
	return nil
}

func (c *Tiles) put(t tlog.Tile, data []byte) {
	if c == nil || t.L == 0 && t.W == TileWidth {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.right == nil {
		c.right = map[tileNumber][]byte{}
	}
	if len(data) <= len(c.right[tileNumber{t.L, t.N}]) {
		return
	}
	for number := range c.right {
		if len(c.right) < mostTiles {
			break
		}
		delete(c.right, number)
	}
	c.right[tileNumber{t.L, t.N}] = data
}
