-- What an erasure does. It needs the rights of the tables' owner.

-- InsertErasures writes what the erasure of some deliveries leaves, and queues their
-- leaves.
-- name: InsertErasures :exec
WITH erasure AS (
    INSERT INTO log_erasures (store_id, received_at, delivery_id, erased_at, body_commitment, facts_salt, secret, actor, reason, request_id)
    SELECT unnest(@store_id::bigint[]), unnest(@received_at::timestamptz[]), unnest(@delivery_id::uuid[]), @erased_at::timestamptz,
        unnest(@body_commitment::bytea[]), unnest(@facts_salt::bytea[]), unnest(@secret::bytea[]), @actor::text, @reason::text, @request_id::uuid
    RETURNING delivery_id
)
INSERT INTO log_queue (leaves) SELECT @leaves::bytea[] WHERE (SELECT count(*) FROM erasure) > 0;

-- name: EraseDeliveries :exec
SELECT erase_delivery(d.store_id, d.received_at, d.id)
FROM (SELECT unnest(@store_id::bigint[]) AS store_id, unnest(@received_at::timestamptz[]) AS received_at, unnest(@delivery_id::uuid[]) AS id) d;

-- name: EraseEvents :exec
SELECT erase_person(e.store_id, e.kind, e.occurred_at, e.id)
FROM (SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@kinds::text[]) AS kind, unnest(@times::timestamptz[]) AS occurred_at, unnest(@ids::uuid[]) AS id) e;

-- name: EraseComments :one
SELECT coalesce(sum(erase_comments(e.store_id, e.kind, e.occurred_at, e.id)), 0)::bigint
FROM (SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@kinds::text[]) AS kind, unnest(@times::timestamptz[]) AS occurred_at, unnest(@ids::uuid[]) AS id) e;

-- ErasePersonOfSessions locks the rows in the order in which webhooks do.
-- name: ErasePersonOfSessions :execrows
WITH mine AS (
    SELECT s.store_id, s.session_id FROM sessions s
    JOIN (SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@session_ids::text[]) AS session_id) m ON m.store_id = s.store_id AND m.session_id = s.session_id
    WHERE s.customer_id = @customer_id::text OR s.customer_id IS NULL
    ORDER BY s.store_id, s.session_id
    FOR UPDATE OF s
)
UPDATE sessions t SET customer_id = NULL, customer_payment_instrument_id = NULL, metadata = NULL
FROM mine m WHERE t.store_id = m.store_id AND t.session_id = m.session_id;

-- name: EraseHolds :one
SELECT erase_holds(@customer_id::text);

-- EraseCustomer also leaves nothing for retention to look for.
-- name: EraseCustomer :execrows
WITH sweep AS (DELETE FROM retention_sweeps WHERE what = 'customer' AND id = @customer_id::text)
DELETE FROM customers WHERE customer_id = @customer_id::text;

-- name: EraseRefused :execrows
DELETE FROM refused r USING (SELECT unnest(@received_at::timestamptz[]) AS received_at, unnest(@delivery_id::uuid[]) AS delivery_id) m
WHERE r.received_at = m.received_at AND r.delivery_id = m.delivery_id;

-- ReplayedRefused are those of some refused webhooks that were recorded, and have a body.
-- name: ReplayedRefused :many
SELECT b.store_id, b.received_at, b.delivery_id
FROM (SELECT unnest(@received_at::timestamptz[]) AS received_at, unnest(@delivery_id::uuid[]) AS delivery_id) m
JOIN delivery_bodies b ON b.received_at = m.received_at AND b.delivery_id = m.delivery_id;

-- InsertAccessErasures writes what the erasure of entries of the access log leaves, and
-- queues their leaves.
-- name: InsertAccessErasures :exec
WITH erasure AS (
    INSERT INTO log_access_erasures (entry_id, erased_at, facts_commitment, secret, request_id)
    SELECT unnest(@entry_id::uuid[]), @erased_at::timestamptz, unnest(@facts_commitment::bytea[]), unnest(@secret::bytea[]), @request_id::uuid
    RETURNING entry_id
)
INSERT INTO log_queue (leaves) SELECT @leaves::bytea[] WHERE (SELECT count(*) FROM erasure) > 0;

-- name: EraseAccess :exec
SELECT erase_access(a.id, a.path, a.query, a.detail)
FROM (SELECT unnest(@id::bigint[]) AS id, unnest(@path::text[]) AS path, unnest(@query::text[]) AS query, unnest(@detail::text[]) AS detail) a;

-- DeliveryErasure is when a delivery's body was erased, and on whose word.
-- name: DeliveryErasure :one
SELECT erased_at, actor, reason, request_id FROM log_erasures
WHERE received_at = @received_at AND delivery_id = @delivery_id AND store_id = @store_id;

-- LockQuarantined has replays of some deliveries wait, or waits for them.
-- name: LockQuarantined :exec
SELECT FROM quarantine q
JOIN (SELECT unnest(@received_at::timestamptz[]) AS received_at, unnest(@id::uuid[]) AS id) a ON q.received_at = a.received_at AND q.delivery_id = a.id
FOR UPDATE OF q;
