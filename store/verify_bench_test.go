package store_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// usual makes deliveries as shops send them: of twenty, twelve interactions, one of
// them twice; two who leave; a fraud alert, a registration and something else; and
// now and then what is not understood.
func usual(b *testing.B) func(n int64) store.Delivery {
	b.Helper()
	samples := map[aifi.Webhook]string{}
	for _, w := range []aifi.Webhook{aifi.RestrictedProductsInteractions, aifi.SuspectedFraud, aifi.RemoteRegister, "transition-left", "tracking"} {
		body, err := os.ReadFile("aifi/testdata/samples/" + string(w) + ".json")
		if err != nil {
			b.Fatal(err)
		}
		samples[w] = string(body)
	}
	start := time.Now().UTC()
	return func(n int64) store.Delivery {
		w := aifi.RestrictedProductsInteractions
		switch n % 20 {
		case 5, 15:
			w = "transition-left"
		case 6:
			w = aifi.SuspectedFraud
		case 7:
			w = aifi.RemoteRegister
		case 8:
			w = "tracking"
		}
		body := samples[w]
		if n%20 == 9 {
			n--
			w, body = aifi.RestrictedProductsInteractions, samples[aifi.RestrictedProductsInteractions]
		}
		if n%200 == 99 {
			body = body[1:]
		}
		session, shop := n/10, 1+n/10%20
		at := start.Add(time.Duration(n) * time.Millisecond).Format(time.RFC3339Nano)
		d := deliver(b, w, strings.NewReplacer(
			"d3a00526-1864-4f6e-bb2d-46e3ab7fa780", fmt.Sprintf("d3a00526-1864-4f6e-bb2d-%012d", session),
			`"storeId": 0`, fmt.Sprintf(`"storeId": %d`, shop), `"oasisApiStoreId": 0`, fmt.Sprintf(`"oasisApiStoreId": %d`, shop),
			"2019-08-24T14:15:22Z", at, `"eventId": "string"`, fmt.Sprintf(`"eventId": "event-%d"`, n),
			`"id": "string"`, fmt.Sprintf(`"id": "customer-%d"`, session%5000), `"shopperId": "string"`, fmt.Sprintf(`"shopperId": "shopper-%d"`, session),
			`"productIds": [`, fmt.Sprintf(`"productIds": ["product-%d",`, n%400), `"gondolaIds": [`, fmt.Sprintf(`"gondolaIds": [%d,`, 1+n%40),
		).Replace(body))
		d.Headers = map[string]string{"Content-Type": "application/json", "User-Agent": "AiFi"}
		return d
	}
}

// recordUsual records n deliveries, as many senders at once would, and calls kept (if not
// nil) with how many were kept before each.
func recordUsual(b *testing.B, s *store.Store, n int64, kept func(before int64)) {
	b.Helper()
	next := usual(b)
	var last, count atomic.Int64
	var done sync.WaitGroup
	for range 512 {
		done.Go(func() {
			for i := last.Add(1); i <= n; i = last.Add(1) {
				if _, err := s.Record(context.Background(), next(i)); err != nil {
					b.Error(err)
				}
				if before := count.Add(1) - 1; kept != nil {
					kept(before)
				}
			}
		})
	}
	done.Wait()
}

// BenchmarkVerify compares a full verification with what it cannot do without: reading
// what it reads, and hashing it. The floor of reading is COPY of the tables as they lie.
//
//	go test ./store -run '^$' -bench Verify -benchtime 300000x
func BenchmarkVerify(b *testing.B) {
	n := int64(b.N)
	d := newSigned(b)
	s, published := d.open(b)
	recordUsual(b, s, n, nil)
	wait(b, published, n)
	s.Close()
	storetest.SQL(b, d.url, "VACUUM ANALYZE", "CHECKPOINT")
	v, err := store.Open(b.Context(), store.Config{DatabaseURL: d.url, Log: store.LogConfig{Verifier: d.verifier(b)}})
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	const hashed, rounds = 8192, 10
	hashing, err := v.LoadForHashing(b.Context(), min(n, hashed))
	if err != nil {
		b.Fatal(err)
	}
	perDelivery := func(name string, c cost, n int64) {
		µs := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(n) }
		b.ReportMetric(µs(c.program), name+"-program-µs")
		b.ReportMetric(µs(c.database), name+"-database-µs")
	}
	b.ResetTimer()
	full := costOf(b, d.url, func() {
		result, err := v.Verify(b.Context(), store.VerifyOptions{Found: func(f store.Finding) { b.Error(f) }})
		if err != nil || !result.Clean() || result.Leaves != n {
			b.Fatal(result, err)
		}
	})
	b.StopTimer()
	reading := costOf(b, d.url, func() {
		if err := v.ReadLikeVerify(b.Context(), n); err != nil {
			b.Fatal(err)
		}
	})
	copier, err := pgx.Connect(b.Context(), d.url) // its time counts as long as it is there
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = copier.Close(context.Background()) }()
	copied := costOf(b, d.url, func() { copyOut(b, copier) })
	right := 0
	inMemory := costOf(b, d.url, func() {
		for range rounds {
			right = hashing.Run()
		}
	})
	if int64(right) < min(n, hashed)*9/10 {
		b.Errorf("%d leaves are right", right)
	}
	b.ReportMetric(float64(n)/full.wall.Seconds(), "verified/s")
	b.ReportMetric(full.processors().Seconds()/reading.processors().Seconds(), "of-reading")
	b.ReportMetric(full.wall.Seconds()/reading.wall.Seconds(), "of-reading's-time")
	perDelivery("full", full, n)
	perDelivery("reading", reading, n)
	perDelivery("COPY", copied, n)
	b.ReportMetric(float64(inMemory.program.Nanoseconds())/1000/float64(rounds*right), "hashing-µs")
}

// copyOut reads the tables that a verification reads, by COPY, and throws them away.
func copyOut(b *testing.B, conn *pgx.Conn) {
	b.Helper()
	for _, table := range []string{"log_leaves", "deliveries", "delivery_bodies", "events", "event_flags", "event_products", "event_gondolas", "quarantine"} {
		if _, err := conn.PgConn().CopyTo(b.Context(), io.Discard, "COPY (SELECT * FROM "+table+") TO STDOUT (FORMAT binary)"); err != nil {
			b.Fatal(err)
		}
	}
}
