package store_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// BenchmarkSpool measures what an outage costs: how fast deliveries are taken while
// the database is away, and how fast they are recorded afterwards, alone and beside
// live deliveries. One operation is one spooled delivery.
//
//	go test ./store -run '^$' -bench 'Spool$' -benchtime 20000x
func BenchmarkSpool(b *testing.B) {
	url := durable(b)
	proxy := storetest.NewProxy(b, url)
	s, err := store.Open(b.Context(), store.Config{DatabaseURL: proxy.URL, Local: &store.Local{Dir: b.TempDir()}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	next := deliveries(b)
	record := func(ctx context.Context) error {
		_, err := s.Record(ctx, next())
		return err
	}
	outage := func() (took time.Duration) {
		proxy.Cut()
		start := time.Now()
		var done atomic.Int64
		var all sync.WaitGroup
		for range senders {
			all.Go(func() {
				for done.Add(1) <= int64(b.N) {
					if err := record(b.Context()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		return time.Since(start)
	}
	drained := func() time.Duration {
		start := time.Now()
		proxy.Mend()
		storetest.Eventually(b, "the spool is empty", func() bool { return drained(s) })
		return time.Since(start)
	}
	b.ResetTimer()
	spooling := outage()
	alone := drained()
	outage()
	var live atomic.Int64
	ctx, stop := context.WithCancel(b.Context())
	var sending sync.WaitGroup
	for range senders / 4 {
		sending.Go(func() {
			for ctx.Err() == nil {
				if record(b.Context()) == nil {
					live.Add(1)
				}
			}
		})
	}
	beside := drained()
	during := live.Load()
	stop()
	sending.Wait()
	b.StopTimer()
	rate := func(n int64, took time.Duration) float64 { return float64(n) / took.Seconds() }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate(int64(b.N), spooling), "spooled/s")
	b.ReportMetric(rate(int64(b.N), alone), "drained/s")
	b.ReportMetric(rate(int64(b.N), beside), "drained-beside-live/s")
	b.ReportMetric(rate(during, beside), "live-beside-drain/s")
}

// BenchmarkIdleSpool measures what a spool costs while nothing goes into it: runs
// with and without one alternate on one server, and the middle of the ratios of the
// pairs counts. One operation is one delivery of each.
//
//	go test ./store -run '^$' -bench IdleSpool -benchtime 50000x
func BenchmarkIdleSpool(b *testing.B) {
	const pairs = 10
	url := durable(b)
	next := deliveries(b)
	each := max(b.N/pairs, 1)
	measure := func(local *store.Local) float64 {
		s, err := store.Open(b.Context(), store.Config{DatabaseURL: url, Local: local})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		start := time.Now()
		var done atomic.Int64
		var all sync.WaitGroup
		for range senders {
			all.Go(func() {
				for done.Add(1) <= int64(each) {
					if r, err := s.Record(b.Context(), next()); err != nil || r.Status == store.Spooled {
						b.Errorf("%v, %v", r, err)
						return
					}
				}
			})
		}
		all.Wait()
		return float64(each) / time.Since(start).Seconds()
	}
	measure(nil) // the first run makes rows of the catalogue
	var costs, with, without []float64
	for pair := range pairs {
		// A deadline that no slow moment of the machine passes: this is about idleness.
		local := &store.Local{Dir: b.TempDir(), CommitDeadline: time.Minute}
		if pair%2 == 0 {
			without = append(without, measure(nil))
			with = append(with, measure(local))
		} else {
			with = append(with, measure(local))
			without = append(without, measure(nil))
		}
		costs = append(costs, 100*(1-with[pair]/without[pair]))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(middle(with), "with/s")
	b.ReportMetric(middle(without), "without/s")
	b.ReportMetric(middle(costs), "cost-%")
	b.Logf("costs of the pairs in %%: %.1f", costs)
}

func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
