-- The transparency log. The first statements are the sequencer's, which runs them on
-- the connection that holds its lock.

-- name: TryLock :one
SELECT pg_try_advisory_lock(@key::bigint);

-- name: GetLogState :one
SELECT size, root, checkpoint, published_at FROM log_state;

-- name: DrainLogQueue :many
DELETE FROM log_queue WHERE id IN (SELECT q.id FROM log_queue q ORDER BY q.id LIMIT @row_limit) RETURNING leaves;

-- name: InsertLogLeaves :exec
INSERT INTO log_leaves (first_index, ids, hashes, first_at, last_at)
SELECT unnest(@first_index::bigint[]), unnest(@ids::bytea[]), unnest(@hashes::bytea[]), unnest(@first_at::timestamptz[]),
    unnest(@last_at::timestamptz[]);

-- name: InsertLogTiles :exec
INSERT INTO log_tiles (level, n, root)
SELECT unnest(@level::smallint[]), unnest(@n::bigint[]), unnest(@root::bytea[]);

-- StartLog makes the first state.
-- name: StartLog :execrows
INSERT INTO log_state (size, root, checkpoint, published_at) VALUES (@size, @root, @checkpoint, @published_at)
ON CONFLICT DO NOTHING;

-- AdvanceLog replaces the state, if it is the one that the caller started from.
-- name: AdvanceLog :execrows
UPDATE log_state SET size = @size, root = @root, checkpoint = @checkpoint, published_at = @published_at
WHERE size = @old_size AND root = @old_root;

-- name: LastCheckpointTime :one
SELECT coalesce(max(published_at), '0001-01-01T00:00:00Z')::timestamptz FROM log_checkpoints;

-- name: InsertCheckpoint :exec
INSERT INTO log_checkpoints (size, checkpoint, published_at) VALUES (@size, @checkpoint, @published_at)
ON CONFLICT DO NOTHING;

-- name: OldestQueued :one
SELECT coalesce(min(queued_at), '0001-01-01T00:00:00Z')::timestamptz FROM log_queue;

-- LeafRows are the rows with the leaves from first_index up to (not including) end_index.
-- name: LeafRows :many
SELECT first_index, ids, hashes FROM log_leaves
WHERE first_index >= @from_index AND first_index < @end_index
ORDER BY first_index;

-- LeafRowsAt are the rows that may have a leaf of a time.
-- name: LeafRowsAt :many
SELECT first_index, ids FROM log_leaves
WHERE tstzrange(first_at, last_at, '[]') @> @at::timestamptz
ORDER BY first_index;

-- LeafTiles gives the hashes of tiles of level 0.
-- name: LeafTiles :many
SELECT k.n::bigint AS n, string_agg(l.hashes, ''::bytea ORDER BY l.first_index)::bytea AS hashes
FROM (SELECT unnest(@n::bigint[]) AS n) k
JOIN log_leaves l ON l.first_index >= k.n * 256 AND l.first_index < (k.n + 1) * 256
GROUP BY k.n;

-- RootTiles gives the hashes of tiles above level 0: level is that of the roots.
-- name: RootTiles :many
SELECT k.level::smallint AS level, k.n::bigint AS n, string_agg(t.root, ''::bytea ORDER BY t.n)::bytea AS hashes
FROM (SELECT unnest(@level::smallint[]) AS level, unnest(@n::bigint[]) AS n) k
JOIN log_tiles t ON t.level = k.level AND t.n >= k.n * 256 AND t.n < (k.n + 1) * 256
GROUP BY k.level, k.n;

-- name: TileRoots :many
SELECT n, root FROM log_tiles
WHERE level = @level AND n >= @from_n AND n < @end_n
ORDER BY n;

-- DeliveryEvidence gives deliveries with all that their leaves were made from. A
-- column of the event is null if there is none; of a replay it is the event that the
-- replay found. event_erased: the delivery that stated it first was erased.
-- name: DeliveryEvidence :many
SELECT d.store_id, d.received_at, d.id, d.webhook, d.session_id, d.issued_at, d.token_id, d.remote_addr, d.path, d.headers,
    d.body_size, d.body_sha256, d.truncated, d.event_id AS stated_event_id, b.body, coalesce(b.encoding, 0)::smallint AS encoding, b.secret,
    e.store_id AS event_store_id, e.kind AS event_kind, e.occurred_at, e.id AS event_id, e.occurred_at_known,
    e.delivery_id AS first_delivery_id, e.received_at AS event_received_at, e.issued_at AS event_issued_at,
    e.webhook AS event_webhook, e.event_id AS aifi_event_id, e.session_id AS event_session_id, e.customer_id, e.shopper_id,
    e.store_external_id, e.flags, e.product_ids, e.gondola_ids, e.payment_provider, e.token_type, e.check_in_device_id, e.unreadable,
    p.email, p.first_name, p.last_name, p.phone, p.phone_number, p.customer_id AS personal_customer_id,
    x.erased_at, x.body_commitment, x.facts_salt, x.secret AS erasure_secret, x.actor, x.reason,
    (y.delivery_id IS NOT NULL)::boolean AS event_erased
FROM (SELECT unnest(@received_at::timestamptz[]) AS received_at, unnest(@id::uuid[]) AS id) k
JOIN delivery_requests d ON d.received_at = k.received_at AND d.id = k.id
LEFT JOIN delivery_bodies b ON b.store_id = d.store_id AND b.received_at = d.received_at AND b.delivery_id = d.id
LEFT JOIN log_erasures x ON x.store_id = d.store_id AND x.received_at = d.received_at AND x.delivery_id = d.id
LEFT JOIN quarantine q ON @replayed::boolean AND q.store_id = d.store_id AND q.received_at = d.received_at AND q.delivery_id = d.id
LEFT JOIN events e ON e.store_id = CASE WHEN @replayed::boolean THEN q.event_store_id ELSE d.store_id END
    AND e.kind = CASE WHEN @replayed::boolean THEN q.event_kind ELSE d.event_kind END
    AND e.occurred_at = CASE WHEN @replayed::boolean THEN q.event_occurred_at ELSE d.event_occurred_at END
    AND e.id = CASE WHEN @replayed::boolean THEN q.event_id ELSE d.event_id END
LEFT JOIN event_personal_info p ON p.store_id = e.store_id AND p.kind = e.kind AND p.occurred_at = e.occurred_at AND p.event_id = e.id
LEFT JOIN log_erasures y ON y.received_at = e.received_at AND y.delivery_id = e.delivery_id AND y.store_id IN (e.store_id, 0);

-- InsertCosignature keeps what a witness says of a checkpoint, and the checkpoint.
-- name: InsertCosignature :exec
WITH kept AS (
    INSERT INTO log_checkpoints (size, checkpoint, published_at) VALUES (@size, @checkpoint, @received_at) ON CONFLICT DO NOTHING
)
INSERT INTO log_cosignatures (size, witness, line, received_at) VALUES (@size, @witness, @line, @received_at)
ON CONFLICT DO NOTHING;

-- NewestCosigned is the newest checkpoint that a witness cosigned.
-- name: NewestCosigned :one
SELECT c.size, c.checkpoint FROM log_checkpoints c
WHERE c.size = (SELECT max(s.size) FROM log_cosignatures s WHERE s.size <= @up_to);

-- name: CosignatureLines :many
SELECT line FROM log_cosignatures WHERE size = @size ORDER BY witness;

-- name: CosignedUpTo :one
SELECT coalesce(max(size), 0)::bigint FROM log_cosignatures WHERE witness = @witness;
