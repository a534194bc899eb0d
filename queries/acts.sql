-- What staff write, as the log knows it: see the view acts. A time that never ends, which
-- this program never writes, is read as the first of years; the facts have it as it is.

-- name: Acts :many
SELECT a.id::uuid AS id, coalesce(CASE WHEN isfinite(a.at) THEN a.at END, '0001-01-01T00:00:00Z')::timestamptz AS at,
    coalesce(a.delivery_id, '00000000-0000-0000-0000-000000000000')::uuid AS delivery_id, a.facts::jsonb AS facts
FROM acts a
WHERE a.kind = @kind::text AND a.id = ANY (@ids::uuid[]);

-- InsertActs writes what the leaves of some acts were made of, and queues these.
-- name: InsertActs :exec
WITH act AS (
    INSERT INTO log_acts (kind, id, at, delivery_id, adopted, commitment, secret)
    SELECT @kind::text, unnest(@ids::uuid[]), unnest(@ats::timestamptz[]), unnest(@delivery_ids::uuid[]), @adopted::boolean,
        unnest(@commitments::bytea[]), unnest(@secrets::bytea[])
    RETURNING id
)
INSERT INTO log_queue (leaves) SELECT @leaves::bytea[] WHERE (SELECT count(*) FROM act) > 0;

-- LoggedActs gives what the leaves of some acts were made of, and what their erasure left.
-- name: LoggedActs :many
SELECT l.id, coalesce(CASE WHEN isfinite(l.at) THEN l.at END, '0001-01-01T00:00:00Z')::timestamptz AS at, l.delivery_id, l.adopted, l.commitment, l.secret,
    coalesce(CASE WHEN isfinite(x.erased_at) THEN x.erased_at END, '0001-01-01T00:00:00Z')::timestamptz AS erased_at, x.commitment AS erased_commitment, x.secret AS erasure_secret, x.request_id
FROM log_acts l
LEFT JOIN log_act_erasures x ON x.kind = l.kind AND x.id = l.id
WHERE l.kind = @kind::text AND l.id = ANY (@ids::uuid[]);

-- UnloggedActs are acts that have no leaf.
-- name: UnloggedActs :many
SELECT a.id::uuid AS id FROM acts a
WHERE a.kind = @kind::text AND NOT EXISTS (SELECT 1 FROM log_acts l WHERE l.kind = @kind::text AND l.id = a.id)
LIMIT @row_limit;

-- ActTimes are when acts of a kind were done, and the times of their leaves, in the order of
-- their ids.
-- name: ActTimes :many
SELECT a.id::uuid AS id, coalesce(CASE WHEN isfinite(a.at) THEN a.at END, '0001-01-01T00:00:00Z')::timestamptz AS at,
    coalesce(CASE WHEN isfinite(l.at) THEN l.at END, '0001-01-01T00:00:00Z')::timestamptz AS leaf_at
FROM acts a
LEFT JOIN log_acts l ON l.kind = @kind::text AND l.id = a.id
WHERE a.kind = @kind::text AND a.id > @after_id::uuid
ORDER BY a.id
LIMIT @row_limit;

-- name: AllActs :many
SELECT kind::text AS kind, id::uuid AS id FROM acts;

-- ActTiles are the lowest tiles before a leaf that have leaves of acts.
-- name: ActTiles :many
SELECT DISTINCT (first_index / 256)::bigint AS n FROM log_leaves WHERE has_acts(ids) AND first_index < @before_index::bigint ORDER BY n;

-- WrongReviews are events of which the review is not what their notes come to.
-- name: WrongReviews :many
SELECT coalesce(n.event_id, r.event_id)::uuid AS event_id, (r.event_id IS NULL)::boolean AS missing
FROM (
    SELECT e.store_id, e.kind, e.occurred_at, e.event_id, count(*) AS notes, max(e.at) AS last_note_at,
        (array_agg(e.disposition ORDER BY e.at DESC, e.id DESC) FILTER (WHERE e.disposition IS NOT NULL))[1] AS disposition,
        (array_agg(e.at ORDER BY e.at DESC, e.id DESC) FILTER (WHERE e.disposition IS NOT NULL))[1] AS disposition_at,
        (array_agg(e.token_name ORDER BY e.at DESC, e.id DESC) FILTER (WHERE e.disposition IS NOT NULL))[1] AS disposition_by
    FROM event_notes e
    GROUP BY e.store_id, e.kind, e.occurred_at, e.event_id
) n
FULL JOIN event_reviews r ON r.store_id = n.store_id AND r.kind = n.kind AND r.occurred_at = n.occurred_at AND r.event_id = n.event_id
WHERE (n.notes, n.last_note_at, n.disposition, n.disposition_at, n.disposition_by)
    IS DISTINCT FROM (r.notes, r.last_note_at, r.disposition, r.disposition_at, r.disposition_by)
ORDER BY 1;

-- InsertActErasures writes what the erasure of some acts leaves, and queues their leaves.
-- name: InsertActErasures :exec
WITH erasure AS (
    INSERT INTO log_act_erasures (kind, id, erased_at, commitment, secret, request_id)
    SELECT @kind::text, unnest(@ids::uuid[]), @erased_at::timestamptz, unnest(@commitments::bytea[]), unnest(@secrets::bytea[]), @request_id::uuid
    RETURNING id
)
INSERT INTO log_queue (leaves) SELECT @leaves::bytea[] WHERE (SELECT count(*) FROM erasure) > 0;

-- name: EraseActs :exec
SELECT erase_act(@kind::text, a.id) FROM (SELECT unnest(@ids::uuid[]) AS id) a;

-- CommentedNotes are notes of some events that have a comment.
-- name: CommentedNotes :many
SELECT n.id
FROM (SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@kinds::text[]) AS kind, unnest(@times::timestamptz[]) AS occurred_at, unnest(@ids::uuid[]) AS id) e
JOIN event_notes n ON n.event_id = e.id AND n.store_id = e.store_id AND n.kind = e.kind AND n.occurred_at = e.occurred_at
WHERE n.comment IS NOT NULL AND n.comment <> '[erased]';

-- LiftedHoldsOn are holds on a customer that are lifted.
-- name: LiftedHoldsOn :many
SELECT h.id FROM legal_holds h WHERE h.customer_id = @customer_id::text AND EXISTS (SELECT 1 FROM hold_lifts l WHERE l.hold_id = h.id);

-- name: LockInTransaction :exec
SELECT pg_advisory_xact_lock(@key::bigint);

-- OpenSubjects are whom open requests for erasure are about, and what they committed to.
-- name: OpenSubjects :many
SELECT u.request_id, u.customer_id, u.identifiers, u.secret, coalesce(r.subject, ''::bytea)::bytea AS subject
FROM erasure_subjects u
LEFT JOIN erasure_requests r ON r.id = u.request_id;
