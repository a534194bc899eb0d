package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aifi-audit/store/storefill"
	"aifi-audit/store/storetest"
)

// benchEvents is how many events the benchmarks of reading search. AIFI_AUDIT_BENCH_EVENTS
// sets another size: what a page costs should not depend on it.
func benchEvents(b *testing.B) int {
	b.Helper()
	if text := os.Getenv("AIFI_AUDIT_BENCH_EVENTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	return 1_000_000
}

const benchSpan = 80 * 24 * time.Hour

// BenchmarkPage answers the first page of 50 of each list and filter, and one far
// down.
//
//	go test ./httpapi -run '^$' -bench Page -benchtime 200x
func BenchmarkPage(b *testing.B) {
	s := serve(b)
	events := benchEvents(b)
	storetest.Fill(b, s.database, s.store, events, benchSpan)
	week := "from=" + time.Now().AddDate(0, 0, -14).Format(time.DateOnly) + "&to=" + time.Now().AddDate(0, 0, -7).Format(time.DateOnly)
	deep := "to=" + time.Now().AddDate(0, 0, -60).Format(time.DateOnly)
	session := "session-" + strconv.Itoa(events/20)
	for _, path := range []string{
		"alcohol-interactions", "alcohol-interactions?storeId=7", "alcohol-interactions?storeId=7&storeId=8&storeId=9",
		"alcohol-interactions?storeExternalId=SHOP-7", "alcohol-interactions?" + week, "alcohol-interactions?storeId=7&" + week, "alcohol-interactions?" + deep,
		"alcohol-interactions?productId=product-7", "alcohol-interactions?productId=product-7&storeId=1&" + week, "alcohol-interactions?gondolaId=8",
		"alcohol-interactions?flag=" + storefill.Flag, "alcohol-interactions?flag=" + storefill.Flag + "&gondolaId=8&productId=product-7",
		"alcohol-interactions?flag=NEVER_SEEN", "alcohol-interactions?productId=never-seen", "alcohol-interactions?storeId=999",
		"alcohol-interactions?sessionId=" + session, "alcohol-interactions?customerId=customer-7",
		"fraud-alerts", "fraud-alerts?storeId=7", "fraud-alerts?flag=" + storefill.Flag, "registrations", "registrations?storeId=7&" + week,
		"sessions", "sessions?storeId=7", "sessions?storeId=7&storeId=8", "sessions?" + week, "sessions?flag=" + storefill.Flag, "sessions?flag=NEVER_SEEN",
		"sessions?customerId=customer-7", "sessions/" + session,
		"deliveries", "deliveries?storeId=7", "deliveries?storeId=7&storeId=8", "deliveries?sessionId=" + session, "deliveries?webhook=restricted-products-interactions",
		"deliveries?webhook=never-seen", "deliveries?storeId=7&webhook=never-seen", "quarantine", "stores", "summary",
	} {
		b.Run(path, func(b *testing.B) {
			times := make([]time.Duration, 0, b.N)
			for b.Loop() {
				start := time.Now()
				if _, err := io.Copy(io.Discard, s.open(b, "/api/v1/"+path)); err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(start))
			}
			b.ReportMetric(float64(percentile(times, 50).Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(percentile(times, 99).Microseconds())/1000, "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkExport streams all alcohol interactions as CSV, and measures the rate
// against that of psql's \copy of the same columns, and by how much the memory in use
// grows meanwhile.
//
//	go test ./httpapi -run '^$' -bench Export -benchtime 3x
func BenchmarkExport(b *testing.B) {
	s := serve(b)
	storetest.Fill(b, s.database, s.store, benchEvents(b), benchSpan)
	before := inUse()
	var most, size, rows int64
	for b.Loop() {
		rows, size = 0, 0
		body := s.open(b, "/api/v1/alcohol-interactions.csv")
		buf := make([]byte, 1<<20)
		for {
			n, err := body.Read(buf)
			rows, size = rows+int64(strings.Count(string(buf[:n]), "\n")), size+int64(n)
			if size>>24 != (size-int64(n))>>24 {
				most = max(most, inUse()-before)
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	rate := float64(rows) * float64(b.N) / b.Elapsed().Seconds()
	copied := psqlCopy(b, s.database)
	b.ReportMetric(rate, "rows/s")
	b.ReportMetric(float64(size)/float64(rows), "B/row")
	b.ReportMetric(rate/copied, "of-psql-copy")
	b.ReportMetric(float64(most)/1e6, "MB-grown")
}

// open gives the body of a good answer, without holding it against the contract.
func (s *server) open(b *testing.B, path string) io.Reader {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.staff)
	resp, err := s.Client().Do(r)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		b.Fatalf("%s: answer %d", path, resp.StatusCode)
	}
	return resp.Body
}

// inUse is the memory of the process that is in use: the heap and the stacks, of
// server and client, before garbage is collected.
func inUse() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// psqlCopy gives the rate of \copy, in rows a second.
func psqlCopy(b *testing.B, url string) float64 {
	b.Helper()
	out := b.TempDir() + "/copied.csv"
	start := time.Now()
	text, err := exec.CommandContext(b.Context(), "psql", url, "-Xqc", `\copy (SELECT id, delivery_id, event_id, store_id, store_external_id, session_id, `+
		`customer_id, shopper_id, occurred_at, occurred_at_known, issued_at, received_at, array_to_string(flags, '|'), array_to_string(product_ids, '|'), `+
		`array_to_string(gondola_ids, '|') FROM events WHERE kind = 'alcohol_interaction' ORDER BY occurred_at DESC, id DESC) TO '`+out+`' CSV HEADER`).CombinedOutput()
	if err != nil {
		b.Fatalf("psql: %v: %s", err, text)
	}
	elapsed := time.Since(start)
	var rows int
	if _, err := fmt.Sscan(storetest.Query(b, url, "SELECT count(*) FROM events WHERE kind = 'alcohol_interaction'")[0], &rows); err != nil {
		b.Fatal(err)
	}
	return float64(rows) / elapsed.Seconds()
}

func percentile(times []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[(len(sorted)-1)*p/100]
}
