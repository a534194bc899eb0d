package storetest

import (
	"testing"
	"time"

	"aifi-audit/store"
)

// Filled is what Fill makes: shops 1 to FillStores, products product-0 and up,
// gondolas from 1, sessions session-0 and up with ten events each, customers
// customer-0 and up.
const (
	FillStores   = 20
	FillProducts = 400
	FillGondolas = 40
	FillFlag     = "POTENTIALLY_INTERACTED_WITH_ALCOHOL"
)

// Fill puts events into a database that holds none, spread evenly over a span of
// time that ends now: nine alcohol interactions, then a fraud alert or a
// registration. It writes with SQL what Record would, for tests of reading at a
// size that takes too long to record.
func Fill(t testing.TB, databaseURL string, s *store.Store, events int, span time.Duration) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	if err := s.EnsurePartitions(t.Context(), now.Add(-span), now); err != nil {
		t.Fatal(err)
	}
	conn, hangUp := dial(t, databaseURL)
	defer hangUp()
	for _, sql := range fillStatements {
		if _, err := conn.Exec(t.Context(), sql.text, sql.args(events, now.Add(-span), span)...); err != nil {
			t.Fatalf("%s: %v", sql.text, err)
		}
	}
}

type fillStatement struct {
	text string
	args func(events int, from time.Time, span time.Duration) []any
}

func ofAll(events int, from time.Time, span time.Duration) []any {
	return []any{events, from, span.Seconds()}
}

// CountEvents is SQL that counts the events that were written by SQL. Those of times
// before 1970 it does not understand.
const CountEvents = `WITH counted AS (
    SELECT store_id, kind, (occurred_at AT TIME ZONE 'UTC')::date AS day, floor(extract(epoch FROM occurred_at) / 900)::bigint % 96 AS quarter, count(*) AS events
    FROM events GROUP BY 1, 2, 3, 4
)
INSERT INTO event_days (store_id, kind, day, events, quarters)
SELECT store_id, kind, day, sum(coalesce(c.events, 0)), ('[0:95]=' || array_agg(coalesce(c.events, 0) ORDER BY quarter)::text)::integer[]
FROM (SELECT DISTINCT store_id, kind, day FROM counted) d
CROSS JOIN generate_series(0, 95) quarter
LEFT JOIN counted c USING (store_id, kind, day, quarter)
GROUP BY store_id, kind, day
ON CONFLICT (store_id, kind, day) DO UPDATE SET events = excluded.events, quarters = excluded.quarters`

func none(int, time.Time, time.Duration) []any { return nil }

var fillStatements = []fillStatement{
	{`CREATE TEMPORARY TABLE fill AS
SELECT n, 1 + n / 10 % 20 AS store_id, $2::timestamptz + make_interval(secs => $3::float8 * n / $1::int) AS at,
    CASE WHEN n % 20 = 9 THEN 'fraud_alert' WHEN n % 20 = 19 THEN 'registration' ELSE 'alcohol_interaction' END AS kind,
    (lpad(to_hex(n), 8, '0') || '-0000-8000-8000-' || substr(md5(n::text), 1, 12))::uuid AS id,
    'session-' || n / 10 AS session_id, 'customer-' || n / 10 % 50000 AS customer_id,
    (lpad(to_hex((extract(epoch FROM $2::timestamptz + make_interval(secs => $3::float8 * n / $1::int)) * 1000)::bigint), 12, '0')
        || '7000' || '8000' || substr(md5(n::text), 1, 12))::uuid AS delivery_id,
    date_trunc('milliseconds', $2::timestamptz + make_interval(secs => $3::float8 * n / $1::int)) AS received_at
FROM generate_series(0, $1::int - 1) n`, ofAll},
	{`INSERT INTO events (store_id, kind, occurred_at, id, occurred_at_known, delivery_id, received_at, issued_at, webhook, event_id, session_id,
    customer_id, shopper_id, store_external_id, flags, product_ids, gondola_ids, unreadable)
SELECT store_id, kind, at, id, true, delivery_id, received_at, at, CASE kind WHEN 'fraud_alert' THEN 'suspected-fraud' WHEN 'registration' THEN 'remote-register'
    ELSE 'restricted-products-interactions' END, 'event-' || n, session_id, customer_id, 'shopper-' || n / 10, 'SHOP-' || store_id,
    CASE kind WHEN 'registration' THEN '{}' ELSE ARRAY['POTENTIALLY_INTERACTED_WITH_ALCOHOL'] END,
    CASE kind WHEN 'alcohol_interaction' THEN ARRAY['product-' || n % 400] ELSE '{}' END,
    CASE kind WHEN 'alcohol_interaction' THEN ARRAY[(1 + n % 40)::text] ELSE '{}' END, '{}'
FROM fill`, none},
	{`INSERT INTO event_flags (store_id, flag, kind, occurred_at, event_id, from_shopper, from_session, from_webhook)
SELECT store_id, 'POTENTIALLY_INTERACTED_WITH_ALCOHOL', kind, at, id, true, true, true FROM fill WHERE kind <> 'registration'`, none},
	{`INSERT INTO event_products (store_id, product_id, kind, occurred_at, event_id)
SELECT store_id, 'product-' || n % 400, kind, at, id FROM fill WHERE kind = 'alcohol_interaction'`, none},
	{`INSERT INTO event_gondolas (store_id, gondola_id, kind, occurred_at, event_id)
SELECT store_id, (1 + n % 40)::text, kind, at, id FROM fill WHERE kind = 'alcohol_interaction'`, none},
	{`INSERT INTO deliveries (store_id, received_at, id, webhook, session_id, event_kind, event_occurred_at, event_id, issued_at, token_id, remote_addr,
    path, headers, body_size, body_sha256, truncated)
SELECT store_id, received_at, delivery_id, 'restricted-products-interactions', session_id, kind, at, id, at, 1, '192.0.2.1',
    '/api/push/restricted-products-interactions', '{"Content-Type": "application/json"}', 2, sha256('{}'), false FROM fill`, none},
	{`INSERT INTO delivery_bodies (store_id, received_at, delivery_id, body) SELECT store_id, received_at, delivery_id, '{}' FROM fill`, none},
	{`INSERT INTO delivery_counts (store_id, webhook, bucket, deliveries, last_at)
SELECT store_id, webhook, date_bin('15 minutes', received_at, 'epoch'), count(*), max(received_at) FROM deliveries GROUP BY 1, 2, 3`, none},
	{CountEvents, none},
	{`INSERT INTO sessions (store_id, session_id, first_seen_at, last_seen_at, created_at, updated_at, customer_id, status)
SELECT store_id, session_id, min(at), max(at), min(at), max(at), min(customer_id), 'active' FROM fill GROUP BY 1, 2`, none},
	{`INSERT INTO session_flags (store_id, session_id, flag, first_seen_at)
SELECT store_id, session_id, 'POTENTIALLY_INTERACTED_WITH_ALCOHOL', first_seen_at FROM sessions`, none},
	{`INSERT INTO stores (store_id, external_id, first_seen_at, last_seen_at) SELECT store_id, 'SHOP-' || store_id, min(at), max(at) FROM fill GROUP BY 1`, none},
	{`INSERT INTO store_external_ids (store_id, external_id) SELECT store_id, external_id FROM stores`, none},
	{`DROP TABLE fill`, none},
	{`VACUUM ANALYZE`, none},
}
