-- Requests for the erasure of a customer.

-- InsertErasureRequest files a request.
-- name: InsertErasureRequest :exec
WITH request AS (
    INSERT INTO erasure_requests (id, requested_at, expires_at, token_id, requested_by, reason, subject, found, digest)
    VALUES (@id, @requested_at, @expires_at, @token_id, @requested_by, @reason, @subject, @found, @digest)
    RETURNING id
)
INSERT INTO erasure_subjects (request_id, customer_id, secret) SELECT id, @customer_id::text, @secret::bytea FROM request;

-- ListErasures gives requests, newest first, with whom they are about as long as they
-- are open, and what was decided last.
-- name: ListErasures :many
SELECT r.id, r.requested_at, r.expires_at, r.token_id, r.requested_by, r.reason, r.subject, r.found, r.digest,
    u.customer_id, u.secret, t.revoked_at AS requester_revoked_at,
    d.decision, d.at AS decided_at, d.token_id AS decided_by_token, d.decided_by, a.revoked_at AS decider_revoked_at,
    x.executed_at, x.erased, x.statement, x.secret AS statement_secret
FROM erasure_requests r
LEFT JOIN erasure_subjects u ON u.request_id = r.id
LEFT JOIN tokens t ON t.id = r.token_id
LEFT JOIN erasure_results x ON x.request_id = r.id
LEFT JOIN erasure_decisions d ON d.request_id = r.id AND d.id = (
    SELECT l.id FROM erasure_decisions l WHERE l.request_id = r.id ORDER BY l.decision IN ('rejected', 'withdrawn') DESC, l.id DESC LIMIT 1)
LEFT JOIN tokens a ON a.id = d.token_id
WHERE (sqlc.narg('id')::uuid IS NULL OR r.id = sqlc.narg('id')::uuid)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR (r.requested_at, r.id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY r.requested_at DESC, r.id DESC
LIMIT sqlc.narg('row_limit')::bigint;

-- LockErasure has those who decide of one request wait for each other.
-- name: LockErasure :exec
SELECT u.request_id FROM erasure_subjects u WHERE u.request_id = @id FOR UPDATE;

-- IsAdministrator reports whether a token is good for what an approval needs, now.
-- name: IsAdministrator :one
SELECT EXISTS (SELECT 1 FROM tokens t WHERE t.id = @id AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > @at::timestamptz)
    AND 'admin' = ANY (t.scopes) AND t.store_ids IS NULL);

-- name: InsertErasureDecision :exec
INSERT INTO erasure_decisions (request_id, id, at, decision, token_id, decided_by) VALUES (@request_id, @id, @at, @decision, @token_id, @decided_by);

-- name: DeleteErasureSubject :exec
DELETE FROM erasure_subjects WHERE request_id = @request_id;

-- DeleteExpiredSubjects forgets whom requests were about that nobody acted on in time.
-- name: DeleteExpiredSubjects :exec
DELETE FROM erasure_subjects u USING erasure_requests r WHERE r.id = u.request_id AND r.expires_at <= @now;

-- name: InsertErasureResult :exec
WITH result AS (
    INSERT INTO erasure_results (request_id, executed_at, erased, statement, secret)
    VALUES (@request_id, @executed_at, @erased, @statement, @secret)
    RETURNING request_id
)
INSERT INTO log_queue (leaves) SELECT ARRAY[@leaf::bytea] FROM result;

-- ErasedDeliveries are the deliveries that a request erased.
-- name: ErasedDeliveries :many
SELECT x.received_at, x.delivery_id FROM log_erasures x WHERE x.request_id = @request_id::uuid ORDER BY x.delivery_id;

-- name: ErasureResults :many
SELECT request_id, executed_at, statement, secret FROM erasure_results WHERE executed_at >= @since;

-- LeafRowsAtTimes are the rows that may have a leaf of one of some times.
-- name: LeafRowsAtTimes :many
SELECT l.first_index, l.ids FROM log_leaves l
WHERE l.first_index IN (SELECT m.first_index FROM unnest(@times::timestamptz[]) AS t (at) JOIN log_leaves m ON tstzrange(m.first_at, m.last_at, '[]') @> t.at)
ORDER BY l.first_index;
