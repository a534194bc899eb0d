-- name: ListSessions :many
SELECT s.*, ARRAY(SELECT f.flag FROM session_flags f WHERE f.store_id = s.store_id AND f.session_id = s.session_id ORDER BY f.flag)::text[] AS flags
FROM sessions s
WHERE (sqlc.narg('store_ids')::bigint[] IS NULL OR s.store_id = ANY (sqlc.narg('store_ids')::bigint[]))
    AND (sqlc.narg('session_ids')::text[] IS NULL OR s.session_id = ANY (sqlc.narg('session_ids')::text[]))
    AND (sqlc.narg('customer_ids')::text[] IS NULL OR s.customer_id = ANY (sqlc.narg('customer_ids')::text[]))
    AND (sqlc.narg('flags')::text[] IS NULL OR EXISTS (SELECT 1 FROM session_flags f WHERE f.store_id = s.store_id AND f.session_id = s.session_id AND f.flag = ANY (sqlc.narg('flags')::text[])))
    AND (sqlc.narg('from_time')::timestamptz IS NULL OR s.first_seen_at >= sqlc.narg('from_time')::timestamptz)
    AND (sqlc.narg('to_time')::timestamptz IS NULL OR s.first_seen_at < sqlc.narg('to_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR s.first_seen_at <= sqlc.narg('after_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR (s.first_seen_at, s.store_id, s.session_id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_store_id')::bigint, sqlc.narg('after_session_id')::text))
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR s.first_seen_at >= sqlc.narg('newer_time')::timestamptz)
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR (s.first_seen_at, s.store_id, s.session_id) > (sqlc.narg('newer_time')::timestamptz, sqlc.narg('newer_store_id')::bigint, sqlc.narg('newer_session_id')::text))
ORDER BY CASE WHEN @ascending::boolean THEN s.first_seen_at END, CASE WHEN @ascending::boolean THEN s.store_id END,
    CASE WHEN @ascending::boolean THEN s.session_id END, s.first_seen_at DESC, s.store_id DESC, s.session_id DESC
LIMIT sqlc.narg('row_limit')::bigint;

-- name: ListStores :many
SELECT * FROM stores
WHERE (sqlc.narg('store_ids')::bigint[] IS NULL OR store_id = ANY (sqlc.narg('store_ids')::bigint[]))
    AND (sqlc.narg('after_store_id')::bigint IS NULL OR store_id > sqlc.narg('after_store_id')::bigint)
ORDER BY store_id
LIMIT sqlc.narg('row_limit')::bigint;

-- name: AllStoreIDs :many
SELECT store_id FROM stores ORDER BY store_id;

-- name: StoreIDsOfExternalIDs :many
SELECT DISTINCT store_id FROM store_external_ids WHERE external_id = ANY (@external_ids::text[]);

-- name: SetTimeZone :one
UPDATE stores SET time_zone = sqlc.narg('time_zone')::text WHERE store_id = @store_id RETURNING *;
