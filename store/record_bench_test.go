package store_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/pgprivate"
	"aifi-audit/store/storetest"
)

// senders is how many requests are under way at a time.
const senders = 64

// durable is the URL of a fresh database on a server that syncs its log to disk, as
// that of the other tests does not.
func durable(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("", "aifi-audit-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		b.Fatal(err)
	}
	pg, err := pgprivate.Start(b.Context(), pgprivate.Options{DataDir: dir + "/data"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = pg.Close(context.Background()) })
	if _, err := store.Migrate(b.Context(), pg.URL()); err != nil {
		b.Fatal(err)
	}
	return pg.URL()
}

// shopBodies makes bodies of restricted-products webhooks as some shops send them:
// sessions of about ten interactions, a few hundred products.
func shopBodies(b *testing.B) func(n int64) []byte {
	b.Helper()
	body, err := os.ReadFile("aifi/testdata/samples/restricted-products-interactions.json")
	if err != nil {
		b.Fatal(err)
	}
	sample := string(body)
	start := time.Now().UTC()
	return func(n int64) []byte {
		session, shop := n/10, 1+n/10%20
		at := start.Add(time.Duration(n) * time.Millisecond).Format(time.RFC3339Nano)
		return []byte(strings.NewReplacer(
			"d3a00526-1864-4f6e-bb2d-46e3ab7fa780", fmt.Sprintf("d3a00526-1864-4f6e-bb2d-%012d", session),
			`"storeId": 0`, fmt.Sprintf(`"storeId": %d`, shop), `"oasisApiStoreId": 0`, fmt.Sprintf(`"oasisApiStoreId": %d`, shop),
			"2019-08-24T14:15:22Z", at, `"eventId": "string"`, fmt.Sprintf(`"eventId": "event-%d"`, n),
			`"id": "string"`, fmt.Sprintf(`"id": "customer-%d"`, session%5000), `"shopperId": "string"`, fmt.Sprintf(`"shopperId": "shopper-%d"`, session),
			`"productIds": [`, fmt.Sprintf(`"productIds": ["product-%d",`, n%400), `"gondolaIds": [`, fmt.Sprintf(`"gondolaIds": [%d,`, 1+n%40),
		).Replace(sample))
	}
}

func deliveries(b *testing.B) func() store.Delivery {
	bodies := shopBodies(b)
	var n atomic.Int64
	return func() store.Delivery {
		body := bodies(n.Add(1))
		id, err := store.NewDeliveryID()
		if err != nil {
			panic(err)
		}
		return store.Delivery{
			ID: id, Webhook: aifi.RestrictedProductsInteractions, Path: "/api/push/restricted-products-interactions",
			Headers: map[string]string{"Content-Type": "application/json"}, RemoteAddr: "192.0.2.1", TokenID: 1, Body: body,
		}
	}
}

// BenchmarkRecord measures the write path, from a body to its commit, against what
// it must beat and what it cannot: the same statements with a transaction for each
// delivery, and COPY of the very same rows into the same tables.
//
//	go test ./store -run '^$' -bench Record -benchtime 20000x
func BenchmarkRecord(b *testing.B) {
	b.Run("batched", func(b *testing.B) {
		url := durable(b)
		s, err := store.Open(b.Context(), store.Config{DatabaseURL: url})
		if err != nil {
			b.Fatal(err)
		}
		next := deliveries(b)
		run(b, func(ctx context.Context) error {
			_, err := s.Record(ctx, next())
			return err
		})
		s.Close()
		rate := float64(b.N) / b.Elapsed().Seconds()
		b.ReportMetric(rate, "deliveries/s")
		rows, bytes, elapsed := copyAgain(b, url)
		b.ReportMetric(float64(rows)/float64(b.N), "rows/delivery")
		b.ReportMetric(float64(bytes)/float64(b.N), "copied-B/delivery")
		b.ReportMetric(rate/(float64(b.N)/elapsed.Seconds()), "of-COPY")
	})
	b.Run("a transaction each", func(b *testing.B) {
		url := durable(b)
		s, err := store.Open(b.Context(), store.Config{DatabaseURL: url})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		u, err := store.NewUnbatched(b.Context(), s, url, senders)
		if err != nil {
			b.Fatal(err)
		}
		next := deliveries(b)
		run(b, func(context.Context) error { return u.Record(next()) })
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	})
}

func run(b *testing.B, record func(context.Context) error) {
	b.SetParallelism(senders / 2) // times GOMAXPROCS, which is 2 or more
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := record(b.Context()); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
}

// copyAgain empties the tables and loads their rows again with COPY over one
// connection, in one transaction, and says how long that took.
func copyAgain(b *testing.B, url string) (rows, bytesCopied int64, elapsed time.Duration) {
	b.Helper()
	tables := storetest.Query(b, url, `SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
		AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT IN ('goose_db_version', 'tokens', 'access_log') ORDER BY 1`)
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	data := map[string][]byte{}
	for _, table := range tables {
		var out bytes.Buffer
		if _, err := conn.PgConn().CopyTo(b.Context(), &out, "COPY (SELECT * FROM "+table+") TO STDOUT (FORMAT binary)"); err != nil {
			b.Fatal(err)
		}
		data[table] = out.Bytes()
	}
	for _, sql := range []string{"SET session_replication_role = replica", "TRUNCATE " + strings.Join(tables, ", "), "RESET session_replication_role", "CHECKPOINT"} {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	start := time.Now()
	err = pgx.BeginFunc(b.Context(), conn, func(pgx.Tx) error {
		for _, table := range tables {
			tag, err := conn.PgConn().CopyFrom(b.Context(), io.Reader(bytes.NewReader(data[table])), "COPY "+table+" FROM STDIN (FORMAT binary)")
			if err != nil {
				return fmt.Errorf("copying %s: %w", table, err)
			}
			rows, bytesCopied = rows+tag.RowsAffected(), bytesCopied+int64(len(data[table]))
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return rows, bytesCopied, time.Since(start)
}
