-- name: InsertToken :exec
INSERT INTO tokens (name, hash, scopes, store_ids, created_at, expires_at)
VALUES (@name, @hash, @scopes, sqlc.narg('store_ids')::bigint[], @created_at, sqlc.narg('expires_at'));

-- name: ListTokens :many
SELECT * FROM tokens ORDER BY id;

-- name: RevokeToken :execrows
UPDATE tokens SET revoked_at = @revoked_at WHERE name = @name AND revoked_at IS NULL;

-- name: TouchTokens :exec
UPDATE tokens t SET last_used_at = greatest(t.last_used_at, u.used_at)
FROM (SELECT unnest(@id::bigint[]) AS id, unnest(@used_at::timestamptz[]) AS used_at) u
WHERE t.id = u.id;

-- name: TokenIDs :many
SELECT id FROM tokens WHERE name = ANY (@names::text[]);
