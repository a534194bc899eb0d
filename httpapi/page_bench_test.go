package httpapi_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"aifi-audit/store/storefill"
	"aifi-audit/store/storetest"
)

// BenchmarkPages measures the server's time for each page of the staff page. The
// environment variable AIFI_AUDIT_BENCH_EVENTS says of how many events; 20000 if not.
func BenchmarkPages(b *testing.B) {
	events := 20_000
	if v := os.Getenv("AIFI_AUDIT_BENCH_EVENTS"); v != "" {
		var err error
		if events, err = strconv.Atoi(v); err != nil {
			b.Fatal(err)
		}
	}
	s := serve(b)
	fill(b, s)
	stockUp(b, s, events)
	p := s.person(b).signIn(b, s.reviewer(b))
	week := "from=" + lastNight().AddDate(0, 0, -6).Format(time.DateOnly)
	for _, c := range []struct{ name, path string }{
		{"overview", "/"},
		{"overview of 80 days", "/?from=" + lastNight().AddDate(0, 0, -79).Format(time.DateOnly)},
		{"overview of one store", "/?storeId=11"},
		{"alcohol", "/alcohol-interactions"},
		{"alcohol of a week", "/alcohol-interactions?" + week},
		{"alcohol of a store and week", "/alcohol-interactions?storeId=11&" + week},
		{"alcohol of a product", "/alcohol-interactions?productId=p7"},
		{"alcohol not reviewed", "/alcohol-interactions?disposition=none"},
		{"fraud", "/fraud-alerts"},
		{"sessions", "/sessions"},
		{"quarantine", "/quarantine"},
		{"state", "/status"},
		{"refused", "/refused"},
		{"session", "/sessions/night"},
		{"delivery", "/deliveries/" + delivered(b, s, "night", "suspected-fraud")},
		{"count of all of a product", "/alcohol-interactions.count?all=true&productId=p7"},
		{"count of what is new", "/alcohol-interactions.count?" + week},
	} {
		b.Run(c.name, func(b *testing.B) {
			times := make([]time.Duration, 0, b.N)
			for b.Loop() {
				start := time.Now()
				if a := p.get(b, c.path); a.status != http.StatusOK {
					b.Fatalf("%s: %d %s", c.path, a.status, a.body)
				}
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// stockUp writes the rows of many events over 80 days and 50 stores, straight into
// the tables: what is measured is reading.
func stockUp(b *testing.B, s *server, events int) {
	b.Helper()
	source := fmt.Sprintf(`(SELECT i, 10 + i %% 50 AS store_id, CASE WHEN i %% 20 = 0 THEN 'fraud_alert' ELSE 'alcohol_interaction' END AS kind,
		timestamptz '%[2]s' - i * (interval '80 days' / %[1]d) AS at, md5(i::text)::uuid AS id, 's' || i / 4 AS session, 'p' || i %% 300 AS product, (i %% 40)::text AS gondola
		FROM generate_series(1, %[1]d) AS i) AS x`, events, time.Now().Format(time.RFC3339))
	storetest.SQL(b, s.database,
		`INSERT INTO events (store_id, kind, occurred_at, id, occurred_at_known, delivery_id, received_at, issued_at, webhook, session_id, customer_id, flags, product_ids, gondola_ids, unreadable)
			SELECT store_id, kind, at, id, true, id, at, at, 'restricted-products-interactions', session, 'c1', '{POTENTIALLY_INTERACTED_WITH_ALCOHOL}', ARRAY[product], ARRAY[gondola], '{}' FROM `+source,
		`INSERT INTO event_products SELECT store_id, product, kind, at, id FROM `+source,
		`INSERT INTO event_gondolas SELECT store_id, gondola, kind, at, id FROM `+source,
		`INSERT INTO event_flags SELECT store_id, 'POTENTIALLY_INTERACTED_WITH_ALCOHOL', kind, at, id, true, true, true FROM `+source,
		storefill.Count(source),
		`INSERT INTO event_reviews SELECT store_id, kind, at, id, 'confirmed', at, 'Jane Doe', 1, at FROM `+source+` WHERE i % 49 = 0`,
		`INSERT INTO stores SELECT store_id, 'SHOP-' || store_id, null, min(at), max(at) FROM `+source+` GROUP BY store_id`,
		`INSERT INTO sessions (store_id, session_id, first_seen_at, last_seen_at, status, customer_id) SELECT store_id, session, min(at), max(at), 'completed', 'c1' FROM `+source+` GROUP BY 1, 2`,
		`INSERT INTO delivery_counts SELECT store_id, kind, date_bin('15 minutes', at, '0001-01-01Z'), count(*), max(at)
			FROM (SELECT store_id, CASE kind WHEN 'fraud_alert' THEN 'suspected-fraud' ELSE 'restricted-products-interactions' END AS kind, at FROM `+source+`) d
			WHERE at > now() - interval '63 days' GROUP BY 1, 2, 3`,
		`UPDATE stores SET time_zone = 'Asia/Kathmandu' WHERE store_id BETWEEN 20 AND 30`,
		`UPDATE stores SET time_zone = 'Europe/London' WHERE store_id > 30`,
		"VACUUM ANALYZE")
}
