package db_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// every has a field of each type that rows of exports have.
type every struct {
	Number      int64
	Text        string
	Truth       bool
	Time        time.Time
	ID          uuid.UUID
	List        []string
	MaybeNumber *int64
	MaybeText   *string
	MaybeTruth  *bool
	MaybeTime   *time.Time
	MaybeID     *uuid.UUID
	Bytes       []byte
	JSON        []byte
}

const selectEvery = `SELECT $1::bigint, $2::text, $3::boolean, $4::timestamptz, $5::uuid, $6::text[],
    $7::bigint, $8::text, $9::boolean, $10::timestamptz, $11::uuid, $12::bytea, $13::jsonb FROM generate_series(1, $14::bigint)`

// Rows read straight from the wire are those that pgx reads.
func TestRowsAreReadAsPgxReadsThem(t *testing.T) {
	conn := connect(t)
	text := rapid.OneOf(rapid.StringMatching(`[^\x00]*`), rapid.StringMatching(`[a-z]{900,1000}`))
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMicro(rapid.Int64Range(-210_866_803_200_000_000, 253_402_300_799_999_999).Draw(t, "microseconds")).UTC()
	})
	id := rapid.Custom(func(t *rapid.T) uuid.UUID { return uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")) })
	rapid.Check(t, func(rt *rapid.T) {
		args := []any{
			rapid.Int64().Draw(rt, "number"), text.Draw(rt, "text"), rapid.Bool().Draw(rt, "truth"), moment.Draw(rt, "time"), id.Draw(rt, "id"),
			rapid.SliceOf(text).Draw(rt, "list"),
			rapid.Ptr(rapid.Int64(), true).Draw(rt, "maybe number"), rapid.Ptr(text, true).Draw(rt, "maybe text"), rapid.Ptr(rapid.Bool(), true).Draw(rt, "maybe truth"),
			rapid.Ptr(moment, true).Draw(rt, "maybe time"), rapid.Ptr(id, true).Draw(rt, "maybe id"),
			rapid.OneOf(rapid.Just[[]byte](nil), rapid.SliceOf(rapid.Byte())).Draw(rt, "bytes"), rapid.SampledFrom([]any{nil, `{"a": [1, "b"]}`}).Draw(rt, "json"),
			rapid.Int64Range(0, 3).Draw(rt, "rows"),
		}
		want, err := db.Collect[every](t.Context(), conn, selectEvery, args)
		if err != nil {
			rt.Fatal(err)
		}
		got := []every{} // kept beyond the next row
		err = db.Stream(t.Context(), conn, selectEvery, args, func(row every) error { got = append(got, row); return nil })
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// What the wire reader does not know is read, or refused, by pgx.
func TestWhatTheWireReaderDoesNotKnowIsLeftToPgx(t *testing.T) {
	type number struct{ N int64 }
	type text struct{ S string }
	type list struct{ L []string }
	type moment struct{ T time.Time }
	conn := connect(t)
	far := time.Date(294276, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	same[number](t, conn, "a short integer", "SELECT 7::int")
	same[text](t, conn, "another text", "SELECT 'a'::varchar")
	same[text](t, conn, "long text", "SELECT repeat('x', 100000)")
	same[list](t, conn, "a list of lists", "SELECT '{{a,b},{c,d}}'::text[]")
	same[list](t, conn, "a null in a list", "SELECT ARRAY['a', null]")
	same[list](t, conn, "no list", "SELECT null::text[]")
	same[number](t, conn, "no number", "SELECT null::bigint")
	same[text](t, conn, "no text", "SELECT null::text")
	same[moment](t, conn, "infinity", "SELECT 'infinity'::timestamptz")
	same[moment](t, conn, "minus infinity", "SELECT '-infinity'::timestamptz")
	same[moment](t, conn, "before our time", "SELECT '4713-01-01 BC'::timestamptz")
	same[moment](t, conn, "too many columns", "SELECT now(), 1")

	var got []moment
	err := db.Stream(t.Context(), conn, "SELECT '294276-12-31 23:59:59.999999Z'::timestamptz", nil, func(m moment) error { got = append(got, m); return nil })
	if diff := cmp.Diff([]moment{{far}}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// same fails the test unless a query has the same rows, or the same error, either way.
func same[T any](t *testing.T, conn *pgx.Conn, name, sql string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		want, wantErr := db.Collect[T](t.Context(), conn, sql, nil)
		var got []T
		err := db.Stream(t.Context(), conn, sql, nil, func(row T) error { got = append(got, row); return nil })
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("got %v, want %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), strings.Replace(storetest.URL(t), "?", "?timezone=UTC&", 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}
