package store

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
)

// tally stands for a set, in whatever order it was met: the sum of hashes of what is in
// it, under a key that nobody knows. Two tallies are equal if the sets are, and else but
// for a chance of one in 2^128. So that two tables say the same can be seen from
// reading each once, as it lies on the disk.
type tally struct{ high, low uint64 }

func (t *tally) add(sum [sha256.Size]byte) {
	t.high += binary.BigEndian.Uint64(sum[:])
	t.low += binary.BigEndian.Uint64(sum[8:])
}

// tallies are of what the log knows, or of what the tables have.
type tallies struct {
	deliveries, quarantine, events, flags, products, gondolas, access, acts tally
}

func (t *tallies) merge(o tallies) {
	for _, pair := range [][2]*tally{
		{&t.deliveries, &o.deliveries},
		{&t.quarantine, &o.quarantine},
		{&t.events, &o.events},
		{&t.flags, &o.flags},
		{&t.products, &o.products},
		{&t.gondolas, &o.gondolas},
		{&t.access, &o.access},
		{&t.acts, &o.acts},
	} {
		pair[0].high += pair[1].high
		pair[0].low += pair[1].low
	}
}

// tallier makes tallies. One goroutine owns it.
type tallier struct {
	key [32]byte // the same for all whose tallies are compared; secret, and made for them
	b   []byte
}

// of hashes a row by its key, and by value if it has one of a list.
func (k *tallier) of(storeID int64, kind string, at time.Time, id uuid.UUID, value string) [sha256.Size]byte {
	b := append(k.b[:0], k.key[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(storeID)) //nolint:gosec // two's complement is meant
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixMicro()))
	b = append(b, id[:]...)
	b = append(binary.AppendUvarint(b, uint64(len(kind))), kind...)
	k.b = append(b, value...)
	return sha256.Sum256(k.b)
}

// act hashes the key of an act.
func (k *tallier) act(kind string, id uuid.UUID) [sha256.Size]byte {
	return k.of(0, kind, time.Time{}, id, "")
}

// delivery adds a delivery that the log knows.
func (k *tallier) delivery(t *tallies, r *evidenceRow) {
	sum := k.of(r.StoreID, "", r.ReceivedAt, r.ID, "")
	t.deliveries.add(sum)
	if r.StatedEventID == nil {
		t.quarantine.add(sum)
	}
}

// event adds an event that the log knows, by the delivery that stated it first.
func (k *tallier) event(t *tallies, r *evidenceRow) {
	if r.EventID == nil || r.FirstDeliveryID == nil || *r.FirstDeliveryID != r.ID {
		return
	}
	add := func(to *tally, value string) {
		to.add(k.of(orZero(r.EventStoreID), orEmpty(r.EventKind), orZero(r.OccurredAt), *r.EventID, value))
	}
	list := func(to *tally, values []string) {
		for i, value := range values {
			if !slices.Contains(values[:i], value) {
				add(to, value)
			}
		}
	}
	add(&t.events, "")
	list(&t.flags, r.Flags)
	list(&t.products, r.ProductIds)
	list(&t.gondolas, r.GondolaIds)
}

// keyRow is the key of a row, and its value if it is one of a list.
type keyRow struct {
	storeID int64
	kind    string
	at      time.Time
	id      uuid.UUID
	value   string
}

// receivedKey reads a row with a store, the time received and a delivery.
func receivedKey(r *db.RawRow) keyRow { return keyRow{storeID: r.Int64(), at: r.Time(), id: r.UUID()} }

// statedKey reads a row with the key of an event.
func statedKey(r *db.RawRow) keyRow {
	return keyRow{storeID: r.Int64(), kind: r.Text(), at: r.Time(), id: r.UUID()}
}

// listKey reads a row with the key of an event and a value.
func listKey(r *db.RawRow) keyRow {
	k := statedKey(r)
	k.value = r.Text()
	return k
}

// accessKey reads a row with an entry of the access log.
func accessKey(r *db.RawRow) keyRow { return keyRow{id: r.UUID()} }
