-- DeliveriesOfCustomer are the deliveries that state events of a customer, themselves
-- or by a replay, and whose bodies are still there.
-- name: DeliveriesOfCustomer :many
WITH e AS (
    SELECT store_id, kind, occurred_at, id FROM events WHERE customer_id = @customer_id::text
    UNION
    SELECT store_id, kind, occurred_at, event_id FROM event_personal_info WHERE customer_id = @customer_id::text
)
SELECT d.id FROM deliveries d
JOIN delivery_bodies b ON b.store_id = d.store_id AND b.received_at = d.received_at AND b.delivery_id = d.id
JOIN e ON e.store_id = d.store_id AND e.kind = d.event_kind AND e.occurred_at = d.event_occurred_at AND e.id = d.event_id
UNION
SELECT q.delivery_id FROM quarantine q
JOIN delivery_bodies b ON b.store_id = q.store_id AND b.received_at = q.received_at AND b.delivery_id = q.delivery_id
JOIN e ON e.store_id = q.event_store_id AND e.kind = q.event_kind AND e.occurred_at = q.event_occurred_at AND e.id = q.event_id
ORDER BY 1;

-- InsertErasure writes what an erasure leaves, and queues its leaf.
-- name: InsertErasure :exec
WITH erasure AS (
    INSERT INTO log_erasures (store_id, received_at, delivery_id, erased_at, body_commitment, facts_salt, secret, actor, reason)
    VALUES (@store_id, @received_at, @delivery_id, @erased_at, @body_commitment, @facts_salt, @secret, @actor, @reason)
    RETURNING delivery_id
)
INSERT INTO log_queue (leaves) SELECT ARRAY[@leaf::bytea] FROM erasure;

-- name: EraseDelivery :exec
SELECT erase_delivery(@store_id::bigint, @received_at::timestamptz, @delivery_id::uuid);

-- name: ErasePersonOfEvents :exec
SELECT erase_person(e.store_id, e.kind, e.occurred_at, e.id) FROM (
    SELECT store_id, kind, occurred_at, id FROM events WHERE customer_id = @customer_id::text
    UNION
    SELECT store_id, kind, occurred_at, event_id FROM event_personal_info WHERE customer_id = @customer_id::text
) e;

-- name: ErasePersonOfSessions :execrows
UPDATE sessions SET customer_id = NULL, customer_payment_instrument_id = NULL, metadata = NULL WHERE customer_id = @customer_id::text;

-- name: EraseCustomer :execrows
DELETE FROM customers WHERE customer_id = @customer_id;
