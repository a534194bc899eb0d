// Package storefill fills a database with what years of webhooks would leave in it, for
// measurements and tests of reading at a size that takes too long to record. It writes
// with SQL what Record would; only the bodies are empty objects, and not in the log.
package storefill

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store"
)

// What is made: shops from 1, each with products product-0 and up and gondolas from 1;
// sessions session-0 and up with ten events each; customers customer-0 and up.
const (
	Products  = 400
	Gondolas  = 40
	Customers = 50_000
	Flag      = "POTENTIALLY_INTERACTED_WITH_ALCOHOL"
)

// Options say how much.
type Options struct {
	Events   int              // nine alcohol interactions, then a fraud alert or a registration
	Stores   int              // shops
	From     time.Time        // of the first event
	Span     time.Duration    // over which they are spread evenly
	Reviewed bool             // staff have marked one alcohol interaction in eighteen
	Progress func(events int) // told how many there are; may be nil
}

// chunk is how many events are written at a time: whole sessions.
const chunk = 200_000

// Fill puts events into a database that holds none, in the order of time, as they would
// have come.
func Fill(ctx context.Context, databaseURL string, s *store.Store, o Options) error {
	if err := s.EnsurePartitions(ctx, o.From, o.From.Add(o.Span)); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return fmt.Errorf("connecting to the database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "SET synchronous_commit = off"); err != nil {
		return err
	}
	for first := 0; first < o.Events; first += chunk {
		last := min(first+chunk, o.Events)
		if err := fillChunk(ctx, conn, o, first, last); err != nil {
			return err
		}
		if o.Progress != nil {
			o.Progress(last)
		}
	}
	if _, err := conn.Exec(ctx, "VACUUM (ANALYZE)"); err != nil {
		return fmt.Errorf("cleaning up: %w", err)
	}
	return nil
}

// fillChunk writes the events from first to before last.
func fillChunk(ctx context.Context, conn *pgx.Conn, o Options, first, last int) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, choose, first, last-1, o.From, o.Span.Seconds()/float64(o.Events), o.Stores)
		if err != nil {
			return fmt.Errorf("choosing events: %w", err)
		}
		if !o.Reviewed {
			if _, err := tx.Exec(ctx, "UPDATE fill SET disposition = NULL WHERE disposition IS NOT NULL"); err != nil {
				return err
			}
		}
		for _, sql := range statements {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		return nil
	})
}

// choose makes up the events n from $1 to $2, which happen $4 seconds apart from $3 on,
// in $5 shops.
const choose = `CREATE TEMPORARY TABLE fill ON COMMIT DROP AS
SELECT n, store_id, at, kind, (lpad(to_hex(n), 8, '0') || '-0000-8000-8000-' || substr(md5(n::text), 1, 12))::uuid AS id,
    CASE kind WHEN 'fraud_alert' THEN 'suspected-fraud' WHEN 'registration' THEN 'remote-register' ELSE 'restricted-products-interactions' END AS webhook,
    'session-' || n / 10 AS session_id, 'customer-' || n / 10 % 50000 AS customer_id,
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000' || '8000' || substr(md5(n::text), 1, 12))::uuid AS delivery_id,
    date_trunc('milliseconds', at) AS received_at,
    CASE WHEN n % 20 = 4 THEN (ARRAY['confirmed', 'false_alarm', 'under_review'])[1 + n / 20 % 3] END AS disposition
FROM (SELECT n, 1 + n / 10 % $5::int AS store_id, $3::timestamptz + make_interval(secs => $4::float8 * n) AS at,
    CASE WHEN n % 20 = 9 THEN 'fraud_alert' WHEN n % 20 = 19 THEN 'registration' ELSE 'alcohol_interaction' END AS kind
    FROM generate_series($1::int, $2::int) n) e`

// Count is SQL that adds the events of a table with store_id, kind and at to the counts.
// It knows no times before 1970.
func Count(table string) string {
	return `WITH counted AS (
    SELECT store_id, kind, (at AT TIME ZONE 'UTC')::date AS day, floor(extract(epoch FROM at) / 900)::bigint % 96 AS quarter, count(*) AS events
    FROM ` + table + ` GROUP BY 1, 2, 3, 4
)
INSERT INTO event_days AS t (store_id, kind, day, events, quarters)
SELECT store_id, kind, day, sum(coalesce(c.events, 0)), ('[0:95]=' || array_agg(coalesce(c.events, 0) ORDER BY quarter)::text)::integer[]
FROM (SELECT DISTINCT store_id, kind, day FROM counted) d
CROSS JOIN generate_series(0, 95) quarter
LEFT JOIN counted c USING (store_id, kind, day, quarter)
GROUP BY store_id, kind, day
ON CONFLICT (store_id, kind, day) DO UPDATE SET events = t.events + excluded.events, quarters = add_quarters(t.quarters, excluded.quarters)`
}

// statements write the rows of the events.
var statements = []string{
	`INSERT INTO events (store_id, kind, occurred_at, id, occurred_at_known, delivery_id, received_at, issued_at, webhook, event_id, session_id,
    customer_id, shopper_id, store_external_id, flags, product_ids, gondola_ids, unreadable)
SELECT store_id, kind, at, id, true, delivery_id, received_at, at, webhook, 'event-' || n, session_id, customer_id, 'shopper-' || n / 10, 'SHOP-' || store_id,
    CASE kind WHEN 'registration' THEN '{}' ELSE ARRAY['POTENTIALLY_INTERACTED_WITH_ALCOHOL'] END,
    CASE kind WHEN 'alcohol_interaction' THEN ARRAY['product-' || n % 400] ELSE '{}' END,
    CASE kind WHEN 'alcohol_interaction' THEN ARRAY[(1 + n % 40)::text] ELSE '{}' END, '{}'
FROM fill`,
	`INSERT INTO event_flags (store_id, flag, kind, occurred_at, event_id, from_shopper, from_session, from_webhook)
SELECT store_id, 'POTENTIALLY_INTERACTED_WITH_ALCOHOL', kind, at, id, true, true, true FROM fill WHERE kind <> 'registration'`,
	`INSERT INTO event_products (store_id, product_id, kind, occurred_at, event_id)
SELECT store_id, 'product-' || n % 400, kind, at, id FROM fill WHERE kind = 'alcohol_interaction'`,
	`INSERT INTO event_gondolas (store_id, gondola_id, kind, occurred_at, event_id)
SELECT store_id, (1 + n % 40)::text, kind, at, id FROM fill WHERE kind = 'alcohol_interaction'`,
	`INSERT INTO event_notes (store_id, at, id, kind, occurred_at, event_id, delivery_id, token_id, token_name, disposition)
SELECT store_id, at + interval '1 day', gen_random_uuid(), kind, at, id, delivery_id, 1, 'staff', disposition FROM fill WHERE disposition IS NOT NULL`,
	`INSERT INTO event_reviews (store_id, kind, occurred_at, event_id, disposition, disposition_at, disposition_by, notes, last_note_at)
SELECT store_id, kind, at, id, disposition, at + interval '1 day', 'staff', 1, at + interval '1 day' FROM fill WHERE disposition IS NOT NULL`,
	`INSERT INTO deliveries (store_id, received_at, id, webhook, session_id, event_kind, event_occurred_at, event_id, issued_at, token_id, remote_addr,
    path, headers, body_size, body_sha256, truncated)
SELECT store_id, received_at, delivery_id, webhook, session_id, kind, at, id, at, 1, '192.0.2.1', '/api/push/' || webhook,
    '{"Content-Type": "application/json"}', 2, sha256('{}'), false FROM fill`,
	`INSERT INTO delivery_bodies (store_id, received_at, delivery_id, body) SELECT store_id, received_at, delivery_id, '{}' FROM fill`,
	`INSERT INTO delivery_counts AS t (store_id, webhook, bucket, deliveries, last_at)
SELECT store_id, webhook, date_bin('15 minutes', received_at, '0001-01-01Z'), count(*), max(received_at) FROM fill GROUP BY 1, 2, 3
ON CONFLICT (store_id, webhook, bucket) DO UPDATE SET deliveries = t.deliveries + excluded.deliveries, last_at = excluded.last_at`,
	Count("fill"),
	`INSERT INTO sessions (store_id, session_id, first_seen_at, last_seen_at, created_at, updated_at, customer_id, status)
SELECT store_id, session_id, min(at), max(at), min(at), max(at), min(customer_id), 'active' FROM fill GROUP BY 1, 2`,
	`INSERT INTO session_flags (store_id, session_id, flag, first_seen_at)
SELECT store_id, session_id, 'POTENTIALLY_INTERACTED_WITH_ALCOHOL', min(at) FROM fill GROUP BY 1, 2`,
	`INSERT INTO stores AS t (store_id, external_id, first_seen_at, last_seen_at) SELECT store_id, 'SHOP-' || store_id, min(at), max(at) FROM fill GROUP BY 1
ON CONFLICT (store_id) DO UPDATE SET last_seen_at = excluded.last_seen_at`,
	`INSERT INTO store_flags SELECT DISTINCT store_id, 'POTENTIALLY_INTERACTED_WITH_ALCOHOL' FROM fill WHERE kind <> 'registration' ON CONFLICT DO NOTHING`,
	`INSERT INTO store_webhooks SELECT DISTINCT store_id, webhook FROM fill ON CONFLICT DO NOTHING`,
	`INSERT INTO store_external_ids (store_id, external_id) SELECT store_id, external_id FROM stores ON CONFLICT DO NOTHING`,
	`INSERT INTO customers AS t (store_id, customer_id, first_seen_at, last_seen_at) SELECT store_id, customer_id, min(at), max(at) FROM fill GROUP BY 1, 2
ON CONFLICT (store_id, customer_id) DO UPDATE SET last_seen_at = excluded.last_seen_at`,
	`INSERT INTO products AS t (store_id, product_id, first_seen_at, last_seen_at)
SELECT store_id, 'product-' || n % 400, min(at), max(at) FROM fill WHERE kind = 'alcohol_interaction' GROUP BY 1, 2
ON CONFLICT (store_id, product_id) DO UPDATE SET last_seen_at = excluded.last_seen_at`,
	`INSERT INTO gondolas AS t (store_id, gondola_id, first_seen_at, last_seen_at)
SELECT store_id, (1 + n % 40)::text, min(at), max(at) FROM fill WHERE kind = 'alcohol_interaction' GROUP BY 1, 2
ON CONFLICT (store_id, gondola_id) DO UPDATE SET last_seen_at = excluded.last_seen_at`,
}
