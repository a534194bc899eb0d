-- Lists of sessions, newest first. A null row_limit means all of them: the pages and
-- the exports are the same statements. A null filter means any.

-- ListSessions walks sessions in time, or picks those of some ids or customers. OFFSET 0
-- has flags looked up session by session: the planner would hash all of the table.
-- name: ListSessions :many
SELECT s.*, ARRAY(SELECT f.flag FROM session_flags f WHERE f.store_id = s.store_id AND f.session_id = s.session_id ORDER BY f.flag)::text[] AS flags
FROM sessions s
WHERE (sqlc.narg('store_ids')::bigint[] IS NULL OR CASE cardinality(sqlc.narg('store_ids')::bigint[]) WHEN 1 THEN s.store_id = (sqlc.narg('store_ids')::bigint[])[1] ELSE s.store_id = ANY (sqlc.narg('store_ids')::bigint[]) END)
    AND (sqlc.narg('session_ids')::text[] IS NULL OR s.session_id = ANY (sqlc.narg('session_ids')::text[]))
    AND (sqlc.narg('customer_ids')::text[] IS NULL OR s.customer_id = ANY (sqlc.narg('customer_ids')::text[]))
    AND (sqlc.narg('flags')::text[] IS NULL OR EXISTS (SELECT 1 FROM session_flags f WHERE f.store_id = s.store_id AND f.session_id = s.session_id AND f.flag = ANY (sqlc.narg('flags')::text[]) OFFSET 0))
    AND (sqlc.narg('from_time')::timestamptz IS NULL OR s.first_seen_at >= sqlc.narg('from_time')::timestamptz)
    AND (sqlc.narg('to_time')::timestamptz IS NULL OR s.first_seen_at < sqlc.narg('to_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR s.first_seen_at <= sqlc.narg('after_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR (s.first_seen_at, s.store_id, s.session_id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_store_id')::bigint, sqlc.narg('after_session_id')::text))
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR s.first_seen_at >= sqlc.narg('newer_time')::timestamptz)
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR (s.first_seen_at, s.store_id, s.session_id) > (sqlc.narg('newer_time')::timestamptz, sqlc.narg('newer_store_id')::bigint, sqlc.narg('newer_session_id')::text))
ORDER BY CASE WHEN @ascending::boolean THEN s.first_seen_at END, CASE WHEN @ascending::boolean THEN s.store_id END,
    CASE WHEN @ascending::boolean THEN s.session_id END, s.first_seen_at DESC, s.store_id DESC, s.session_id DESC
LIMIT sqlc.narg('row_limit')::bigint;

-- ListSessionsByFacet merges the newest sessions of some stores and values, as
-- ListEventsByFacet does for events.
-- name: ListSessionsByFacet :many
SELECT s.*, ARRAY(SELECT f.flag FROM session_flags f WHERE f.store_id = s.store_id AND f.session_id = s.session_id ORDER BY f.flag)::text[] AS flags
FROM (
    SELECT m.store_id, m.first_seen_at, m.session_id, bool_or(m.cut) OVER (
        ORDER BY CASE WHEN @ascending::boolean THEN m.first_seen_at END, CASE WHEN @ascending::boolean THEN m.store_id END,
            CASE WHEN @ascending::boolean THEN m.session_id END, m.first_seen_at DESC, m.store_id DESC, m.session_id DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS behind_cut
    FROM (
        SELECT k.store_id, k.first_seen_at, k.session_id, bool_or(k.nth = @rows_each::bigint) AS cut
        FROM (SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@facet_values::text[]) AS value) t
        CROSS JOIN LATERAL (
            SELECT l.store_id, l.first_seen_at, l.session_id, row_number() OVER () AS nth
            FROM (
                SELECT i.store_id, i.first_seen_at, i.session_id
                FROM session_facets i
                WHERE i.store_id = t.store_id AND i.facet = @facet::text AND i.value = t.value
                    AND (sqlc.narg('from_time')::timestamptz IS NULL OR i.first_seen_at >= sqlc.narg('from_time')::timestamptz)
                    AND (sqlc.narg('to_time')::timestamptz IS NULL OR i.first_seen_at < sqlc.narg('to_time')::timestamptz)
                    AND (sqlc.narg('after_time')::timestamptz IS NULL OR i.first_seen_at <= sqlc.narg('after_time')::timestamptz)
                    AND (sqlc.narg('after_time')::timestamptz IS NULL OR (i.first_seen_at, i.store_id, i.session_id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_store_id')::bigint, sqlc.narg('after_session_id')::text))
                    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR i.first_seen_at >= sqlc.narg('newer_time')::timestamptz)
                    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR (i.first_seen_at, i.store_id, i.session_id) > (sqlc.narg('newer_time')::timestamptz, sqlc.narg('newer_store_id')::bigint, sqlc.narg('newer_session_id')::text))
                ORDER BY CASE WHEN @ascending::boolean THEN i.first_seen_at END, CASE WHEN @ascending::boolean THEN i.session_id END,
                    i.first_seen_at DESC, i.session_id DESC
                LIMIT @rows_each::bigint
            ) l
        ) k
        GROUP BY k.store_id, k.first_seen_at, k.session_id
    ) m
    ORDER BY CASE WHEN @ascending::boolean THEN m.first_seen_at END, CASE WHEN @ascending::boolean THEN m.store_id END,
        CASE WHEN @ascending::boolean THEN m.session_id END, m.first_seen_at DESC, m.store_id DESC, m.session_id DESC
    LIMIT sqlc.narg('row_limit')::bigint
) page
JOIN sessions s ON page.behind_cut IS NOT TRUE AND s.store_id = page.store_id AND s.session_id = page.session_id
ORDER BY CASE WHEN @ascending::boolean THEN s.first_seen_at END, CASE WHEN @ascending::boolean THEN s.store_id END,
    CASE WHEN @ascending::boolean THEN s.session_id END, s.first_seen_at DESC, s.store_id DESC, s.session_id DESC;

-- SessionTimeAt gives the time of the session that lies so many rows into the list.
-- name: SessionTimeAt :many
SELECT s.first_seen_at
FROM sessions s
WHERE (sqlc.narg('from_time')::timestamptz IS NULL OR s.first_seen_at >= sqlc.narg('from_time')::timestamptz)
    AND (sqlc.narg('to_time')::timestamptz IS NULL OR s.first_seen_at < sqlc.narg('to_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR s.first_seen_at <= sqlc.narg('after_time')::timestamptz)
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR s.first_seen_at >= sqlc.narg('newer_time')::timestamptz)
ORDER BY CASE WHEN @ascending::boolean THEN s.first_seen_at END, s.first_seen_at DESC
OFFSET @rows_before::bigint
LIMIT 1;

-- name: ListStores :many
SELECT * FROM stores
WHERE (sqlc.narg('store_ids')::bigint[] IS NULL OR store_id = ANY (sqlc.narg('store_ids')::bigint[]))
    AND (sqlc.narg('after_store_id')::bigint IS NULL OR store_id > sqlc.narg('after_store_id')::bigint)
ORDER BY store_id
LIMIT sqlc.narg('row_limit')::bigint;

-- StoresKnowing gives the stores that were ever seen with a value of a facet: those
-- that a list of events by it merges.
-- name: StoresKnowing :many
SELECT k.store_id, k.value, k.first_seen_at, k.last_seen_at
FROM store_facets k
WHERE k.facet = @facet::text AND k.value = ANY (@facet_values::text[])
    AND (sqlc.narg('store_ids')::bigint[] IS NULL OR k.store_id = ANY (sqlc.narg('store_ids')::bigint[]));

-- name: StoresOfWebhooks :many
SELECT store_id, webhook FROM store_webhooks
WHERE webhook = ANY (@webhooks::text[]) AND (sqlc.narg('store_ids')::bigint[] IS NULL OR store_id = ANY (sqlc.narg('store_ids')::bigint[]));

-- name: AllStoreIDs :many
SELECT store_id FROM stores ORDER BY store_id;

-- name: StoreIDsOfExternalIDs :many
SELECT DISTINCT store_id FROM store_external_ids WHERE external_id = ANY (@external_ids::text[]);

-- name: SetTimeZone :one
UPDATE stores SET time_zone = sqlc.narg('time_zone')::text WHERE store_id = @store_id RETURNING *;
