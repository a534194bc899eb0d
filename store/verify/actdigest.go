package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"golang.org/x/mod/sumdb/tlog"
)

// actDigests digest which leaves are about acts of staff, in the order of the log: all of
// them, and those before a leaf.
type actDigests struct {
	before       int64
	all, earlier hash.Hash
}

func newActDigests(before int64) actDigests {
	return actDigests{before, sha256.New(), sha256.New()}
}

func (d actDigests) add(leaves []storedLeaf) {
	for i := range leaves {
		l := &leaves[i]
		if l.absent || !l.kind.OfAct() {
			continue
		}
		one := append(binary.BigEndian.AppendUint64(nil, uint64(l.index)), byte(l.kind)) //nolint:gosec // not negative
		one = append(one, l.id[:]...)
		d.all.Write(one) // never fails
		if l.index < d.before {
			d.earlier.Write(one)
		}
	}
}

// sameActs checks that the leaves that an incremental verification took for those of
// acts are those that the one before found to be.
func (v *verification) sameActs(signed tlog.Tree) {
	v.result.Acts = tlog.Hash(v.actDigests.all.Sum(nil))
	if known := v.FromActs != (tlog.Hash{}); known && v.From.N <= signed.N && v.FromActs != tlog.Hash(v.actDigests.earlier.Sum(nil)) {
		v.found(Finding{Class: Tampered, What: "leaves", Detail: "log_leaves calls others those of acts of staff than it did for the last verification: a full one tells which"})
	}
}
