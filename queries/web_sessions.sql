-- name: InsertWebSession :exec
INSERT INTO web_sessions (hash, token_id, created_at, last_used_at) VALUES (@hash, @token_id, @created_at, @created_at);

-- name: GetWebSession :one
SELECT * FROM web_sessions WHERE hash = @hash;

-- name: TouchWebSession :exec
UPDATE web_sessions SET last_used_at = greatest(last_used_at, @used_at::timestamptz) WHERE hash = @hash;

-- name: DeleteWebSession :exec
DELETE FROM web_sessions WHERE hash = @hash;

-- name: DeleteOldWebSessions :exec
DELETE FROM web_sessions WHERE created_at <= @created_before OR last_used_at <= @used_before;
