-- EventsOfDeliveries gives each delivery found, and the event that it states, if any:
-- when it was received, or since it was replayed from quarantine.
-- name: EventsOfDeliveries :many
SELECT d.store_id AS delivery_store_id, e.store_id, e.kind, e.occurred_at, e.id, e.session_id
FROM deliveries d
LEFT JOIN quarantine q ON q.store_id = d.store_id AND q.received_at = d.received_at AND q.delivery_id = d.id
LEFT JOIN events e ON e.store_id = coalesce(q.event_store_id, d.store_id) AND e.kind = coalesce(q.event_kind, d.event_kind)
    AND e.occurred_at = coalesce(q.event_occurred_at, d.event_occurred_at) AND e.id = coalesce(q.event_id, d.event_id)
WHERE d.received_at = ANY (@received_at::timestamptz[]) AND d.id = ANY (@id::uuid[]);

-- ReviewEvent adds a note to what the notes of an event come to, and returns the
-- note's time. Whoever has the lock of the row comes later than those before, also
-- where clocks differ.
-- name: ReviewEvent :one
INSERT INTO event_reviews AS t (store_id, kind, occurred_at, event_id, disposition, disposition_at, disposition_by, notes, last_note_at)
VALUES (@store_id, @kind, @occurred_at, @event_id, sqlc.narg('disposition')::text,
    CASE WHEN sqlc.narg('disposition')::text IS NOT NULL THEN @at::timestamptz END,
    CASE WHEN sqlc.narg('disposition')::text IS NOT NULL THEN @token_name::text END, 1, @at::timestamptz)
ON CONFLICT (store_id, kind, occurred_at, event_id) DO UPDATE SET
    notes = t.notes + 1,
    last_note_at = greatest(excluded.last_note_at, t.last_note_at + interval '1 microsecond'),
    disposition = coalesce(excluded.disposition, t.disposition),
    disposition_at = CASE WHEN excluded.disposition IS NULL THEN t.disposition_at
        ELSE greatest(excluded.last_note_at, t.last_note_at + interval '1 microsecond') END,
    disposition_by = CASE WHEN excluded.disposition IS NULL THEN t.disposition_by ELSE excluded.disposition_by END
RETURNING last_note_at;

-- name: InsertNote :exec
INSERT INTO event_notes (store_id, at, id, kind, occurred_at, event_id, delivery_id, token_id, token_name, disposition, comment)
VALUES (@store_id, @at, @id, @kind, @occurred_at, @event_id, @delivery_id, @token_id, @token_name, sqlc.narg('disposition'), sqlc.narg('comment'));

-- ListNotes is ordered newest first. Events whose time of origin is not known share an id:
-- event_times tell them apart.
-- name: ListNotes :many
SELECT n.store_id, n.at, n.id, n.kind, n.occurred_at, n.event_id, n.delivery_id, n.token_id, n.token_name, n.disposition, n.comment, e.session_id
FROM event_notes n
LEFT JOIN events e ON e.store_id = n.store_id AND e.kind = n.kind AND e.occurred_at = n.occurred_at AND e.id = n.event_id
WHERE (sqlc.narg('store_ids')::bigint[] IS NULL OR n.store_id = ANY (sqlc.narg('store_ids')::bigint[]))
    AND (sqlc.narg('store_external_ids')::text[] IS NULL OR n.store_id <> 0 OR e.store_external_id = ANY (sqlc.narg('store_external_ids')::text[]))
    AND (sqlc.narg('event_ids')::uuid[] IS NULL OR n.event_id = ANY (sqlc.narg('event_ids')::uuid[]))
    AND (sqlc.narg('event_times')::timestamptz[] IS NULL OR n.occurred_at = ANY (sqlc.narg('event_times')::timestamptz[]))
    AND (sqlc.narg('kinds')::text[] IS NULL OR n.kind = ANY (sqlc.narg('kinds')::text[]))
    AND (sqlc.narg('dispositions')::text[] IS NULL OR coalesce(n.disposition, 'none') = ANY (sqlc.narg('dispositions')::text[]))
    AND (sqlc.narg('from_time')::timestamptz IS NULL OR n.at >= sqlc.narg('from_time')::timestamptz)
    AND (sqlc.narg('to_time')::timestamptz IS NULL OR n.at < sqlc.narg('to_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR (n.at, n.id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY n.at DESC, n.id DESC
LIMIT sqlc.narg('row_limit')::bigint;
