package verify

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store/translog"
)

// brokenTile is a lowest tile whose leaves are all opened by their rows, and yet do not
// make what was signed: some must stand in the wrong place.
type brokenTile struct {
	leaves []storedLeaf
	makes  func([]tlog.Hash) bool // whether hashes are those that were signed
	root   *tlog.Hash             // that was signed; nil: the tile is not complete
	tell   func()                 // of it, if no two leaves were swapped
}

// brokenKept is how many broken tiles are searched for leaves in wrong places. When there
// are more, somebody did more than swap two.
const brokenKept = 8

// broken notes a tile whose leaves do not make what was signed, or tells of it at once.
func (v *verification) broken(b brokenTile) {
	for i := range b.leaves {
		if l := &b.leaves[i]; l.absent || l.fault != nil || l.now != l.hash {
			b.tell()
			return
		}
	}
	if len(v.displaced) == brokenKept {
		b.tell()
		return
	}
	v.displaced = append(v.displaced, b)
}

// swaps finds two leaves which were swapped, within a tile or between two.
func (v *verification) swaps() {
	var rest []brokenTile
	for _, b := range v.displaced {
		if i, j, ok := b.swapped(); ok {
			v.swapped(&b.leaves[i], &b.leaves[j])
		} else {
			rest = append(rest, b)
		}
	}
	told := make([]bool, len(rest))
	for x := range rest {
		for y := range rest {
			if x == y || told[x] || told[y] || rest[x].root == nil {
				continue
			}
			if i, j, ok := rest[x].swappedWith(rest[y]); ok {
				v.swapped(&rest[x].leaves[i], &rest[y].leaves[j])
				told[x], told[y] = true, true
			}
		}
	}
	for x, b := range rest {
		if !told[x] {
			b.tell()
		}
	}
}

func (v *verification) swapped(a, b *storedLeaf) {
	v.found(a.finding(Tampered, "leaf", fmt.Sprintf("it was swapped with leaf %d", b.index)))
	v.found(b.finding(Tampered, "leaf", fmt.Sprintf("it was swapped with leaf %d", a.index)))
}

// swapped finds two leaves of the tile which were swapped.
func (b brokenTile) swapped() (i, j int, ok bool) {
	hashes, _ := hashesOf(b.leaves)
	if b.root != nil {
		return translog.NewTile(hashes).Swapped(*b.root)
	}
	for i := range hashes {
		for j := i + 1; j < len(hashes); j++ {
			hashes[i], hashes[j] = hashes[j], hashes[i]
			if b.makes(hashes) {
				return i, j, true
			}
			hashes[i], hashes[j] = hashes[j], hashes[i]
		}
	}
	return 0, 0, false
}

// swappedWith finds a leaf of the tile, which is complete, that was swapped with one of
// another tile.
func (b brokenTile) swappedWith(other brokenTile) (i, j int, ok bool) {
	hashes, _ := hashesOf(b.leaves)
	theirs, _ := hashesOf(other.leaves)
	i, j, ok = translog.NewTile(hashes).Replaced(*b.root, theirs)
	if !ok {
		return 0, 0, false
	}
	theirs[j] = hashes[i]
	return i, j, other.makes(theirs)
}
