-- What is about a person: a customer of AiFi's, by id.

-- PersonSessions are the sessions that name him, or of which an event does.
-- name: PersonSessions :many
SELECT s.store_id, s.session_id FROM sessions s WHERE s.customer_id = @customer_id::text
UNION
SELECT e.store_id, e.session_id::text FROM events e
WHERE e.customer_id = @customer_id::text AND hashtextextended(e.customer_id, 0) = hashtextextended(@customer_id::text, 0) AND e.session_id IS NOT NULL
ORDER BY 1, 2;

-- name: PersonalInfos :many
SELECT * FROM event_personal_info;

-- SessionsOfEvents are the sessions of some events, but for those that name another
-- customer, be it in one of their events.
-- name: SessionsOfEvents :many
SELECT DISTINCT e.store_id, e.session_id::text AS session_id
FROM (SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@kinds::text[]) AS kind, unnest(@times::timestamptz[]) AS occurred_at, unnest(@ids::uuid[]) AS id) k
JOIN events e ON e.store_id = k.store_id AND e.kind = k.kind AND e.occurred_at = k.occurred_at AND e.id = k.id
LEFT JOIN sessions s ON s.store_id = e.store_id AND s.session_id = e.session_id
WHERE e.session_id IS NOT NULL AND coalesce(s.customer_id, @customer_id::text) = @customer_id::text
    AND NOT EXISTS (SELECT 1 FROM events o WHERE o.session_id = e.session_id AND hashtextextended(o.session_id, 0) = hashtextextended(e.session_id, 0) AND o.store_id = e.store_id AND o.customer_id <> @customer_id::text);

-- PersonEvents are the events that name him; those of his sessions that name nobody; and
-- those that name nobody and no session, but a shopper who was seen in his sessions and,
-- within half a day of them, in no other.
-- name: PersonEvents :many
WITH mine AS (
    SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@session_ids::text[]) AS session_id
), named AS (
    SELECT e.store_id, e.kind, e.occurred_at, e.id, e.received_at, e.delivery_id, e.shopper_id FROM events e
    WHERE e.customer_id = @customer_id::text AND hashtextextended(e.customer_id, 0) = hashtextextended(@customer_id::text, 0)
    UNION
    SELECT e.store_id, e.kind, e.occurred_at, e.id, e.received_at, e.delivery_id, e.shopper_id
    FROM mine m JOIN events e ON e.session_id = m.session_id AND hashtextextended(e.session_id, 0) = hashtextextended(m.session_id, 0) AND e.store_id = m.store_id AND e.customer_id IS NULL
), shoppers AS (
    SELECT n.store_id, n.shopper_id, min(n.occurred_at) - interval '12 hours' AS from_time, max(n.occurred_at) + interval '12 hours' AS to_time
    FROM named n WHERE n.shopper_id IS NOT NULL GROUP BY n.store_id, n.shopper_id
), seen AS (
    SELECT e.store_id, e.kind, e.occurred_at, e.id, e.received_at, e.delivery_id, e.shopper_id, e.session_id, e.customer_id
    FROM shoppers p
    CROSS JOIN unnest(ARRAY['alcohol_interaction', 'fraud_alert', 'registration', 'other']) AS k (kind)
    JOIN events e ON e.store_id = p.store_id AND e.kind = k.kind AND e.occurred_at >= p.from_time AND e.occurred_at < p.to_time AND e.shopper_id = p.shopper_id
)
SELECT n.store_id, n.kind, n.occurred_at, n.id, n.received_at, n.delivery_id FROM named n
UNION
SELECT v.store_id, v.kind, v.occurred_at, v.id, v.received_at, v.delivery_id FROM seen v
WHERE v.session_id IS NULL AND v.customer_id IS NULL AND NOT EXISTS (
    SELECT 1 FROM seen o WHERE o.store_id = v.store_id AND o.shopper_id = v.shopper_id
        AND (o.customer_id <> @customer_id::text OR (o.session_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM mine m WHERE m.store_id = o.store_id AND m.session_id = o.session_id))))
ORDER BY 1, 3, 4;

-- PersonDeliveries are the deliveries of some events and sessions, the latter unless
-- they name another customer. Of those without a body only their facts are left.
-- name: PersonDeliveries :many
WITH stated AS (
    SELECT unnest(@event_store_ids::bigint[]) AS store_id, unnest(@event_kinds::text[]) AS kind, unnest(@event_times::timestamptz[]) AS occurred_at,
        unnest(@event_ids::uuid[]) AS id, unnest(@received_ats::timestamptz[]) AS received_at, unnest(@delivery_ids::uuid[]) AS delivery_id
), found AS (
    SELECT d.store_id, d.received_at, d.id FROM stated e JOIN deliveries d ON d.received_at = e.received_at AND d.id = e.delivery_id
    UNION
    SELECT q.store_id, q.received_at, q.delivery_id FROM stated e
    JOIN quarantine q ON q.event_store_id = e.store_id AND q.event_kind = e.kind AND q.event_occurred_at = e.occurred_at AND q.event_id = e.id
    UNION
    SELECT d.store_id, d.received_at, d.id
    FROM (SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@session_ids::text[]) AS session_id) m
    JOIN deliveries d ON d.session_id = m.session_id AND hashtextextended(d.session_id, 0) = hashtextextended(m.session_id, 0) AND d.store_id = m.store_id
    LEFT JOIN events e ON e.store_id = d.store_id AND e.kind = d.event_kind AND e.occurred_at = d.event_occurred_at AND e.id = d.event_id
    WHERE e.customer_id IS NULL OR e.customer_id = @customer_id::text
)
SELECT f.store_id, f.received_at, f.id FROM found f
JOIN delivery_bodies b ON b.store_id = f.store_id AND b.received_at = f.received_at AND b.delivery_id = f.id
ORDER BY f.received_at, f.id;

-- PersonIdentifiers are what else names him: the retailer's id, what he gave of himself.
-- name: PersonIdentifiers :many
SELECT 'id'::text AS kind, c.external_id::text AS value FROM customers c WHERE c.customer_id = @customer_id AND c.external_id IS NOT NULL
UNION
SELECT 'metadata', c.metadata::text FROM customers c WHERE c.customer_id = @customer_id AND c.metadata IS NOT NULL
UNION
SELECT 'other', v.value::text
FROM (SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@kinds::text[]) AS kind, unnest(@times::timestamptz[]) AS occurred_at, unnest(@ids::uuid[]) AS id) e
JOIN event_personal_info p ON p.store_id = e.store_id AND p.kind = e.kind AND p.occurred_at = e.occurred_at AND p.event_id = e.id
CROSS JOIN LATERAL unnest(ARRAY[p.email, p.phone, p.phone_number]) AS v (value)
WHERE v.value IS NOT NULL
ORDER BY 1, 2;

-- name: PersonCustomers :many
SELECT c.* FROM customers c WHERE c.customer_id = @customer_id ORDER BY c.store_id;

-- PersonNamesakes are other customers whom the retailer knows by the same id.
-- name: PersonNamesakes :many
SELECT DISTINCT o.customer_id FROM customers c
JOIN customers o ON o.external_id = c.external_id AND o.customer_id <> c.customer_id
WHERE c.customer_id = @customer_id
ORDER BY 1;

-- CountPersonRows counts what hangs on events.
-- name: CountPersonRows :one
SELECT count(p.event_id) AS personal_infos,
    coalesce(sum((SELECT count(*) FROM event_notes n WHERE n.event_id = e.id AND n.store_id = e.store_id AND n.kind = e.kind AND n.occurred_at = e.occurred_at
        AND n.comment IS NOT NULL AND n.comment <> '[erased]')), 0)::bigint AS comments
FROM (SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@kinds::text[]) AS kind, unnest(@times::timestamptz[]) AS occurred_at, unnest(@ids::uuid[]) AS id) e
LEFT JOIN event_personal_info p ON p.store_id = e.store_id AND p.kind = e.kind AND p.occurred_at = e.occurred_at AND p.event_id = e.id;

-- name: AllBodies :many
SELECT store_id, received_at, delivery_id, body, encoding FROM delivery_bodies;

-- name: MentioningRefused :many
SELECT r.received_at, r.delivery_id, r.body FROM refused r ORDER BY r.received_at, r.delivery_id;

-- MentioningAccess are the entries of the access log that have one of the needles in
-- what was asked for; all, if there are none.
-- name: MentioningAccess :many
SELECT a.id, a.at, a.token_id, a.action, a.path, a.query, a.remote_addr, a.entry_id, a.secret, a.status, a.rows, a.detail
FROM access_log a
WHERE sqlc.narg('needles')::text[] IS NULL
    OR EXISTS (SELECT 1 FROM unnest(sqlc.narg('needles')::text[]) AS n (needle) WHERE position(n.needle IN a.path || ' ' || a.query || ' ' || a.detail) > 0)
ORDER BY a.at, a.id;

-- EventsFirstStated are the events that some deliveries were the first to state, by
-- themselves or by a replay.
-- name: EventsFirstStated :many
SELECT e.store_id, e.kind, e.occurred_at, e.id, e.received_at, e.delivery_id
FROM (SELECT unnest(@received_at::timestamptz[]) AS received_at, unnest(@id::uuid[]) AS id) k
JOIN deliveries d ON d.received_at = k.received_at AND d.id = k.id
LEFT JOIN quarantine q ON q.store_id = d.store_id AND q.received_at = d.received_at AND q.delivery_id = d.id
JOIN events e ON e.store_id = coalesce(q.event_store_id, d.store_id) AND e.kind = coalesce(q.event_kind, d.event_kind)
    AND e.occurred_at = coalesce(q.event_occurred_at, d.event_occurred_at) AND e.id = coalesce(q.event_id, d.event_id)
WHERE e.delivery_id = d.id;

-- HoldsOfPerson gives the holds in force on a customer, on some events and on some sessions.
-- name: HoldsOfPerson :many
SELECT h.id FROM holds h WHERE h.customer_id = @customer_id::text AND h.lifted_at IS NULL
UNION
SELECT h.id
FROM (SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@kinds::text[]) AS kind, unnest(@times::timestamptz[]) AS occurred_at, unnest(@ids::uuid[]) AS id) k
JOIN events e ON e.store_id = k.store_id AND e.kind = k.kind AND e.occurred_at = k.occurred_at AND e.id = k.id
JOIN holds h ON hold_covers(h, ARRAY[e.store_id], ARRAY[e.session_id], ARRAY[e.customer_id], e.received_at, e.occurred_at)
WHERE h.lifted_at IS NULL
UNION
SELECT h.id
FROM (SELECT unnest(@session_stores::bigint[]) AS store_id, unnest(@session_ids::text[]) AS session_id) k
JOIN sessions s ON s.store_id = k.store_id AND s.session_id = k.session_id
JOIN holds h ON hold_covers(h, ARRAY[s.store_id], ARRAY[s.session_id], ARRAY[s.customer_id], s.first_seen_at, s.last_seen_at)
WHERE h.lifted_at IS NULL;

-- EventsByKeys gives events, as ListEvents does.
-- name: EventsByKeys :many
SELECT e.store_id, e.kind, e.occurred_at, e.id, e.occurred_at_known, e.delivery_id, e.received_at, e.issued_at, e.webhook, e.event_id, e.session_id,
    e.customer_id, e.shopper_id, e.store_external_id, e.flags, e.product_ids, e.gondola_ids, e.payment_provider,
    e.token_type, e.check_in_device_id, e.unreadable,
    p.email, p.first_name, p.last_name, p.phone, p.phone_number,
    r.disposition, r.disposition_at, r.disposition_by, coalesce(r.notes, 0)::bigint AS notes
FROM (SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@kinds::text[]) AS kind, unnest(@times::timestamptz[]) AS occurred_at, unnest(@ids::uuid[]) AS id) k
JOIN events e ON e.store_id = k.store_id AND e.kind = k.kind AND e.occurred_at = k.occurred_at AND e.id = k.id
LEFT JOIN event_personal_info p ON p.store_id = e.store_id AND p.kind = e.kind AND p.occurred_at = e.occurred_at AND p.event_id = e.id
LEFT JOIN event_reviews r ON r.store_id = e.store_id AND r.kind = e.kind AND r.occurred_at = e.occurred_at AND r.event_id = e.id
ORDER BY e.occurred_at, e.id;

-- DeliveriesByKeys gives deliveries, as GetDelivery does.
-- name: DeliveriesByKeys :many
SELECT d.store_id, d.received_at, d.id, d.webhook, d.session_id, d.event_id, d.event_occurred_at, d.issued_at, d.remote_addr,
    d.path, d.headers, d.body_size, d.body_sha256, d.truncated, t.name AS token_name, e.delivery_id AS first_delivery_id
FROM (SELECT unnest(@received_at::timestamptz[]) AS received_at, unnest(@id::uuid[]) AS id) k
JOIN delivery_requests d ON d.received_at = k.received_at AND d.id = k.id
LEFT JOIN tokens t ON t.id = d.token_id
LEFT JOIN events e ON e.store_id = d.store_id AND e.kind = d.event_kind AND e.occurred_at = d.event_occurred_at AND e.id = d.event_id
ORDER BY d.received_at, d.id;
