package storetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
)

// usual makes deliveries as shops send them: of twenty, twelve interactions, one of
// them twice; two who leave; a fraud alert, a registration and something else; and
// now and then what is not understood.
func usual(b testing.TB, samples string) func(n int64) store.Delivery {
	b.Helper()
	bodies := map[aifi.Webhook]string{}
	for _, w := range []aifi.Webhook{aifi.RestrictedProductsInteractions, aifi.SuspectedFraud, aifi.RemoteRegister, "transition-left", "tracking"} {
		body, err := os.ReadFile(filepath.Join(samples, string(w)+".json"))
		if err != nil {
			b.Fatal(err)
		}
		bodies[w] = string(body)
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
		body := bodies[w]
		if n%20 == 9 {
			n--
			w, body = aifi.RestrictedProductsInteractions, bodies[aifi.RestrictedProductsInteractions]
		}
		if n%200 == 99 {
			body = body[1:]
		}
		session, shop := n/10, 1+n/10%20
		at := start.Add(time.Duration(n) * time.Millisecond).Format(time.RFC3339Nano)
		id, err := store.NewDeliveryID()
		if err != nil {
			b.Fatal(err)
		}
		text := strings.NewReplacer(
			"d3a00526-1864-4f6e-bb2d-46e3ab7fa780", fmt.Sprintf("d3a00526-1864-4f6e-bb2d-%012d", session),
			`"storeId": 0`, fmt.Sprintf(`"storeId": %d`, shop), `"oasisApiStoreId": 0`, fmt.Sprintf(`"oasisApiStoreId": %d`, shop),
			"2019-08-24T14:15:22Z", at, `"eventId": "string"`, fmt.Sprintf(`"eventId": "event-%d"`, n),
			`"id": "string"`, fmt.Sprintf(`"id": "customer-%d"`, session%5000), `"shopperId": "string"`, fmt.Sprintf(`"shopperId": "shopper-%d"`, session),
			`"productIds": [`, fmt.Sprintf(`"productIds": ["product-%d",`, n%400), `"gondolaIds": [`, fmt.Sprintf(`"gondolaIds": [%d,`, 1+n%40),
		).Replace(body)
		return store.Delivery{
			ID: id, Webhook: w, Path: "/api/push/" + string(w), Headers: map[string]string{"Content-Type": "application/json", "User-Agent": "AiFi"},
			RemoteAddr: "192.0.2.1", TokenID: 1, Body: []byte(text),
		}
	}
}

// RecordUsual records n deliveries, as many senders at once would, made of AiFi's samples
// in a directory, and calls kept (if not nil) with how many were kept before each.
func RecordUsual(b testing.TB, s *store.Store, samples string, n int64, kept func(before int64)) {
	b.Helper()
	next := usual(b, samples)
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
