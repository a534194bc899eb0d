package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store/bodycodec"
)

// lines are the connections of Query, by the URL of the database: a test may ask many
// times, and a server takes longer to begin a connection than to answer.
var lines = struct {
	mu   sync.Mutex
	open map[string]*line
}{open: map[string]*line{}}

type line struct {
	mu   sync.Mutex
	conn *pgx.Conn
}

// SQL runs statements on a database, as an operator with psql would.
func SQL(t testing.TB, databaseURL string, statements ...string) {
	t.Helper()
	conn := dial(t, databaseURL)
	defer func() { _ = conn.Close(context.Background()) }()
	for _, sql := range statements {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// Query is the first column of all rows of a query, as text.
func Query(t testing.TB, databaseURL, sql string, args ...any) []string {
	t.Helper()
	var values []string
	query(t, databaseURL, sql, args, func(rows pgx.Rows) (err error) {
		values, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
			v, err := row.Values()
			if err != nil {
				return "", err
			}
			return fmt.Sprint(v[0]), nil
		})
		return err
	})
	return values
}

// EachBody gives the body of each delivery, by the delivery's id, or why it cannot be
// read any more.
func EachBody(t testing.TB, databaseURL string, each func(deliveryID string, body []byte, err error)) {
	t.Helper()
	query(t, databaseURL, "SELECT delivery_id::text, body, encoding FROM delivery_bodies", nil, func(rows pgx.Rows) error {
		var id string
		var stored []byte
		var encoding bodycodec.Encoding
		_, err := pgx.ForEachRow(rows, []any{&id, &stored, &encoding}, func() error {
			body, err := bodycodec.Decode(nil, encoding, stored, bodycodec.MaxSize)
			each(id, body, err)
			return nil
		})
		return err
	})
}

func query(t testing.TB, databaseURL, sql string, args []any, read func(pgx.Rows) error) {
	t.Helper()
	l := lineTo(databaseURL)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil || l.conn.Ping(t.Context()) != nil { // the server may have been started again
		l.conn = dial(t, databaseURL)
	}
	// What the database looks like may change between two of the same.
	rows, err := l.conn.Query(t.Context(), sql, append([]any{pgx.QueryExecModeDescribeExec}, args...)...)
	if err == nil {
		err = read(rows)
	}
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func lineTo(databaseURL string) *line {
	lines.mu.Lock()
	defer lines.mu.Unlock()
	l := lines.open[databaseURL]
	if l == nil {
		l = new(line)
		lines.open[databaseURL] = l
	}
	return l
}

// hangUp ends the connection of Query to a database, or to all: "".
func hangUp(databaseURL string) {
	lines.mu.Lock()
	defer lines.mu.Unlock()
	for url, l := range lines.open {
		if databaseURL != "" && url != databaseURL {
			continue
		}
		delete(lines.open, url)
		l.mu.Lock()
		if l.conn != nil {
			_ = l.conn.Close(context.Background())
		}
		l.mu.Unlock()
	}
}

func dial(t testing.TB, databaseURL string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
