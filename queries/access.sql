-- InsertAccess writes an entry and queues its leaf.
-- name: InsertAccess :exec
WITH entry AS (
    INSERT INTO access_log (at, token_id, action, path, query, remote_addr, entry_id, secret, status, rows, detail)
    VALUES (@at, @token_id, @action, @path, @query, @remote_addr, @entry_id, @secret, @status, @rows, @detail)
    RETURNING id
)
INSERT INTO log_queue (leaves) SELECT ARRAY[@leaf::bytea] FROM entry;

-- ListAccess walks entries in time, or picks those of a token or about some subjects, which
-- are given as a query that asks for them. One token is given apart from several: its index
-- then has its entries in order. Times that no answer can hold were put there by hand, and
-- are for the verification to find: one of them would be the end of the list for all.
-- name: ListAccess :many
SELECT a.id, a.at, t.name AS token_name, a.action, a.path, a.query, a.remote_addr, a.status, a.rows, a.detail, a.entry_id
FROM access_log a
LEFT JOIN tokens t ON t.id = a.token_id
WHERE a.at >= '0001-01-01Z' AND a.at < '10000-01-01Z'
    AND (sqlc.narg('token_id')::bigint IS NULL OR a.token_id = sqlc.narg('token_id')::bigint)
    AND (sqlc.narg('token_ids')::bigint[] IS NULL OR a.token_id = ANY (sqlc.narg('token_ids')::bigint[]))
    AND (sqlc.narg('actions')::text[] IS NULL OR a.action = ANY (sqlc.narg('actions')::text[]))
    AND (sqlc.narg('counts')::boolean IS NULL OR (a.action = 'count') = sqlc.narg('counts')::boolean)
    AND (sqlc.narg('denied')::boolean IS NULL OR (coalesce(a.status, 0) >= 400) = sqlc.narg('denied')::boolean)
    AND (sqlc.narg('sessions')::text IS NULL OR access_subjects(a.path, a.query) && access_subjects('', sqlc.narg('sessions')::text))
    AND (sqlc.narg('deliveries')::text IS NULL OR access_subjects(a.path, a.query) && access_subjects('', sqlc.narg('deliveries')::text))
    AND (sqlc.narg('from_time')::timestamptz IS NULL OR a.at >= sqlc.narg('from_time')::timestamptz)
    AND (sqlc.narg('to_time')::timestamptz IS NULL OR a.at < sqlc.narg('to_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR a.at <= sqlc.narg('after_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR (a.at, a.id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::bigint))
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR a.at >= sqlc.narg('newer_time')::timestamptz)
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR (a.at, a.id) > (sqlc.narg('newer_time')::timestamptz, sqlc.narg('newer_id')::bigint))
ORDER BY CASE WHEN @ascending::boolean THEN a.at END, CASE WHEN @ascending::boolean THEN a.id END, a.at DESC, a.id DESC
LIMIT sqlc.narg('row_limit')::bigint;

-- AccessEvidence gives entries with all that their leaves were made from.
-- name: AccessEvidence :many
SELECT coalesce(CASE WHEN isfinite(a.at) THEN a.at END, '0001-01-01T00:00:00Z')::timestamptz AS at, a.token_id, a.action, a.path, a.query, a.remote_addr, a.entry_id, a.secret, a.status, a.rows, a.detail,
    x.erased_at, x.facts_commitment, x.secret AS erasure_secret, x.request_id
FROM access_log a
LEFT JOIN log_access_erasures x ON x.entry_id = a.entry_id
WHERE a.entry_id = ANY (@entry_ids::uuid[]);

-- name: AccessIDs :many
SELECT entry_id::uuid FROM access_log WHERE at >= @from_time AND at < @to_time AND entry_id IS NOT NULL;
