-- The statements of the one write path. Each takes a batch as parallel arrays, in
-- which an empty string, the nil UUID and Go's zero time stand for NULL.
--
-- Deliveries and events are inserted as new, and their parts follow them: PostgreSQL takes
-- two to three times as long for a row that ON CONFLICT guards. What may be there already
-- is asked for first. Who is mistaken fails by the primary key, and asks.

-- KnownDeliveries are those of a batch that were kept before, erased ones too: of whatever
-- store, as one that could not be understood or stored belongs to none. LIMIT
-- has the look-ups follow the batch: joined, an empty table would be read first, and so
-- it would be when it is full.
-- name: KnownDeliveries :many
SELECT a.id::uuid
FROM (SELECT unnest(@store_id::bigint[]) AS store_id, unnest(@received_at::timestamptz[]) AS received_at, unnest(@id::uuid[]) AS id) a
CROSS JOIN LATERAL (
    SELECT 1 FROM deliveries d
    WHERE d.received_at = a.received_at AND d.id = a.id
        AND d.received_at >= @earliest::timestamptz AND d.received_at <= @latest::timestamptz
    UNION ALL
    SELECT 1 FROM log_erasures x
    WHERE x.store_id IN (0, a.store_id) AND x.received_at = a.received_at AND x.delivery_id = a.id
    LIMIT 1
) k;

-- KnownEvents are those of a batch that were stated before, and by which delivery.
-- name: KnownEvents :many
SELECT a.asked_by::uuid AS asked_by, k.delivery_id AS stated_by
FROM (SELECT unnest(@store_id::bigint[]) AS store_id, unnest(@kind::text[]) AS kind, unnest(@occurred_at::timestamptz[]) AS occurred_at,
    unnest(@id::uuid[]) AS id, unnest(@delivery_id::uuid[]) AS asked_by) a
CROSS JOIN LATERAL (
    SELECT e.delivery_id FROM events e
    WHERE e.store_id = a.store_id AND e.kind = a.kind AND e.occurred_at = a.occurred_at AND e.id = a.id
        AND e.occurred_at >= @earliest::timestamptz AND e.occurred_at <= @latest::timestamptz
    LIMIT 1
) k;

-- ExpectEvents fails unless each event is there, as stated first by that delivery. Its
-- parameters are those of KnownEvents.
-- name: ExpectEvents :exec
SELECT expect_rows(count(k.delivery_id), count(*))
FROM (SELECT unnest(@store_id::bigint[]) AS store_id, unnest(@kind::text[]) AS kind, unnest(@occurred_at::timestamptz[]) AS occurred_at,
    unnest(@id::uuid[]) AS id, unnest(@delivery_id::uuid[]) AS stated_by) a
LEFT JOIN LATERAL (
    SELECT e.delivery_id FROM events e
    WHERE e.store_id = a.store_id AND e.kind = a.kind AND e.occurred_at = a.occurred_at AND e.id = a.id AND e.delivery_id = a.stated_by
        AND e.occurred_at >= @earliest::timestamptz AND e.occurred_at <= @latest::timestamptz
    LIMIT 1
) k ON true;

-- name: InsertDeliveries :exec
INSERT INTO deliveries (store_id, received_at, id, webhook, session_id, event_kind, event_occurred_at, event_id,
    issued_at, token_id, head_id, remote_addr, path, headers, body_size, body_sha256, truncated)
SELECT store_id, received_at, id, webhook, NULLIF(session_id, ''), NULLIF(event_kind, ''),
    NULLIF(event_occurred_at, '0001-01-01T00:00:00Z'), NULLIF(event_id, '00000000-0000-0000-0000-000000000000'),
    NULLIF(issued_at, '0001-01-01T00:00:00Z'), token_id, NULLIF(head_id, '00000000-0000-0000-0000-000000000000'), NULLIF(remote_addr, ''),
    NULLIF(path, ''), NULLIF(headers, '')::jsonb, body_size, body_sha256, truncated
FROM (SELECT unnest(@store_id::bigint[]) AS store_id, unnest(@received_at::timestamptz[]) AS received_at,
    unnest(@id::uuid[]) AS id, unnest(@webhook::text[]) AS webhook, unnest(@session_id::text[]) AS session_id,
    unnest(@event_kind::text[]) AS event_kind, unnest(@event_occurred_at::timestamptz[]) AS event_occurred_at,
    unnest(@event_id::uuid[]) AS event_id, unnest(@issued_at::timestamptz[]) AS issued_at,
    unnest(@token_id::bigint[]) AS token_id, unnest(@head_id::uuid[]) AS head_id, unnest(@remote_addr::text[]) AS remote_addr, unnest(@path::text[]) AS path,
    unnest(@headers::text[]) AS headers, unnest(@body_size::bigint[]) AS body_size,
    unnest(@body_sha256::bytea[]) AS body_sha256, unnest(@truncated::boolean[]) AS truncated) d;

-- InsertRequestHeads writes the heads that deliveries of a batch share, which mostly are
-- there. To rely on that from memory would leave deliveries without theirs in a database
-- that was restored.
-- name: InsertRequestHeads :exec
INSERT INTO request_heads (id, remote_addr, path, headers)
SELECT id, remote_addr, path, headers::jsonb
FROM (SELECT unnest(@id::uuid[]) AS id, unnest(@remote_addr::text[]) AS remote_addr, unnest(@path::text[]) AS path,
    unnest(@headers::text[]) AS headers) h
ON CONFLICT DO NOTHING;

-- name: UpsertDeliveryCounts :exec
INSERT INTO delivery_counts AS t (store_id, webhook, bucket, deliveries, last_at)
SELECT unnest(@store_id::bigint[]), unnest(@webhook::text[]), unnest(@bucket::timestamptz[]), unnest(@deliveries::bigint[]),
    unnest(@last_at::timestamptz[])
ON CONFLICT (store_id, webhook, bucket) DO UPDATE SET
    deliveries = t.deliveries + excluded.deliveries, last_at = greatest(t.last_at, excluded.last_at);

-- name: InsertDeliveryBodies :exec
INSERT INTO delivery_bodies (store_id, received_at, delivery_id, body, secret, encoding)
SELECT unnest(@store_id::bigint[]), unnest(@received_at::timestamptz[]), unnest(@delivery_id::uuid[]), unnest(@body::bytea[]),
    unnest(@secret::bytea[]), unnest(@encoding::smallint[]);

-- name: QueueLeaves :exec
INSERT INTO log_queue (leaves) VALUES (@leaves::bytea[]);

-- name: InsertQuarantine :exec
INSERT INTO quarantine (store_id, received_at, delivery_id, webhook, reason, pointer, detail, quarantined_at)
SELECT unnest(@store_id::bigint[]), unnest(@received_at::timestamptz[]), unnest(@delivery_id::uuid[]),
    unnest(@webhook::text[]), unnest(@reason::text[]), unnest(@pointer::text[]), unnest(@detail::text[]), now()
ON CONFLICT DO NOTHING;

-- name: InsertEvents :exec
INSERT INTO events (store_id, kind, occurred_at, id, occurred_at_known, delivery_id, received_at, issued_at, webhook,
    event_id, session_id, customer_id, shopper_id, store_external_id, flags, product_ids, gondola_ids,
    payment_provider, token_type, check_in_device_id, unreadable)
SELECT store_id, kind, occurred_at, id, occurred_at_known, delivery_id, received_at,
    NULLIF(issued_at, '0001-01-01T00:00:00Z'), webhook, NULLIF(event_id, ''), NULLIF(session_id, ''),
    NULLIF(customer_id, ''), NULLIF(shopper_id, ''), NULLIF(store_external_id, ''), flags::text[],
    product_ids::text[], gondola_ids::text[], NULLIF(payment_provider, ''), NULLIF(token_type, ''),
    NULLIF(check_in_device_id, ''), unreadable::text[]
FROM (SELECT unnest(@store_id::bigint[]) AS store_id, unnest(@kind::text[]) AS kind,
    unnest(@occurred_at::timestamptz[]) AS occurred_at, unnest(@id::uuid[]) AS id,
    unnest(@occurred_at_known::boolean[]) AS occurred_at_known, unnest(@delivery_id::uuid[]) AS delivery_id,
    unnest(@received_at::timestamptz[]) AS received_at, unnest(@issued_at::timestamptz[]) AS issued_at,
    unnest(@webhook::text[]) AS webhook, unnest(@event_id::text[]) AS event_id, unnest(@session_id::text[]) AS session_id,
    unnest(@customer_id::text[]) AS customer_id, unnest(@shopper_id::text[]) AS shopper_id,
    unnest(@store_external_id::text[]) AS store_external_id, unnest(@flags::text[]) AS flags,
    unnest(@product_ids::text[]) AS product_ids, unnest(@gondola_ids::text[]) AS gondola_ids,
    unnest(@payment_provider::text[]) AS payment_provider, unnest(@token_type::text[]) AS token_type,
    unnest(@check_in_device_id::text[]) AS check_in_device_id, unnest(@unreadable::text[]) AS unreadable) e;

-- name: InsertEventFlags :exec
INSERT INTO event_flags (store_id, flag, kind, occurred_at, event_id, from_shopper, from_session, from_webhook)
SELECT unnest(@store_id::bigint[]), unnest(@flag::text[]), unnest(@kind::text[]), unnest(@occurred_at::timestamptz[]),
    unnest(@event_id::uuid[]), unnest(@from_shopper::boolean[]), unnest(@from_session::boolean[]), unnest(@from_webhook::boolean[]);

-- name: InsertEventProducts :exec
INSERT INTO event_products (store_id, product_id, kind, occurred_at, event_id)
SELECT unnest(@store_id::bigint[]), unnest(@product_id::text[]), unnest(@kind::text[]), unnest(@occurred_at::timestamptz[]),
    unnest(@event_id::uuid[]);

-- name: InsertEventGondolas :exec
INSERT INTO event_gondolas (store_id, gondola_id, kind, occurred_at, event_id)
SELECT unnest(@store_id::bigint[]), unnest(@gondola_id::text[]), unnest(@kind::text[]), unnest(@occurred_at::timestamptz[]),
    unnest(@event_id::uuid[]);

-- name: InsertEventPersonalInfo :exec
INSERT INTO event_personal_info (store_id, kind, occurred_at, event_id, customer_id, email, first_name, last_name, phone, phone_number)
SELECT store_id, kind, occurred_at, event_id, NULLIF(customer_id, ''), NULLIF(email, ''), NULLIF(first_name, ''),
    NULLIF(last_name, ''), NULLIF(phone, ''), NULLIF(phone_number, '')
FROM (SELECT unnest(@store_id::bigint[]) AS store_id, unnest(@kind::text[]) AS kind,
    unnest(@occurred_at::timestamptz[]) AS occurred_at, unnest(@event_id::uuid[]) AS event_id,
    unnest(@customer_id::text[]) AS customer_id, unnest(@email::text[]) AS email, unnest(@first_name::text[]) AS first_name,
    unnest(@last_name::text[]) AS last_name, unnest(@phone::text[]) AS phone, unnest(@phone_number::text[]) AS phone_number) p;

-- UpsertSessions takes the newer state by AiFi's updatedAt; of equal ones the one
-- that arrives later. What has no updatedAt fills gaps only. The customer is whom the
-- newest state names that names one. state is a JSON object with the columns' names.
-- name: UpsertSessions :exec
INSERT INTO sessions AS t (store_id, session_id, first_seen_at, last_seen_at, created_at, updated_at, expires_at, aifi_id,
    customer_id, code, code_first_successfully_scanned_at, code_last_successfully_scanned_at, customer_first_entered_at,
    customer_last_entered_at, customer_first_exited_at, customer_last_exited_at, customer_payment_instrument_id,
    customer_satisfaction, customer_satisfaction_submitted, group_size, visitors, location_id, priority, session_token,
    referenced_session_id, status, stated_store_id, store_id_scannable_at, suspected_fraud, metadata)
SELECT s.store_id, s.session_id, s.first_seen_at, s.last_seen_at, x.created_at, x.updated_at, x.expires_at, x.aifi_id,
    NULLIF(s.customer_id, ''), x.code, x.code_first_successfully_scanned_at, x.code_last_successfully_scanned_at,
    x.customer_first_entered_at, x.customer_last_entered_at, x.customer_first_exited_at, x.customer_last_exited_at,
    x.customer_payment_instrument_id, x.customer_satisfaction, x.customer_satisfaction_submitted, x.group_size, x.visitors,
    x.location_id, x.priority, x.session_token, x.referenced_session_id, x.status, x.stated_store_id,
    x.store_id_scannable_at, x.suspected_fraud, x.metadata
FROM (SELECT unnest(@store_id::bigint[]) AS store_id, unnest(@session_id::text[]) AS session_id,
    unnest(@first_seen_at::timestamptz[]) AS first_seen_at, unnest(@last_seen_at::timestamptz[]) AS last_seen_at,
    unnest(@customer_id::text[]) AS customer_id, unnest(@state::text[]) AS state) s,
    jsonb_populate_record(NULL::sessions, s.state::jsonb) x
ON CONFLICT (store_id, session_id) DO UPDATE SET
    last_seen_at = greatest(t.last_seen_at, excluded.last_seen_at),
    updated_at = greatest(t.updated_at, excluded.updated_at),
    customer_id = CASE WHEN excluded.updated_at >= t.updated_at OR t.updated_at IS NULL THEN coalesce(excluded.customer_id, t.customer_id) ELSE coalesce(t.customer_id, excluded.customer_id) END,
    created_at = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.created_at WHEN t.updated_at IS NULL THEN coalesce(excluded.created_at, t.created_at) ELSE t.created_at END,
    expires_at = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.expires_at WHEN t.updated_at IS NULL THEN coalesce(excluded.expires_at, t.expires_at) ELSE t.expires_at END,
    aifi_id = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.aifi_id WHEN t.updated_at IS NULL THEN coalesce(excluded.aifi_id, t.aifi_id) ELSE t.aifi_id END,
    code = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.code WHEN t.updated_at IS NULL THEN coalesce(excluded.code, t.code) ELSE t.code END,
    code_first_successfully_scanned_at = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.code_first_successfully_scanned_at WHEN t.updated_at IS NULL THEN coalesce(excluded.code_first_successfully_scanned_at, t.code_first_successfully_scanned_at) ELSE t.code_first_successfully_scanned_at END,
    code_last_successfully_scanned_at = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.code_last_successfully_scanned_at WHEN t.updated_at IS NULL THEN coalesce(excluded.code_last_successfully_scanned_at, t.code_last_successfully_scanned_at) ELSE t.code_last_successfully_scanned_at END,
    customer_first_entered_at = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.customer_first_entered_at WHEN t.updated_at IS NULL THEN coalesce(excluded.customer_first_entered_at, t.customer_first_entered_at) ELSE t.customer_first_entered_at END,
    customer_last_entered_at = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.customer_last_entered_at WHEN t.updated_at IS NULL THEN coalesce(excluded.customer_last_entered_at, t.customer_last_entered_at) ELSE t.customer_last_entered_at END,
    customer_first_exited_at = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.customer_first_exited_at WHEN t.updated_at IS NULL THEN coalesce(excluded.customer_first_exited_at, t.customer_first_exited_at) ELSE t.customer_first_exited_at END,
    customer_last_exited_at = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.customer_last_exited_at WHEN t.updated_at IS NULL THEN coalesce(excluded.customer_last_exited_at, t.customer_last_exited_at) ELSE t.customer_last_exited_at END,
    customer_payment_instrument_id = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.customer_payment_instrument_id WHEN t.updated_at IS NULL THEN coalesce(excluded.customer_payment_instrument_id, t.customer_payment_instrument_id) ELSE t.customer_payment_instrument_id END,
    customer_satisfaction = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.customer_satisfaction WHEN t.updated_at IS NULL THEN coalesce(excluded.customer_satisfaction, t.customer_satisfaction) ELSE t.customer_satisfaction END,
    customer_satisfaction_submitted = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.customer_satisfaction_submitted WHEN t.updated_at IS NULL THEN coalesce(excluded.customer_satisfaction_submitted, t.customer_satisfaction_submitted) ELSE t.customer_satisfaction_submitted END,
    group_size = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.group_size WHEN t.updated_at IS NULL THEN coalesce(excluded.group_size, t.group_size) ELSE t.group_size END,
    visitors = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.visitors WHEN t.updated_at IS NULL THEN coalesce(excluded.visitors, t.visitors) ELSE t.visitors END,
    location_id = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.location_id WHEN t.updated_at IS NULL THEN coalesce(excluded.location_id, t.location_id) ELSE t.location_id END,
    priority = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.priority WHEN t.updated_at IS NULL THEN coalesce(excluded.priority, t.priority) ELSE t.priority END,
    session_token = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.session_token WHEN t.updated_at IS NULL THEN coalesce(excluded.session_token, t.session_token) ELSE t.session_token END,
    referenced_session_id = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.referenced_session_id WHEN t.updated_at IS NULL THEN coalesce(excluded.referenced_session_id, t.referenced_session_id) ELSE t.referenced_session_id END,
    status = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.status WHEN t.updated_at IS NULL THEN coalesce(excluded.status, t.status) ELSE t.status END,
    stated_store_id = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.stated_store_id WHEN t.updated_at IS NULL THEN coalesce(excluded.stated_store_id, t.stated_store_id) ELSE t.stated_store_id END,
    store_id_scannable_at = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.store_id_scannable_at WHEN t.updated_at IS NULL THEN coalesce(excluded.store_id_scannable_at, t.store_id_scannable_at) ELSE t.store_id_scannable_at END,
    suspected_fraud = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.suspected_fraud WHEN t.updated_at IS NULL THEN coalesce(excluded.suspected_fraud, t.suspected_fraud) ELSE t.suspected_fraud END,
    metadata = CASE WHEN excluded.updated_at >= t.updated_at THEN excluded.metadata WHEN t.updated_at IS NULL THEN coalesce(excluded.metadata, t.metadata) ELSE t.metadata END;

-- TouchSessions is for sessions of which no state is stated, or the one that is kept. It
-- follows UpsertSessions: whom no state names fills a gap.
-- name: TouchSessions :exec
INSERT INTO sessions AS t (store_id, session_id, first_seen_at, last_seen_at, customer_id)
SELECT s.store_id, s.session_id, s.first_seen_at, s.last_seen_at, NULLIF(s.customer_id, '')
FROM (SELECT unnest(@store_id::bigint[]) AS store_id, unnest(@session_id::text[]) AS session_id,
    unnest(@first_seen_at::timestamptz[]) AS first_seen_at, unnest(@last_seen_at::timestamptz[]) AS last_seen_at,
    unnest(@customer_id::text[]) AS customer_id) s
ON CONFLICT (store_id, session_id) DO UPDATE SET
    last_seen_at = greatest(t.last_seen_at, excluded.last_seen_at),
    customer_id = coalesce(t.customer_id, excluded.customer_id)
WHERE t.last_seen_at < excluded.last_seen_at OR (t.customer_id IS NULL AND excluded.customer_id IS NOT NULL);

-- InsertSessionFlags follows UpsertSessions: it takes from there when the session was first seen.
-- name: InsertSessionFlags :exec
INSERT INTO session_flags (store_id, flag, first_seen_at, session_id)
SELECT f.store_id, f.flag, s.first_seen_at, f.session_id
FROM (SELECT unnest(@store_id::bigint[]) AS store_id, unnest(@session_id::text[]) AS session_id, unnest(@flag::text[]) AS flag) f
JOIN sessions s ON s.store_id = f.store_id AND s.session_id = f.session_id
ON CONFLICT DO NOTHING;

-- UpsertCustomers and UpsertStores take the values of the newest webhook. Once there was
-- one of a time far ahead, they take those that arrive: it would be the newest until then.
-- name: UpsertCustomers :exec
INSERT INTO customers AS t (store_id, customer_id, external_id, role, metadata, first_seen_at, last_seen_at)
SELECT store_id, customer_id, NULLIF(external_id, ''), NULLIF(role, ''), NULLIF(metadata, '')::jsonb, first_seen_at, last_seen_at
FROM (SELECT unnest(@store_id::bigint[]) AS store_id, unnest(@customer_id::text[]) AS customer_id,
    unnest(@external_id::text[]) AS external_id, unnest(@role::text[]) AS role, unnest(@metadata::text[]) AS metadata,
    unnest(@first_seen_at::timestamptz[]) AS first_seen_at, unnest(@last_seen_at::timestamptz[]) AS last_seen_at) c
ON CONFLICT (store_id, customer_id) DO UPDATE SET
    external_id = CASE WHEN excluded.last_seen_at >= t.last_seen_at OR t.last_seen_at > now() + interval '1 hour' THEN coalesce(excluded.external_id, t.external_id) ELSE coalesce(t.external_id, excluded.external_id) END,
    role = CASE WHEN excluded.last_seen_at >= t.last_seen_at OR t.last_seen_at > now() + interval '1 hour' THEN coalesce(excluded.role, t.role) ELSE coalesce(t.role, excluded.role) END,
    metadata = CASE WHEN excluded.last_seen_at >= t.last_seen_at OR t.last_seen_at > now() + interval '1 hour' THEN coalesce(excluded.metadata, t.metadata) ELSE coalesce(t.metadata, excluded.metadata) END,
    first_seen_at = least(t.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(t.last_seen_at, excluded.last_seen_at);

-- name: UpsertStores :exec
INSERT INTO stores AS t (store_id, external_id, aifi_unique_store_id, first_seen_at, last_seen_at)
SELECT store_id, NULLIF(external_id, ''), NULLIF(aifi_unique_store_id, ''), first_seen_at, last_seen_at
FROM (SELECT unnest(@store_id::bigint[]) AS store_id, unnest(@external_id::text[]) AS external_id,
    unnest(@aifi_unique_store_id::text[]) AS aifi_unique_store_id, unnest(@first_seen_at::timestamptz[]) AS first_seen_at,
    unnest(@last_seen_at::timestamptz[]) AS last_seen_at) s
ON CONFLICT (store_id) DO UPDATE SET
    external_id = CASE WHEN excluded.last_seen_at >= t.last_seen_at OR t.last_seen_at > now() + interval '1 hour' THEN coalesce(excluded.external_id, t.external_id) ELSE coalesce(t.external_id, excluded.external_id) END,
    aifi_unique_store_id = CASE WHEN excluded.last_seen_at >= t.last_seen_at OR t.last_seen_at > now() + interval '1 hour' THEN coalesce(excluded.aifi_unique_store_id, t.aifi_unique_store_id) ELSE coalesce(t.aifi_unique_store_id, excluded.aifi_unique_store_id) END,
    first_seen_at = least(t.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(t.last_seen_at, excluded.last_seen_at);

-- name: InsertStoreExternalIDs :exec
INSERT INTO store_external_ids (store_id, external_id)
SELECT unnest(@store_id::bigint[]), unnest(@external_id::text[])
ON CONFLICT DO NOTHING;

-- name: InsertStoreFlags :exec
INSERT INTO store_flags (store_id, flag)
SELECT unnest(@store_id::bigint[]), unnest(@flag::text[])
ON CONFLICT DO NOTHING;

-- name: InsertStoreWebhooks :exec
INSERT INTO store_webhooks (store_id, webhook)
SELECT unnest(@store_id::bigint[]), unnest(@webhook::text[])
ON CONFLICT DO NOTHING;

-- name: UpsertProducts :exec
INSERT INTO products AS t (store_id, product_id, first_seen_at, last_seen_at)
SELECT unnest(@store_id::bigint[]), unnest(@product_id::text[]), unnest(@first_seen_at::timestamptz[]), unnest(@last_seen_at::timestamptz[])
ON CONFLICT (store_id, product_id) DO UPDATE SET
    first_seen_at = least(t.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(t.last_seen_at, excluded.last_seen_at);

-- name: UpsertGondolas :exec
INSERT INTO gondolas AS t (store_id, gondola_id, first_seen_at, last_seen_at)
SELECT unnest(@store_id::bigint[]), unnest(@gondola_id::text[]), unnest(@first_seen_at::timestamptz[]), unnest(@last_seen_at::timestamptz[])
ON CONFLICT (store_id, gondola_id) DO UPDATE SET
    first_seen_at = least(t.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(t.last_seen_at, excluded.last_seen_at);

-- ExpectQuarantined fails unless deliveries are in quarantine, and keeps them there until
-- the end of the transaction.
-- name: ExpectQuarantined :exec
SELECT expect_rows(count(*), cardinality(@store_id::bigint[]))
FROM (
    SELECT 1
    FROM (SELECT unnest(@store_id::bigint[]) AS store_id, unnest(@received_at::timestamptz[]) AS received_at, unnest(@delivery_id::uuid[]) AS delivery_id) a
    JOIN quarantine q ON q.store_id = a.store_id AND q.received_at = a.received_at AND q.delivery_id = a.delivery_id
    FOR UPDATE OF q
) held;

-- ExpectBodies fails unless the bodies of deliveries are there.
-- name: ExpectBodies :exec
SELECT expect_rows(count(b.one), count(*))
FROM (SELECT unnest(@store_id::bigint[]) AS store_id, unnest(@received_at::timestamptz[]) AS received_at, unnest(@delivery_id::uuid[]) AS delivery_id) a
LEFT JOIN LATERAL (
    SELECT 1 AS one FROM delivery_bodies b WHERE b.store_id = a.store_id AND b.received_at = a.received_at AND b.delivery_id = a.delivery_id LIMIT 1
) b ON true;

-- ExpectTables fails unless the table deliveries has that number: restored in place, it is
-- another.
-- name: ExpectTables :exec
SELECT expect_rows(count(t.number) FILTER (WHERE t.number = @number::bigint), 1)
FROM (SELECT to_regclass('deliveries')::oid::bigint AS number) t;

-- ResolveQuarantine says what a replay came to, and queues its leaf, if it has one.
-- name: ResolveQuarantine :exec
WITH resolved AS (
    UPDATE quarantine SET replayed_at = now(), event_store_id = @event_store_id, event_kind = @event_kind,
        event_occurred_at = @event_occurred_at, event_id = @event_id
    WHERE store_id = @store_id AND received_at = @received_at AND delivery_id = @delivery_id AND replayed_at IS NULL
    RETURNING delivery_id
)
INSERT INTO log_queue (leaves)
SELECT ARRAY[sqlc.narg('leaf')::bytea] FROM resolved WHERE sqlc.narg('leaf')::bytea IS NOT NULL;

-- name: UpdateQuarantineReason :exec
UPDATE quarantine SET reason = @reason, pointer = @pointer, detail = @detail
WHERE store_id = @store_id AND received_at = @received_at AND delivery_id = @delivery_id AND replayed_at IS NULL;
