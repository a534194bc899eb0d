package db

import (
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// rowScanner reads rows into targets, one for each column, as rows.Scan does, and
// spends a fraction of its time: values are taken from the wire as they are, and what
// they need of memory is cut from slabs. An export spends most of its time here.
//
// What it does not know, be it a type or a value, is left to rows.Scan.
type rowScanner struct {
	targets []any
	plain   bool // all columns have a type that it knows

	texts   texts
	strings slab[string]
	moments slab[time.Time]
	ids     slab[uuid.UUID]
	numbers slab[int64]
	bools   slab[bool]
}

const (
	textSlab = 16 << 10 // bytes
	slabSize = 256      // values
)

// slab gives out memory for values, many from one allocation. A value that is kept
// keeps its neighbours.
type slab[V any] []V

// take gives n values that lie together.
func (s *slab[V]) take(n int) []V {
	if len(*s)+n > cap(*s) {
		*s = make([]V, 0, max(n, slabSize))
	}
	from := len(*s)
	*s = (*s)[:from+n]
	return (*s)[from : from+n : from+n]
}

func (s *slab[V]) add(v V) *V {
	one := s.take(1)
	one[0] = v
	return &one[0]
}

// texts gives out strings, many from one allocation.
type texts struct {
	b *strings.Builder // never grows, so that the strings cut from it stay
}

func (t *texts) add(raw []byte) string {
	if t.b == nil || len(raw) > t.b.Cap()-t.b.Len() {
		if len(raw) > textSlab/8 {
			return string(raw)
		}
		t.b = new(strings.Builder)
		t.b.Grow(textSlab)
	}
	from := t.b.Len()
	_, _ = t.b.Write(raw) // never fails
	return t.b.String()[from:]
}

func newRowScanner(columns []pgconn.FieldDescription, targets []any) *rowScanner {
	s := &rowScanner{targets: targets, plain: len(columns) == len(targets)}
	for i := 0; s.plain && i < len(columns); i++ {
		s.plain = knowsType(targets[i], columns[i])
	}
	return s
}

// knowsType reports whether values of a column look as scanValue reads them.
func knowsType(target any, column pgconn.FieldDescription) bool {
	var oid uint32
	switch target.(type) {
	case *string, **string:
		// Text is the same in both formats.
		return column.DataTypeOID == pgtype.TextOID
	case *[]byte:
		return column.DataTypeOID == pgtype.JSONBOID && column.Format == pgx.TextFormatCode ||
			column.DataTypeOID == pgtype.ByteaOID && column.Format == pgx.BinaryFormatCode
	case *int64, **int64:
		oid = pgtype.Int8OID
	case *bool, **bool:
		oid = pgtype.BoolOID
	case *time.Time, **time.Time:
		oid = pgtype.TimestamptzOID
	case *uuid.UUID, **uuid.UUID:
		oid = pgtype.UUIDOID
	case *[]string:
		oid = pgtype.TextArrayOID
	default:
		return false
	}
	return column.DataTypeOID == oid && column.Format == pgx.BinaryFormatCode
}

// scan reads the row that rows stand at.
func (s *rowScanner) scan(rows pgx.Rows) error {
	if !s.plain {
		return rows.Scan(s.targets...)
	}
	for i, raw := range rows.RawValues() {
		if !s.scanValue(s.targets[i], raw) {
			return rows.Scan(s.targets...)
		}
	}
	return nil
}

// scanValue reads one value; nil is a null. It reports whether it could.
func (s *rowScanner) scanValue(target any, raw []byte) bool {
	switch t := target.(type) {
	case **string:
		*t = nil
		if raw != nil {
			*t = s.strings.add(s.texts.add(raw))
		}
		return true
	case **time.Time:
		*t = nil
		if raw != nil {
			m, ok := moment(raw)
			*t = s.moments.add(m)
			return ok
		}
		return true
	case **int64:
		*t = nil
		if raw != nil {
			*t = s.numbers.add(int64(binary.BigEndian.Uint64(raw))) //nolint:gosec // as it was sent
		}
		return true
	case **bool:
		*t = nil
		if raw != nil {
			*t = s.bools.add(raw[0] != 0)
		}
		return true
	case **uuid.UUID:
		*t = nil
		if raw != nil {
			*t = s.ids.add(uuid.UUID(raw))
		}
		return true
	case *[]byte:
		*t = nil
		if raw != nil {
			*t = append([]byte{}, raw...)
		}
		return true
	}
	if raw == nil {
		return false
	}
	ok := true
	switch t := target.(type) {
	case *string:
		*t = s.texts.add(raw)
	case *time.Time:
		*t, ok = moment(raw)
	case *int64:
		*t = int64(binary.BigEndian.Uint64(raw)) //nolint:gosec // as it was sent
	case *bool:
		*t = raw[0] != 0
	case *uuid.UUID:
		*t = uuid.UUID(raw)
	case *[]string:
		*t, ok = s.list(raw)
	default:
		return false
	}
	return ok
}

// postgresEpoch is where PostgreSQL counts from, in seconds of Unix.
const postgresEpoch = 946_684_800

// moment reads a timestamptz; false if it is infinite.
func moment(raw []byte) (time.Time, bool) {
	n := int64(binary.BigEndian.Uint64(raw)) //nolint:gosec // as it was sent
	if n == math.MaxInt64 || n == math.MinInt64 {
		return time.Time{}, false
	}
	return time.Unix(n/1e6+postgresEpoch, n%1e6*1e3).UTC(), true
}

// list reads a text[] of at most one dimension and without nulls.
func (s *rowScanner) list(raw []byte) ([]string, bool) {
	const header, dimension = 12, 8 // bytes
	dimensions := binary.BigEndian.Uint32(raw)
	if dimensions == 0 {
		return []string{}, true
	}
	hasNulls := binary.BigEndian.Uint32(raw[4:]) != 0
	if dimensions > 1 || hasNulls {
		return nil, false
	}
	items := s.strings.take(int(binary.BigEndian.Uint32(raw[header:])))
	raw = raw[header+dimension:]
	for i := range items {
		size := binary.BigEndian.Uint32(raw)
		items[i] = s.texts.add(raw[4 : 4+size])
		raw = raw[4+size:]
	}
	return items, true
}
