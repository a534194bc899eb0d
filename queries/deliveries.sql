-- Lists of deliveries, newest first. A null row_limit means all of them: the pages and
-- the exports are the same statements. A null filter means any.

-- ListDeliveries walks deliveries in time, or picks those of some sessions.
-- name: ListDeliveries :many
SELECT d.store_id, d.received_at, d.id, d.webhook, d.session_id, d.event_id, d.event_occurred_at, d.issued_at, d.remote_addr,
    d.path, d.headers, d.body_size, d.body_sha256, d.truncated, t.name AS token_name, e.delivery_id AS first_delivery_id
FROM delivery_requests d
LEFT JOIN tokens t ON t.id = d.token_id
LEFT JOIN events e ON e.store_id = d.store_id AND e.kind = d.event_kind AND e.occurred_at = d.event_occurred_at AND e.id = d.event_id
WHERE (sqlc.narg('store_ids')::bigint[] IS NULL OR CASE cardinality(sqlc.narg('store_ids')::bigint[]) WHEN 1 THEN d.store_id = (sqlc.narg('store_ids')::bigint[])[1] ELSE d.store_id = ANY (sqlc.narg('store_ids')::bigint[]) END)
    AND (sqlc.narg('webhooks')::text[] IS NULL OR d.webhook = ANY (sqlc.narg('webhooks')::text[]))
    AND (sqlc.narg('session_ids')::text[] IS NULL OR (d.session_id = ANY (sqlc.narg('session_ids')::text[])
        AND hashtextextended(d.session_id, 0) = ANY (text_hashes(sqlc.narg('session_ids')::text[]))))
    AND (sqlc.narg('from_time')::timestamptz IS NULL OR d.received_at >= sqlc.narg('from_time')::timestamptz)
    AND (sqlc.narg('to_time')::timestamptz IS NULL OR d.received_at < sqlc.narg('to_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR d.received_at <= sqlc.narg('after_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR (d.received_at, d.id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::uuid))
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR d.received_at >= sqlc.narg('newer_time')::timestamptz)
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR (d.received_at, d.id) > (sqlc.narg('newer_time')::timestamptz, sqlc.narg('newer_id')::uuid))
ORDER BY CASE WHEN @ascending::boolean THEN d.received_at END, CASE WHEN @ascending::boolean THEN d.id END, d.received_at DESC, d.id DESC
LIMIT sqlc.narg('row_limit')::bigint;

-- ListDeliveriesByFacet merges the newest deliveries of some stores and values, as
-- ListEventsByFacet does for events.
-- name: ListDeliveriesByFacet :many
SELECT d.store_id, d.received_at, d.id, d.webhook, d.session_id, d.event_id, d.event_occurred_at, d.issued_at, d.remote_addr,
    d.path, d.headers, d.body_size, d.body_sha256, d.truncated, t.name AS token_name, e.delivery_id AS first_delivery_id
FROM (
    SELECT m.store_id, m.received_at, m.id, bool_or(m.cut) OVER (
        ORDER BY CASE WHEN @ascending::boolean THEN m.received_at END, CASE WHEN @ascending::boolean THEN m.id END, m.received_at DESC, m.id DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS behind_cut
    FROM (
        SELECT k.store_id, k.received_at, k.id, k.nth = @rows_each::bigint AS cut
        FROM (SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@facet_values::text[]) AS value) s
        CROSS JOIN LATERAL (
            SELECT l.store_id, l.received_at, l.id, row_number() OVER () AS nth
            FROM (
                SELECT i.store_id, i.received_at, i.id
                FROM delivery_facets i
                WHERE i.store_id = s.store_id AND i.facet = @facet::text AND i.value = s.value AND i.value_hash = hashtextextended(s.value, 0)
                    AND (sqlc.narg('from_time')::timestamptz IS NULL OR i.received_at >= sqlc.narg('from_time')::timestamptz)
                    AND (sqlc.narg('to_time')::timestamptz IS NULL OR i.received_at < sqlc.narg('to_time')::timestamptz)
                    AND (sqlc.narg('after_time')::timestamptz IS NULL OR i.received_at <= sqlc.narg('after_time')::timestamptz)
                    AND (sqlc.narg('after_time')::timestamptz IS NULL OR (i.received_at, i.id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::uuid))
                    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR i.received_at >= sqlc.narg('newer_time')::timestamptz)
                    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR (i.received_at, i.id) > (sqlc.narg('newer_time')::timestamptz, sqlc.narg('newer_id')::uuid))
                ORDER BY CASE WHEN @ascending::boolean THEN i.received_at END, CASE WHEN @ascending::boolean THEN i.id END, i.received_at DESC, i.id DESC
                LIMIT @rows_each::bigint
            ) l
        ) k
    ) m
    ORDER BY CASE WHEN @ascending::boolean THEN m.received_at END, CASE WHEN @ascending::boolean THEN m.id END, m.received_at DESC, m.id DESC
    LIMIT sqlc.narg('row_limit')::bigint
) page
JOIN delivery_requests d ON page.behind_cut IS NOT TRUE AND d.store_id = page.store_id AND d.received_at = page.received_at AND d.id = page.id
    AND (sqlc.narg('from_time')::timestamptz IS NULL OR d.received_at >= sqlc.narg('from_time')::timestamptz)
    AND (sqlc.narg('to_time')::timestamptz IS NULL OR d.received_at < sqlc.narg('to_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR d.received_at <= sqlc.narg('after_time')::timestamptz)
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR d.received_at >= sqlc.narg('newer_time')::timestamptz)
LEFT JOIN tokens t ON t.id = d.token_id
LEFT JOIN events e ON e.store_id = d.store_id AND e.kind = d.event_kind AND e.occurred_at = d.event_occurred_at AND e.id = d.event_id
ORDER BY CASE WHEN @ascending::boolean THEN d.received_at END, CASE WHEN @ascending::boolean THEN d.id END, d.received_at DESC, d.id DESC;

-- DeliveryTimeAt gives the time of the delivery that lies so many rows into the list.
-- name: DeliveryTimeAt :many
SELECT d.received_at
FROM deliveries d
WHERE (sqlc.narg('from_time')::timestamptz IS NULL OR d.received_at >= sqlc.narg('from_time')::timestamptz)
    AND (sqlc.narg('to_time')::timestamptz IS NULL OR d.received_at < sqlc.narg('to_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR d.received_at <= sqlc.narg('after_time')::timestamptz)
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR d.received_at >= sqlc.narg('newer_time')::timestamptz)
ORDER BY CASE WHEN @ascending::boolean THEN d.received_at END, CASE WHEN @ascending::boolean THEN d.id END, d.received_at DESC, d.id DESC
OFFSET @rows_before::bigint
LIMIT 1;

-- name: GetDelivery :one
SELECT d.store_id, d.received_at, d.id, d.webhook, d.session_id, d.event_id, d.event_occurred_at, d.issued_at, d.remote_addr,
    d.path, d.headers, d.body_size, d.body_sha256, d.truncated, t.name AS token_name, e.delivery_id AS first_delivery_id
FROM delivery_requests d
LEFT JOIN tokens t ON t.id = d.token_id
LEFT JOIN events e ON e.store_id = d.store_id AND e.kind = d.event_kind AND e.occurred_at = d.event_occurred_at AND e.id = d.event_id
WHERE d.received_at = @received_at AND d.id = @id
    AND (sqlc.narg('store_ids')::bigint[] IS NULL OR d.store_id = ANY (sqlc.narg('store_ids')::bigint[]));

-- name: GetDeliveryForReplay :one
SELECT d.store_id, d.received_at, d.id, d.webhook, d.token_id, d.remote_addr, d.path, d.headers, d.truncated, d.body_size, b.body, b.encoding, b.secret
FROM delivery_requests d
JOIN delivery_bodies b ON b.store_id = d.store_id AND b.received_at = d.received_at AND b.delivery_id = d.id
WHERE d.received_at = @received_at AND d.id = @id
    AND (sqlc.narg('store_ids')::bigint[] IS NULL OR d.store_id = ANY (sqlc.narg('store_ids')::bigint[]));

-- name: ListQuarantine :many
SELECT q.* FROM quarantine q
WHERE (sqlc.narg('store_ids')::bigint[] IS NULL OR q.store_id = ANY (sqlc.narg('store_ids')::bigint[]))
    AND (sqlc.narg('webhooks')::text[] IS NULL OR q.webhook = ANY (sqlc.narg('webhooks')::text[]))
    AND (sqlc.narg('replayed')::boolean IS NULL OR (q.replayed_at IS NOT NULL) = sqlc.narg('replayed')::boolean)
    AND (sqlc.narg('from_time')::timestamptz IS NULL OR q.received_at >= sqlc.narg('from_time')::timestamptz)
    AND (sqlc.narg('to_time')::timestamptz IS NULL OR q.received_at < sqlc.narg('to_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR (q.received_at, q.delivery_id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::uuid))
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR (q.received_at, q.delivery_id) > (sqlc.narg('newer_time')::timestamptz, sqlc.narg('newer_id')::uuid))
ORDER BY CASE WHEN @ascending::boolean THEN q.received_at END, CASE WHEN @ascending::boolean THEN q.delivery_id END, q.received_at DESC, q.delivery_id DESC
LIMIT sqlc.narg('row_limit')::bigint;

-- name: GetQuarantined :one
SELECT q.* FROM quarantine q
WHERE q.received_at = @received_at AND q.delivery_id = @delivery_id
    AND (sqlc.narg('store_ids')::bigint[] IS NULL OR q.store_id = ANY (sqlc.narg('store_ids')::bigint[]));

-- DeliveryEvent gives what a delivery states; for one that was replayed, what the
-- replay made of it.
-- name: DeliveryEvent :one
SELECT e.store_id, e.kind, e.occurred_at, e.id, e.occurred_at_known, e.delivery_id, e.received_at, e.issued_at, e.webhook, e.event_id, e.session_id,
    e.customer_id, e.shopper_id, e.store_external_id, e.flags, e.product_ids, e.gondola_ids, e.payment_provider,
    e.token_type, e.check_in_device_id, e.unreadable,
    p.email, p.first_name, p.last_name, p.phone, p.phone_number,
    r.disposition, r.disposition_at, r.disposition_by, coalesce(r.notes, 0)::bigint AS notes
FROM deliveries d
LEFT JOIN quarantine q ON q.store_id = d.store_id AND q.received_at = d.received_at AND q.delivery_id = d.id
JOIN events e ON e.store_id = coalesce(q.event_store_id, d.store_id) AND e.kind = coalesce(q.event_kind, d.event_kind)
    AND e.occurred_at = coalesce(q.event_occurred_at, d.event_occurred_at) AND e.id = coalesce(q.event_id, d.event_id)
LEFT JOIN event_personal_info p ON p.store_id = e.store_id AND p.kind = e.kind AND p.occurred_at = e.occurred_at AND p.event_id = e.id
LEFT JOIN event_reviews r ON r.store_id = e.store_id AND r.kind = e.kind AND r.occurred_at = e.occurred_at AND r.event_id = e.id
WHERE d.received_at = @received_at AND d.id = @id
    AND (sqlc.narg('store_ids')::bigint[] IS NULL OR (d.store_id = ANY (sqlc.narg('store_ids')::bigint[]) AND e.store_id = ANY (sqlc.narg('store_ids')::bigint[])));

-- EventDeliveries gives the deliveries that state one event, oldest first: those of
-- its session, or, without a session, those received in a span of time.
-- name: EventDeliveries :many
SELECT d.id, d.received_at, d.issued_at
FROM deliveries d
WHERE d.store_id = @store_id AND d.event_id = @event_id::uuid
    AND (sqlc.narg('session_id')::text IS NULL
        OR (d.session_id = sqlc.narg('session_id')::text AND hashtextextended(d.session_id, 0) = hashtextextended(sqlc.narg('session_id')::text, 0)))
    AND (sqlc.narg('from_time')::timestamptz IS NULL OR d.received_at >= sqlc.narg('from_time')::timestamptz)
    AND (sqlc.narg('to_time')::timestamptz IS NULL OR d.received_at < sqlc.narg('to_time')::timestamptz)
ORDER BY d.received_at, d.id
LIMIT @row_limit;

-- name: ListBodies :many
SELECT d.id, d.body_size, d.body_sha256, b.body, b.encoding
FROM deliveries d
JOIN delivery_bodies b ON b.store_id = d.store_id AND b.received_at = d.received_at AND b.delivery_id = d.id
WHERE d.received_at = ANY (@received_ats::timestamptz[]) AND d.id = ANY (@ids::uuid[]) AND d.body_size <= @max_size
    AND (sqlc.narg('store_ids')::bigint[] IS NULL OR d.store_id = ANY (sqlc.narg('store_ids')::bigint[]));
