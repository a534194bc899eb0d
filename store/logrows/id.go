package logrows

import (
	"encoding/binary"
	"iter"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/translog"
)

// ReceivedAt is the time that a delivery's id carries, in UTC and whole
// microseconds; the zero time if it is not a UUIDv7.
func ReceivedAt(id uuid.UUID) time.Time {
	if id.Version() != 7 {
		return time.Time{}
	}
	ms := int64(id[0])<<40 | int64(id[1])<<32 | int64(id[2])<<24 | int64(id[3])<<16 | int64(id[4])<<8 | int64(id[5])
	// The 12 bits behind the version count the millisecond's 256ths of a microsecond.
	fraction := time.Duration(int64(id[6]&0x0f)<<8|int64(id[7])) << 8
	return time.UnixMilli(ms).Add(fraction).UTC().Truncate(time.Microsecond)
}

// Dated is a UUIDv7 as if it had been made at a time, with the randomness that it has.
func Dated(id uuid.UUID, at time.Time) uuid.UUID {
	nanos := at.UnixNano()
	ms := nanos / int64(time.Millisecond)
	fraction := (nanos - ms*int64(time.Millisecond)) >> 8
	binary.BigEndian.PutUint64(id[:8], uint64(ms)<<16|0x7000|uint64(fraction)) //nolint:gosec // neither is negative, from 1970 on
	return id
}

// IDSize is how many bytes of log_leaves.ids a leaf has.
const IDSize = 17

// ID names what a leaf is about, as log_leaves does: its kind, and its id.
type ID [IDSize]byte

// IDOf names a leaf.
func IDOf(kind translog.Kind, id uuid.UUID) ID {
	return ID(append([]byte{byte(kind)}, id[:]...))
}

// Kind is what sort of thing the leaf is about.
func (l ID) Kind() translog.Kind { return translog.Kind(l[0]) }

// ID is that of what the leaf is about.
func (l ID) ID() uuid.UUID { return uuid.UUID(l[1:]) }

// IDsOf are the leaves of a row of log_leaves, in order.
func IDsOf(ids []byte) iter.Seq2[int64, ID] {
	return func(yield func(int64, ID) bool) {
		for i := int64(0); len(ids) >= IDSize; i++ {
			if !yield(i, ID(ids[:IDSize])) {
				return
			}
			ids = ids[IDSize:]
		}
	}
}
