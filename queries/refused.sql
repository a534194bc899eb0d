-- Webhooks that were refused for their token.

-- name: InsertRefused :exec
INSERT INTO refused (received_at, delivery_id, token_hash, reason, webhook, remote_addr, path, headers, body, body_size, truncated)
SELECT unnest(@received_at::timestamptz[]), unnest(@delivery_id::uuid[]), unnest(@token_hash::bytea[]), unnest(@reason::text[]),
    unnest(@webhook::text[]), unnest(@remote_addr::text[]), unnest(@path::text[]), unnest(@headers::text[])::jsonb,
    unnest(@body::bytea[]), unnest(@body_size::bigint[]), unnest(@truncated::boolean[])
ON CONFLICT DO NOTHING;

-- DeleteOldRefused keeps the newest, up to a number of them and of bytes of their bodies.
-- name: DeleteOldRefused :exec
DELETE FROM refused r
USING (
    SELECT n.received_at, n.delivery_id, row_number() OVER newest AS place, sum(n.body_size) OVER newest AS bytes
    FROM refused n
    WINDOW newest AS (ORDER BY n.received_at DESC, n.delivery_id DESC)
) kept
WHERE r.received_at = kept.received_at AND r.delivery_id = kept.delivery_id
    AND (kept.place > @most_rows::bigint OR kept.bytes > @most_bytes::bigint);

-- name: ListRefused :many
SELECT received_at, delivery_id, token_hash, reason, webhook, remote_addr, path, headers, body_size, truncated, replayed_at
FROM refused
WHERE (sqlc.narg('webhooks')::text[] IS NULL OR webhook = ANY (sqlc.narg('webhooks')::text[]))
    AND (sqlc.narg('fingerprints')::text[] IS NULL OR left(encode(token_hash, 'hex'), 12) = ANY (sqlc.narg('fingerprints')::text[]))
    AND (sqlc.narg('replayed')::boolean IS NULL OR (replayed_at IS NOT NULL) = sqlc.narg('replayed')::boolean)
    AND (sqlc.narg('from_time')::timestamptz IS NULL OR received_at >= sqlc.narg('from_time')::timestamptz)
    AND (sqlc.narg('to_time')::timestamptz IS NULL OR received_at < sqlc.narg('to_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR (received_at, delivery_id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY received_at DESC, delivery_id DESC
LIMIT sqlc.narg('row_limit')::bigint;

-- name: GetRefused :one
SELECT * FROM refused WHERE received_at = @received_at AND delivery_id = @delivery_id;

-- MarkRefusedReplayed says of refused webhooks that they were replayed, and fails unless
-- they are there. It keeps them there until the end of the transaction. One that somebody
-- is about to delete counts as gone: webhooks do not wait behind an erasure.
-- name: MarkRefusedReplayed :exec
WITH there AS (
    SELECT r.received_at, r.delivery_id
    FROM (SELECT unnest(@received_at::timestamptz[]) AS received_at, unnest(@delivery_id::uuid[]) AS delivery_id) a
    JOIN refused r ON r.received_at = a.received_at AND r.delivery_id = a.delivery_id
    FOR UPDATE OF r SKIP LOCKED
), marked AS (
    UPDATE refused r SET replayed_at = coalesce(r.replayed_at, now())
    FROM there t WHERE r.received_at = t.received_at AND r.delivery_id = t.delivery_id
    RETURNING 1
)
SELECT expect_rows((SELECT count(*) FROM marked), cardinality(@delivery_id::uuid[]));

-- ListRefusedTokens gives what is kept by the token that was presented, the latest first.
-- name: ListRefusedTokens :many
SELECT token_hash, reason, count(*) AS kept, count(*) FILTER (WHERE replayed_at IS NULL) AS open,
    min(received_at)::timestamptz AS first_at, max(received_at)::timestamptz AS last_at,
    array_agg(DISTINCT webhook ORDER BY webhook)::text[] AS webhooks, array_agg(DISTINCT remote_addr ORDER BY remote_addr)::text[] AS remote_addrs
FROM refused
GROUP BY token_hash, reason
ORDER BY last_at DESC, token_hash
LIMIT @row_limit;
