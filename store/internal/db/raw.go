package db

import (
	"context"
	"encoding/binary"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// A verification reads all there is. It takes the rows of its statements as they come
// from the wire, in PostgreSQL's binary format: that costs a fifth of scanning them
// into fields by reflection.

// EachWindowDelivery is WindowDeliveries, row by row.
func (q *Queries) EachWindowDelivery(ctx context.Context, tx DBTX, a WindowDeliveriesParams, each func(*RawRow) error) error {
	return eachRaw(ctx, tx, asked(ctx, a, q.WindowDeliveries), each)
}

// EachWindowEvent is WindowEvents, row by row.
func (q *Queries) EachWindowEvent(ctx context.Context, tx DBTX, a WindowEventsParams, each func(*RawRow) error) error {
	return eachRaw(ctx, tx, asked(ctx, a, q.WindowEvents), each)
}

// EachWindowPerson is WindowPersons, row by row.
func (q *Queries) EachWindowPerson(ctx context.Context, tx DBTX, a WindowPersonsParams, each func(*RawRow) error) error {
	return eachRaw(ctx, tx, asked(ctx, a, q.WindowPersons), each)
}

// EachWindowBody is WindowBodies, row by row.
func (q *Queries) EachWindowBody(ctx context.Context, tx DBTX, a WindowBodiesParams, each func(*RawRow) error) error {
	return eachRaw(ctx, tx, asked(ctx, a, q.WindowBodies), each)
}

// Each runs a statement without parameters, row by row.
func Each[R any](ctx context.Context, tx DBTX, all func(context.Context, DBTX) ([]R, error), each func(*RawRow) error) error {
	return eachRaw(ctx, tx, asked(ctx, nil, func(ctx context.Context, tx DBTX, _ any) ([]R, error) { return all(ctx, tx) }), each)
}

func eachRaw(ctx context.Context, tx DBTX, s statement, each func(*RawRow) error) error {
	rows, err := tx.Query(ctx, s.sql, append([]any{pgx.QueryResultFormats{pgx.BinaryFormatCode}}, s.args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var row RawRow
	for rows.Next() {
		row.begin(rows.RawValues())
		if err := each(&row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// RawRow is a row as it came from the wire. Its methods read its columns from the left
// to the right. What they give stays valid, but for Bytes and JSON.
type RawRow struct {
	values [][]byte
	next   int
	bad    bool

	texts   texts
	strings slab[string]
	times   slab[time.Time]
	ids     slab[uuid.UUID]
}

func (r *RawRow) begin(values [][]byte) { r.values, r.next, r.bad = values, 0, false }

// Bad reports whether a column so far held what Go has no value for: a time without
// end, a null in a list.
func (r *RawRow) Bad() bool { return r.bad }

// Bytes is a bytea or a jsonb, or the bytes of any other value, until the next row. It
// is nil of null.
func (r *RawRow) Bytes() []byte {
	v := r.values[r.next]
	r.next++
	return v
}

// JSON is the text of a jsonb, until the next row.
func (r *RawRow) JSON() []byte {
	const version = 1
	v := r.Bytes()
	if len(v) == 0 || v[0] != version {
		r.bad = true
		return nil
	}
	return v[1:]
}

// Int64 is a bigint.
func (r *RawRow) Int64() int64 {
	v := r.Bytes()
	if len(v) != 8 {
		r.bad = true
		return 0
	}
	return int64(binary.BigEndian.Uint64(v)) //nolint:gosec // two's complement is meant
}

// Int16 is a smallint.
func (r *RawRow) Int16() int16 {
	v := r.Bytes()
	if len(v) != 2 {
		r.bad = true
		return 0
	}
	return int16(binary.BigEndian.Uint16(v)) //nolint:gosec // two's complement is meant
}

// Bool is a boolean.
func (r *RawRow) Bool() bool {
	v := r.Bytes()
	if len(v) != 1 {
		r.bad = true
		return false
	}
	return v[0] != 0
}

// UUID is a uuid.
func (r *RawRow) UUID() uuid.UUID {
	v := r.Bytes()
	if len(v) != len(uuid.UUID{}) {
		r.bad = true
		return uuid.UUID{}
	}
	return uuid.UUID(v)
}

// OptionalUUID is a uuid; nil of null.
func (r *RawRow) OptionalUUID() *uuid.UUID {
	if r.null() {
		return nil
	}
	return r.ids.add(r.UUID())
}

// Time is a timestamptz.
func (r *RawRow) Time() time.Time {
	const microseconds2000 = 946_684_800_000_000 // from 1970 to where PostgreSQL begins
	n := r.Int64()
	if n == math.MaxInt64 || n == math.MinInt64 {
		r.bad = true
		return time.Time{}
	}
	return time.UnixMicro(n + microseconds2000).UTC()
}

// OptionalTime is a timestamptz; nil of null.
func (r *RawRow) OptionalTime() *time.Time {
	if r.null() {
		return nil
	}
	return r.times.add(r.Time())
}

// Text is a text.
func (r *RawRow) Text() string { return r.texts.add(r.Bytes()) }

// OptionalText is a text; nil of null.
func (r *RawRow) OptionalText() *string {
	if r.null() {
		return nil
	}
	return r.strings.add(r.Text())
}

// Texts is a text[] of one dimension.
func (r *RawRow) Texts() []string {
	const header, dimension = 12, 8 // dimensions, whether there are nulls, the type; of a dimension its length and first index
	v := r.Bytes()
	if len(v) < header {
		r.bad = true
		return nil
	}
	switch binary.BigEndian.Uint32(v) {
	case 0:
		return []string{}
	case 1:
	default:
		r.bad = true
		return nil
	}
	list := r.strings.take(int(binary.BigEndian.Uint32(v[header:])))
	rest := v[header+dimension:]
	for i := range list {
		n := int(int32(binary.BigEndian.Uint32(rest))) //nolint:gosec // null is -1
		if n < 0 {
			r.bad = true
			return nil
		}
		list[i] = r.texts.add(rest[4 : 4+n])
		rest = rest[4+n:]
	}
	return list
}

func (r *RawRow) null() bool {
	if r.values[r.next] == nil {
		r.next++
		return true
	}
	return false
}

// WindowDelivery reads a row of WindowDeliveries. Its headers stay valid until the next.
func (r *RawRow) WindowDelivery() WindowDeliveriesRow {
	return WindowDeliveriesRow{
		StoreID: r.Int64(), ReceivedAt: r.Time(), ID: r.UUID(), Webhook: r.Text(), SessionID: r.OptionalText(), EventKind: r.OptionalText(),
		EventOccurredAt: r.OptionalTime(), EventID: r.OptionalUUID(), IssuedAt: r.OptionalTime(), TokenID: r.Int64(), RemoteAddr: r.Text(),
		Path: r.Text(), Headers: r.JSON(), BodySize: r.Int64(), Truncated: r.Bool(),
	}
}

// WindowEvent reads a row of WindowEvents.
func (r *RawRow) WindowEvent() Event {
	return Event{
		StoreID: r.Int64(), Kind: r.Text(), OccurredAt: r.Time(), ID: r.UUID(), OccurredAtKnown: r.Bool(), DeliveryID: r.UUID(),
		ReceivedAt: r.Time(), IssuedAt: r.OptionalTime(), Webhook: r.Text(), EventID: r.OptionalText(), SessionID: r.OptionalText(),
		CustomerID: r.OptionalText(), ShopperID: r.OptionalText(), StoreExternalID: r.OptionalText(), Flags: r.Texts(),
		ProductIds: r.Texts(), GondolaIds: r.Texts(), PaymentProvider: r.OptionalText(), TokenType: r.OptionalText(),
		CheckInDeviceID: r.OptionalText(), Unreadable: r.Texts(),
	}
}

// WindowPerson reads a row of WindowPersons.
func (r *RawRow) WindowPerson() EventPersonalInfo {
	return EventPersonalInfo{
		StoreID: r.Int64(), Kind: r.Text(), OccurredAt: r.Time(), EventID: r.UUID(), CustomerID: r.OptionalText(), Email: r.OptionalText(),
		FirstName: r.OptionalText(), LastName: r.OptionalText(), Phone: r.OptionalText(), PhoneNumber: r.OptionalText(),
	}
}
