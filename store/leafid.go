package store

import (
	"iter"

	"github.com/google/uuid"

	"aifi-audit/store/translog"
)

const idSize = 17 // bytes of log_leaves.ids a leaf

// leafID names what a leaf is about, as log_leaves does: its kind, and its id.
type leafID [idSize]byte

func leafIDOf(kind translog.Kind, id uuid.UUID) leafID {
	return leafID(append([]byte{byte(kind)}, id[:]...))
}

func (l leafID) kind() translog.Kind { return translog.Kind(l[0]) }
func (l leafID) id() uuid.UUID       { return uuid.UUID(l[1:]) }

// leafIDsOf are the leaves of a row of log_leaves, in order.
func leafIDsOf(ids []byte) iter.Seq2[int64, leafID] {
	return func(yield func(int64, leafID) bool) {
		for i := int64(0); len(ids) >= idSize; i++ {
			if !yield(i, leafID(ids[:idSize])) {
				return
			}
			ids = ids[idSize:]
		}
	}
}
