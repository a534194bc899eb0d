-- What a verification reads beside the log itself. since bounds it by the time received.

-- name: ExportSnapshot :one
SELECT pg_export_snapshot();

-- name: ListCheckpoints :many
SELECT size, checkpoint FROM log_checkpoints WHERE size > @after_size ORDER BY size LIMIT @row_limit;

-- CountLeaves counts the leaves in log_leaves, wherever they say that they stand.
-- name: CountLeaves :one
SELECT coalesce(sum(length(ids) / 17), 0)::bigint FROM log_leaves;

-- SurplusLeaves are rows of log_leaves that hold more than up to the next row, or more than
-- the log: nothing signed speaks of these, and nobody opens them.
-- name: SurplusLeaves :many
SELECT first_index FROM (
    SELECT l.first_index, length(l.ids) AS ids, length(l.hashes) AS hashes, lead(l.first_index) OVER (ORDER BY l.first_index) AS next
    FROM log_leaves l WHERE l.first_index < 0 OR l.first_index >= @from_index::bigint
) r
WHERE r.first_index < 0 OR r.ids / 17 > least(coalesce(r.next, @size::bigint), @size::bigint) - r.first_index OR r.ids % 17 <> 0 OR r.hashes <> r.ids / 17 * 32
ORDER BY r.first_index;

-- name: QueuedLeaves :many
SELECT leaves, queued_at FROM log_queue ORDER BY id;

-- LoggedSpan is the time in which there are deliveries and entries of the access log, but
-- for those without end. Each end is one look into an index.
-- name: LoggedSpan :one
SELECT coalesce(least((SELECT min(d.received_at) FROM deliveries d WHERE d.received_at >= @since AND d.received_at > '-infinity'),
        (SELECT min(a.at) FROM access_log a WHERE a.at >= @since AND a.at > '-infinity')), '0001-01-01T00:00:00Z')::timestamptz AS first_at,
    coalesce(greatest((SELECT max(d.received_at) FROM deliveries d WHERE d.received_at >= @since AND d.received_at < 'infinity'),
        (SELECT max(a.at) FROM access_log a WHERE a.at >= @since AND a.at < 'infinity')), '0001-01-01T00:00:00Z')::timestamptz AS last_at;

-- Endless are the deliveries, rows of quarantine and entries of the access log whose time is
-- no time. This program never writes such.
-- name: Endless :many
SELECT 'delivery'::text AS what, d.id::uuid AS id FROM deliveries d WHERE d.received_at IN ('infinity', '-infinity')
UNION ALL
SELECT 'quarantine', q.delivery_id FROM quarantine q WHERE q.received_at IN ('infinity', '-infinity')
UNION ALL
SELECT 'access', a.entry_id FROM access_log a WHERE a.at IN ('infinity', '-infinity') AND a.entry_id IS NOT NULL;

-- name: DeliveryIDs :many
SELECT id FROM deliveries WHERE received_at >= @from_time AND received_at < @to_time;

-- name: LeafIDsBetween :many
SELECT ids FROM log_leaves WHERE tstzrange(first_at, last_at, '[]') && tstzrange(@from_time::timestamptz, @to_time::timestamptz);

-- UnstatedEvents are events which the delivery that they name does not state, neither
-- itself nor by a replay: the deliveries that they name. If that was retired, another
-- delivery must state it, unless its month waits to be swept.
-- name: UnstatedEvents :many
SELECT e.delivery_id FROM events e
LEFT JOIN deliveries d ON d.received_at = e.received_at AND d.id = e.delivery_id AND d.event_id = e.id AND d.store_id = e.store_id
    AND d.event_kind = e.kind AND d.event_occurred_at = e.occurred_at AND d.received_at >= @since
LEFT JOIN quarantine q ON q.received_at = e.received_at AND q.delivery_id = e.delivery_id AND q.event_id = e.id AND q.event_store_id = e.store_id
    AND q.event_kind = e.kind AND q.event_occurred_at = e.occurred_at AND q.received_at >= @since
WHERE e.received_at >= @since AND d.id IS NULL AND q.delivery_id IS NULL AND NOT (
    EXISTS (SELECT 1 FROM log_retirements r WHERE tstzrange(r.from_time, r.to_time) @> e.received_at
        AND (r.delivery_ids IS NULL OR e.delivery_id = ANY (r.delivery_ids)))
    AND (EXISTS (SELECT 1 FROM retention_sweeps s WHERE s.what = 'month' AND s.store_id = 0 AND s.id = date_trunc('month', e.occurred_at)::date::text)
        OR EXISTS (SELECT 1 FROM deliveries o WHERE o.event_occurred_at = e.occurred_at AND o.event_id = e.id AND o.store_id = e.store_id AND o.event_kind = e.kind)
        OR EXISTS (SELECT 1 FROM quarantine o WHERE o.event_occurred_at = e.occurred_at AND o.event_id = e.id AND o.event_store_id = e.store_id AND o.event_kind = e.kind)));

-- NewEventHours are the hours in which events happened that were received since.
-- name: NewEventHours :many
SELECT DISTINCT date_trunc('hour', occurred_at, 'UTC')::timestamptz AS hour FROM events
WHERE received_at >= @since AND isfinite(occurred_at) ORDER BY hour;

-- MissingListEntries are flags, products and gondolas of events by which the events
-- cannot be found. If the time is given in which the events happened, no more is read.
-- name: MissingListEntries :many
SELECT 'flag'::text AS list, e.delivery_id, coalesce(f.value, '')::text AS value
FROM events e CROSS JOIN LATERAL unnest(e.flags) AS f (value)
LEFT JOIN event_flags x ON x.store_id = e.store_id AND x.kind = e.kind AND x.occurred_at = e.occurred_at AND x.event_id = e.id AND x.flag = f.value
    AND (sqlc.narg(from_time)::timestamptz IS NULL OR x.occurred_at >= sqlc.narg(from_time) AND x.occurred_at < sqlc.narg(to_time))
WHERE e.received_at >= @since
    AND (sqlc.narg(from_time)::timestamptz IS NULL OR e.occurred_at >= sqlc.narg(from_time) AND e.occurred_at < sqlc.narg(to_time)) AND x.event_id IS NULL
UNION ALL
SELECT 'product', e.delivery_id, coalesce(f.value, '')
FROM events e CROSS JOIN LATERAL unnest(e.product_ids) AS f (value)
LEFT JOIN event_products x ON x.store_id = e.store_id AND x.kind = e.kind AND x.occurred_at = e.occurred_at AND x.event_id = e.id AND x.product_id = f.value
    AND (sqlc.narg(from_time)::timestamptz IS NULL OR x.occurred_at >= sqlc.narg(from_time) AND x.occurred_at < sqlc.narg(to_time))
WHERE e.received_at >= @since
    AND (sqlc.narg(from_time)::timestamptz IS NULL OR e.occurred_at >= sqlc.narg(from_time) AND e.occurred_at < sqlc.narg(to_time)) AND x.event_id IS NULL
UNION ALL
SELECT 'gondola', e.delivery_id, coalesce(f.value, '')
FROM events e CROSS JOIN LATERAL unnest(e.gondola_ids) AS f (value)
LEFT JOIN event_gondolas x ON x.store_id = e.store_id AND x.kind = e.kind AND x.occurred_at = e.occurred_at AND x.event_id = e.id AND x.gondola_id = f.value
    AND (sqlc.narg(from_time)::timestamptz IS NULL OR x.occurred_at >= sqlc.narg(from_time) AND x.occurred_at < sqlc.narg(to_time))
WHERE e.received_at >= @since
    AND (sqlc.narg(from_time)::timestamptz IS NULL OR e.occurred_at >= sqlc.narg(from_time) AND e.occurred_at < sqlc.narg(to_time)) AND x.event_id IS NULL;

-- AddedListEntries are flags, products and gondolas by which search finds events that do
-- not state them. If the time is given in which these happened, no more is read.
-- name: AddedListEntries :many
SELECT 'flag'::text AS list, e.delivery_id, x.flag AS value
FROM event_flags x
JOIN events e ON e.store_id = x.store_id AND e.kind = x.kind AND e.occurred_at = x.occurred_at AND e.id = x.event_id
WHERE e.received_at >= @since
    AND (sqlc.narg(from_time)::timestamptz IS NULL OR e.occurred_at >= sqlc.narg(from_time) AND e.occurred_at < sqlc.narg(to_time))
    AND (sqlc.narg(from_time)::timestamptz IS NULL OR x.occurred_at >= sqlc.narg(from_time) AND x.occurred_at < sqlc.narg(to_time))
    AND (x.flag = ANY (e.flags)) IS NOT TRUE
UNION ALL
SELECT 'product', e.delivery_id, x.product_id
FROM event_products x
JOIN events e ON e.store_id = x.store_id AND e.kind = x.kind AND e.occurred_at = x.occurred_at AND e.id = x.event_id
WHERE e.received_at >= @since
    AND (sqlc.narg(from_time)::timestamptz IS NULL OR e.occurred_at >= sqlc.narg(from_time) AND e.occurred_at < sqlc.narg(to_time))
    AND (sqlc.narg(from_time)::timestamptz IS NULL OR x.occurred_at >= sqlc.narg(from_time) AND x.occurred_at < sqlc.narg(to_time))
    AND (x.product_id = ANY (e.product_ids)) IS NOT TRUE
UNION ALL
SELECT 'gondola', e.delivery_id, x.gondola_id
FROM event_gondolas x
JOIN events e ON e.store_id = x.store_id AND e.kind = x.kind AND e.occurred_at = x.occurred_at AND e.id = x.event_id
WHERE e.received_at >= @since
    AND (sqlc.narg(from_time)::timestamptz IS NULL OR e.occurred_at >= sqlc.narg(from_time) AND e.occurred_at < sqlc.narg(to_time))
    AND (sqlc.narg(from_time)::timestamptz IS NULL OR x.occurred_at >= sqlc.narg(from_time) AND x.occurred_at < sqlc.narg(to_time))
    AND (x.gondola_id = ANY (e.gondola_ids)) IS NOT TRUE;

-- UnknownFacets are the stores, flags, products and gondolas of events that the catalogue
-- does not know, or not of all times: search does not look there. What it knows of last
-- times is up to a minute behind.
-- name: UnknownFacets :many
SELECT f.store_id, f.facet, f.value
FROM (
    SELECT 'store'::text AS facet, e.store_id, ''::text AS value, min(e.occurred_at) AS first_at, max(e.occurred_at) AS last_at
    FROM events e WHERE (sqlc.narg(from_time)::timestamptz IS NULL OR e.occurred_at >= sqlc.narg(from_time) AND e.occurred_at < sqlc.narg(to_time))
    GROUP BY e.store_id
    UNION ALL
    SELECT 'flag', e.store_id, e.flag, min(e.occurred_at), max(e.occurred_at)
    FROM event_flags e WHERE (sqlc.narg(from_time)::timestamptz IS NULL OR e.occurred_at >= sqlc.narg(from_time) AND e.occurred_at < sqlc.narg(to_time))
    GROUP BY e.store_id, e.flag
    UNION ALL
    SELECT 'product', e.store_id, e.product_id, min(e.occurred_at), max(e.occurred_at)
    FROM event_products e WHERE (sqlc.narg(from_time)::timestamptz IS NULL OR e.occurred_at >= sqlc.narg(from_time) AND e.occurred_at < sqlc.narg(to_time))
    GROUP BY e.store_id, e.product_id
    UNION ALL
    SELECT 'gondola', e.store_id, e.gondola_id, min(e.occurred_at), max(e.occurred_at)
    FROM event_gondolas e WHERE (sqlc.narg(from_time)::timestamptz IS NULL OR e.occurred_at >= sqlc.narg(from_time) AND e.occurred_at < sqlc.narg(to_time))
    GROUP BY e.store_id, e.gondola_id
) f
LEFT JOIN store_facets c ON c.store_id = f.store_id AND c.facet = f.facet AND c.value = f.value
WHERE c.store_id IS NULL OR f.first_at < c.first_seen_at OR f.last_at >= c.last_seen_at + interval '1 minute'
ORDER BY f.store_id, f.facet, f.value;

-- UnknownValues are the webhooks of deliveries, the flags of sessions, and the retailer's ids
-- of stores, that the catalogue does not know.
-- name: UnknownValues :many
(SELECT d.store_id, 'webhook'::text AS facet, d.webhook AS value FROM deliveries d WHERE d.received_at >= @since
    EXCEPT SELECT store_id, 'webhook', webhook FROM store_webhooks)
UNION ALL
(SELECT f.store_id, 'session flag', f.flag FROM session_flags f WHERE f.first_seen_at >= @since
    EXCEPT SELECT store_id, 'session flag', flag FROM store_flags)
UNION ALL
(SELECT e.store_id, 'id of the retailer''s', e.store_external_id FROM events e WHERE e.received_at >= @since AND e.store_id <> 0 AND e.store_external_id <> ''
    EXCEPT SELECT store_id, 'id of the retailer''s', external_id FROM store_external_ids)
ORDER BY store_id, facet, value;

-- WrongCounts are the days of UTC of which the counts are not those of the events.
-- name: WrongCounts :many
WITH quarters AS (
    SELECT e.store_id, e.kind, (e.occurred_at AT TIME ZONE 'UTC')::date AS day,
        (extract(hour FROM e.occurred_at AT TIME ZONE 'UTC') * 4 + floor(extract(minute FROM e.occurred_at) / 15))::integer AS quarter, count(*) AS events
    FROM events e WHERE isfinite(e.occurred_at) GROUP BY 1, 2, 3, 4
), stated AS (
    SELECT q.store_id, q.kind, q.day, sum(q.events)::bigint AS events, array_agg(q.quarter || ':' || q.events ORDER BY q.quarter) AS quarters
    FROM quarters q GROUP BY 1, 2, 3
), counted AS (
    SELECT d.store_id, d.kind, d.day, d.events,
        (SELECT array_agg(i || ':' || d.quarters[i] ORDER BY i) FROM generate_subscripts(d.quarters, 1) i WHERE d.quarters[i] <> 0) AS quarters
    FROM event_days d WHERE d.events <> 0 OR 0 <> ANY (d.quarters)
)
SELECT coalesce(s.store_id, c.store_id)::bigint AS store_id, coalesce(s.kind, c.kind)::text AS kind, coalesce(s.day, c.day)::text AS day,
    coalesce(s.events, 0)::bigint AS stated, coalesce(c.events, 0)::bigint AS counted
FROM stated s FULL JOIN counted c ON c.store_id = s.store_id AND c.kind = s.kind AND c.day = s.day
WHERE s.events IS DISTINCT FROM c.events OR s.quarters IS DISTINCT FROM c.quarters
ORDER BY 1, 2, 3;

-- name: MissingQuarantine :many
SELECT d.id FROM deliveries d
LEFT JOIN quarantine q ON q.store_id = d.store_id AND q.received_at = d.received_at AND q.delivery_id = d.id AND q.received_at >= @since
WHERE d.received_at >= @since AND d.event_id IS NULL AND q.delivery_id IS NULL;

-- Replayed are deliveries of which quarantine says that a replay found something.
-- name: Replayed :many
SELECT delivery_id, received_at FROM quarantine
WHERE received_at >= @since AND isfinite(received_at) AND (replayed_at IS NOT NULL OR event_id IS NOT NULL)
ORDER BY received_at, delivery_id;

-- Cosignatures are those that a witness gave, with the checkpoints that they are of.
-- name: Cosignatures :many
SELECT s.size, s.line, c.checkpoint FROM log_cosignatures s LEFT JOIN log_checkpoints c ON c.size = s.size
WHERE s.witness = @witness AND s.size > @after_size
ORDER BY s.size LIMIT @row_limit;

-- name: CosignedBefore :one
SELECT coalesce(max(size), 0)::bigint FROM log_cosignatures WHERE witness = @witness AND size <= @up_to;

-- The statements that follow are read row by row, as they come from the wire: see
-- store/internal/db/raw.go and store/verify/window.go.

-- WindowDeliveries are the deliveries of a time.
-- name: WindowDeliveries :many
SELECT store_id, received_at, id, webhook, session_id, event_kind, event_occurred_at, event_id, issued_at, token_id, remote_addr, path,
    headers, body_size, truncated
FROM delivery_requests
WHERE received_at >= @from_time AND received_at <= @to_time
LIMIT @row_limit;

-- WindowEvents are the events of some stores and kinds, and of a time.
-- name: WindowEvents :many
SELECT store_id, kind, occurred_at, id, occurred_at_known, delivery_id, received_at, issued_at, webhook, event_id, session_id, customer_id,
    shopper_id, store_external_id, flags, product_ids, gondola_ids, payment_provider, token_type, check_in_device_id, unreadable
FROM events
WHERE store_id = ANY (@store_ids::bigint[]) AND kind = ANY (@kinds::text[]) AND occurred_at >= @from_time AND occurred_at <= @to_time
LIMIT @row_limit;

-- WindowPersons are those whom the events of WindowEvents are about. (A join would read
-- all persons there are for each stretch of the log.)
-- name: WindowPersons :many
SELECT store_id, kind, occurred_at, event_id, customer_id, email, first_name, last_name, phone, phone_number
FROM event_personal_info
WHERE store_id = ANY (@store_ids::bigint[]) AND kind = ANY (@kinds::text[]) AND occurred_at >= @from_time AND occurred_at <= @to_time
LIMIT @row_limit;

-- WindowBodies are the bodies of some stores' deliveries of a time.
-- name: WindowBodies :many
SELECT received_at, delivery_id, body, encoding, secret
FROM delivery_bodies
WHERE store_id = ANY (@store_ids::bigint[]) AND received_at >= @from_time AND received_at <= @to_time;

-- name: AllDeliveries :many
SELECT store_id, received_at, id FROM deliveries;

-- name: AllEvents :many
SELECT store_id, kind, occurred_at, id FROM events;

-- name: AllFlags :many
SELECT store_id, kind, occurred_at, event_id, flag FROM event_flags;

-- name: AllProducts :many
SELECT store_id, kind, occurred_at, event_id, product_id FROM event_products;

-- name: AllGondolas :many
SELECT store_id, kind, occurred_at, event_id, gondola_id FROM event_gondolas;

-- name: AllQuarantine :many
SELECT store_id, received_at, delivery_id FROM quarantine;

-- name: AllReplays :many
SELECT coalesce(event_store_id, 0)::bigint AS event_store_id, coalesce(event_kind, '')::text AS event_kind,
    coalesce(event_occurred_at, '0001-01-01T00:00:00Z')::timestamptz AS event_occurred_at, coalesce(event_id, delivery_id)::uuid AS event_id,
    delivery_id::text AS delivery_id
FROM quarantine WHERE replayed_at IS NOT NULL OR event_id IS NOT NULL;

-- name: AllAccess :many
SELECT entry_id FROM access_log WHERE entry_id IS NOT NULL;
