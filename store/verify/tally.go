package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
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
	deliveries, quarantine, replays, events, flags, products, gondolas, access, acts tally
}

func (t *tallies) merge(o tallies) {
	for _, pair := range [][2]*tally{
		{&t.deliveries, &o.deliveries},
		{&t.quarantine, &o.quarantine},
		{&t.replays, &o.replays},
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
	key tallyKey // the same for all whose tallies are compared
	b   []byte
}

// tallyKey is secret, and made for one verification.
type tallyKey [16]byte

// text is as it is in a row, or as it came from the wire.
type text interface{ ~string | ~[]byte }

// rowSum hashes a row by its key, and by value if it has one of a list. Most of what it
// hashes fits into one block of SHA-256: 55 bytes.
func rowSum[T text](k *tallier, storeID int64, kind T, at time.Time, id uuid.UUID, value T) [sha256.Size]byte {
	b := append(append(k.b[:0], k.key[:]...), id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixMicro()))
	b = binary.AppendVarint(b, storeID)
	const named = 0xff
	switch n := slices.Index(tallyKinds, aifi.Kind(kind)); {
	case n >= 0:
		b = append(b, byte(n)) //nolint:gosec // there are few
	default:
		b = append(binary.AppendUvarint(append(b, named), uint64(len(kind))), kind...)
	}
	k.b = append(b, value...)
	return sha256.Sum256(k.b)
}

// tallyKinds are those that take one byte; a row that is no event's has none.
var tallyKinds = []aifi.Kind{"", aifi.AlcoholInteraction, aifi.FraudAlert, aifi.Registration, aifi.Other}

// act hashes the key of an act.
func (k *tallier) act(kind string, id uuid.UUID) [sha256.Size]byte {
	return rowSum(k, 0, kind, time.Time{}, id, "")
}

// delivery adds a delivery that the log knows.
func (k *tallier) delivery(t *tallies, r *logrows.Row) {
	sum := rowSum(k, r.StoreID, "", r.ReceivedAt, r.ID, "")
	t.deliveries.add(sum)
	if r.StatedEventID == nil {
		t.quarantine.add(sum)
	}
}

// replay adds what a replay found, as quarantine has it.
func (k *tallier) replay(t *tallies, r *logrows.Row) {
	if r.EventID != nil {
		t.replays.add(rowSum(k, db.OrZero(r.EventStoreID), db.OrEmpty(r.EventKind), db.OrZero(r.OccurredAt), *r.EventID, r.ID.String()))
	}
}

// event adds an event that the log knows, by the delivery that stated it first.
func (k *tallier) event(t *tallies, r *logrows.Row) {
	if r.EventID == nil || r.FirstDeliveryID == nil || *r.FirstDeliveryID != r.ID {
		return
	}
	add := func(to *tally, value string) {
		to.add(rowSum(k, db.OrZero(r.EventStoreID), db.OrEmpty(r.EventKind), db.OrZero(r.OccurredAt), *r.EventID, value))
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

// keyRow is the key of a row, and its value if it is one of a list, as they came from
// the wire.
type keyRow struct {
	storeID int64
	kind    []byte
	at      time.Time
	id      uuid.UUID
	value   []byte
}

// receivedKey reads a row with a store, the time received and a delivery.
func receivedKey(r *db.RawRow) keyRow { return keyRow{storeID: r.Int64(), at: r.Time(), id: r.UUID()} }

// statedKey reads a row with the key of an event.
func statedKey(r *db.RawRow) keyRow {
	return keyRow{storeID: r.Int64(), kind: r.Bytes(), at: r.Time(), id: r.UUID()}
}

// listKey reads a row with the key of an event and a value.
func listKey(r *db.RawRow) keyRow {
	k := statedKey(r)
	k.value = r.Bytes()
	return k
}

// accessKey reads a row with an entry of the access log.
func accessKey(r *db.RawRow) keyRow { return keyRow{id: r.UUID()} }
