-- Legal holds.

-- name: PlaceHold :one
INSERT INTO legal_holds (id, placed_by, token_id, reason, store_id, session_id, customer_id, from_time, to_time)
VALUES (@id, @placed_by, @token_id, @reason, sqlc.narg('store_id'), sqlc.narg('session_id'), sqlc.narg('customer_id'), sqlc.narg('from_time'), sqlc.narg('to_time'))
RETURNING at;

-- LiftHold says of a hold that it was lifted; no row if it was before.
-- name: LiftHold :execrows
INSERT INTO hold_lifts (hold_id, lifted_by, token_id, reason) VALUES (@hold_id, @lifted_by, @token_id, @reason)
ON CONFLICT DO NOTHING;

-- KeepHolds lets nobody place a hold until the transaction ends.
-- name: KeepHolds :exec
LOCK TABLE legal_holds IN SHARE MODE;

-- ListHolds is ordered newest first. Who sees some stores only sees holds of these.
-- name: ListHolds :many
SELECT h.* FROM holds h
WHERE (sqlc.narg('ids')::uuid[] IS NULL OR h.id = ANY (sqlc.narg('ids')::uuid[]))
    AND (sqlc.narg('store_ids')::bigint[] IS NULL OR h.store_id = ANY (sqlc.narg('store_ids')::bigint[]))
    AND (sqlc.narg('session_ids')::text[] IS NULL OR h.session_id = ANY (sqlc.narg('session_ids')::text[]))
    AND (sqlc.narg('customer_ids')::text[] IS NULL OR h.customer_id = ANY (sqlc.narg('customer_ids')::text[]))
    AND (sqlc.narg('lifted')::boolean IS NULL OR (h.lifted_at IS NOT NULL) = sqlc.narg('lifted')::boolean)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR (h.placed_at, h.id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY h.placed_at DESC, h.id DESC
LIMIT sqlc.narg('row_limit')::bigint;

-- HoldsOfDeliveries gives the holds in force on some deliveries.
-- name: HoldsOfDeliveries :many
SELECT d.delivery_id, d.hold_id FROM held_deliveries d
WHERE d.received_at = ANY (@received_at::timestamptz[]) AND d.delivery_id = ANY (@id::uuid[]) AND d.lifted_at IS NULL;

-- HoldsOfSession gives the holds in force that cover any delivery of a session, or the
-- session itself.
-- name: HoldsOfSession :many
SELECT d.hold_id FROM held_deliveries d
WHERE d.session_id = @session_id::text AND hashtextextended(d.session_id, 0) = hashtextextended(@session_id::text, 0) AND d.store_id = @store_id::bigint AND d.lifted_at IS NULL
UNION
SELECT h.id FROM events e
JOIN holds h ON hold_covers(h, ARRAY[e.store_id], ARRAY[e.session_id], ARRAY[e.customer_id], e.received_at, e.occurred_at)
WHERE e.session_id = @session_id::text AND hashtextextended(e.session_id, 0) = hashtextextended(@session_id::text, 0) AND e.store_id = @store_id::bigint AND h.lifted_at IS NULL
UNION
SELECT h.id FROM sessions s
JOIN holds h ON hold_covers(h, ARRAY[s.store_id], ARRAY[s.session_id], ARRAY[s.customer_id], s.first_seen_at, s.last_seen_at)
WHERE s.session_id = @session_id::text AND s.store_id = @store_id::bigint AND h.lifted_at IS NULL;
