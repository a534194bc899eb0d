-- Lists of events, newest first. A null row_limit means all of them: the pages and
-- the exports are the same statements. A null filter means any. after_… is a position
-- that the rows are older than, newer_… one that they are newer than. The read pool
-- plans for the very parameters, so that the order is that of an index either way:
-- a CASE that is null for all rows is no sort key. Events without a
-- disposition are asked for as 'none', and unmarked then says so: the planner would
-- take IS NULL behind an outer join for rare, and sort them all.

-- ListEvents walks events in time, or those of some sessions or customers. One store is
-- said as such: of = ANY the planner does not know that the index of its events is in the
-- order of time.
-- name: ListEvents :many
SELECT e.store_id, e.kind, e.occurred_at, e.id, e.occurred_at_known, e.delivery_id, e.received_at, e.issued_at, e.webhook, e.event_id, e.session_id,
    e.customer_id, e.shopper_id, e.store_external_id, e.flags, e.product_ids, e.gondola_ids, e.payment_provider,
    e.token_type, e.check_in_device_id, e.unreadable,
    p.email, p.first_name, p.last_name, p.phone, p.phone_number,
    r.disposition, r.disposition_at, r.disposition_by, coalesce(r.notes, 0)::bigint AS notes
FROM events e
LEFT JOIN event_personal_info p ON @kind::text = 'registration' AND p.store_id = e.store_id AND p.kind = e.kind
    AND p.occurred_at = e.occurred_at AND p.event_id = e.id
LEFT JOIN event_reviews r ON r.store_id = e.store_id AND r.kind = e.kind AND r.occurred_at = e.occurred_at AND r.event_id = e.id
WHERE e.kind = @kind::text
    AND (sqlc.narg('store_ids')::bigint[] IS NULL OR CASE cardinality(sqlc.narg('store_ids')::bigint[]) WHEN 1 THEN e.store_id = (sqlc.narg('store_ids')::bigint[])[1] ELSE e.store_id = ANY (sqlc.narg('store_ids')::bigint[]) END)
    AND (sqlc.narg('store_external_ids')::text[] IS NULL OR e.store_id <> 0 OR e.store_external_id = ANY (sqlc.narg('store_external_ids')::text[]))
    AND (sqlc.narg('session_ids')::text[] IS NULL OR (e.session_id = ANY (sqlc.narg('session_ids')::text[])
        AND hashtextextended(e.session_id, 0) = ANY (text_hashes(sqlc.narg('session_ids')::text[]))))
    AND (sqlc.narg('customer_ids')::text[] IS NULL OR (e.customer_id = ANY (sqlc.narg('customer_ids')::text[])
        AND hashtextextended(e.customer_id, 0) = ANY (text_hashes(sqlc.narg('customer_ids')::text[]))))
    AND (sqlc.narg('product_ids')::text[] IS NULL OR e.product_ids && sqlc.narg('product_ids')::text[])
    AND (sqlc.narg('gondola_ids')::text[] IS NULL OR e.gondola_ids && sqlc.narg('gondola_ids')::text[])
    AND (sqlc.narg('flags')::text[] IS NULL OR e.flags && sqlc.narg('flags')::text[])
    AND (sqlc.narg('dispositions')::text[] IS NULL OR (NOT @unmarked::boolean AND r.disposition = ANY (sqlc.narg('dispositions')::text[]))
        OR (@unmarked::boolean AND coalesce(r.disposition, 'none') = ANY (sqlc.narg('dispositions')::text[])))
    AND (sqlc.narg('from_time')::timestamptz IS NULL OR e.occurred_at >= sqlc.narg('from_time')::timestamptz)
    AND (sqlc.narg('to_time')::timestamptz IS NULL OR e.occurred_at < sqlc.narg('to_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR e.occurred_at <= sqlc.narg('after_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR (e.occurred_at, e.id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::uuid))
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR e.occurred_at >= sqlc.narg('newer_time')::timestamptz)
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR (e.occurred_at, e.id) > (sqlc.narg('newer_time')::timestamptz, sqlc.narg('newer_id')::uuid))
ORDER BY CASE WHEN @ascending::boolean THEN e.occurred_at END, CASE WHEN @ascending::boolean THEN e.id END, e.occurred_at DESC, e.id DESC
LIMIT sqlc.narg('row_limit')::bigint;

-- ListEventsByFacet merges the newest events of some stores and values: the first of
-- each, as many as rows_each. Where that cuts one of them off, its rows that follow are
-- not known, and the list ends there: unless there are fewer rows than rows_each, there
-- may be more. So the cost is that of a page and a few rows of each store and value,
-- however large the table.
--
-- What else is asked is looked up event by event, in the indexes of its facets: OFFSET 0
-- keeps the planner from joining all of them instead, whose number it cannot guess. No
-- facet comes before products, which therefore are not looked up. The bounds of time are
-- told of each table, so that the planner sees no other partitions.
-- name: ListEventsByFacet :many
SELECT e.store_id, e.kind, e.occurred_at, e.id, e.occurred_at_known, e.delivery_id, e.received_at, e.issued_at, e.webhook, e.event_id, e.session_id,
    e.customer_id, e.shopper_id, e.store_external_id, e.flags, e.product_ids, e.gondola_ids, e.payment_provider,
    e.token_type, e.check_in_device_id, e.unreadable,
    p.email, p.first_name, p.last_name, p.phone, p.phone_number,
    r.disposition, r.disposition_at, r.disposition_by, coalesce(r.notes, 0)::bigint AS notes
FROM (
    SELECT m.store_id, m.occurred_at, m.event_id, bool_or(m.cut) OVER (
        ORDER BY CASE WHEN @ascending::boolean THEN m.occurred_at END, CASE WHEN @ascending::boolean THEN m.event_id END, m.occurred_at DESC, m.event_id DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS behind_cut
    FROM (
        SELECT k.store_id, k.occurred_at, k.event_id, bool_or(k.nth = @rows_each::bigint) AS cut
        FROM (SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@facet_values::text[]) AS value) s
        CROSS JOIN LATERAL (
            SELECT l.store_id, l.occurred_at, l.event_id, row_number() OVER () AS nth
            FROM (
                SELECT i.store_id, i.occurred_at, i.event_id
                FROM event_facets i
                WHERE i.store_id = s.store_id AND i.facet = @facet::text AND i.value = s.value AND i.kind = @kind::text
                    AND (sqlc.narg('from_time')::timestamptz IS NULL OR i.occurred_at >= sqlc.narg('from_time')::timestamptz)
                    AND (sqlc.narg('to_time')::timestamptz IS NULL OR i.occurred_at < sqlc.narg('to_time')::timestamptz)
                    AND (sqlc.narg('after_time')::timestamptz IS NULL OR i.occurred_at <= sqlc.narg('after_time')::timestamptz)
                    AND (sqlc.narg('after_time')::timestamptz IS NULL OR (i.occurred_at, i.event_id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::uuid))
                    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR i.occurred_at >= sqlc.narg('newer_time')::timestamptz)
                    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR (i.occurred_at, i.event_id) > (sqlc.narg('newer_time')::timestamptz, sqlc.narg('newer_id')::uuid))
                    AND (sqlc.narg('gondola_ids')::text[] IS NULL OR EXISTS (
                        SELECT FROM event_gondolas g
                        WHERE g.store_id = i.store_id AND g.gondola_id = ANY (sqlc.narg('gondola_ids')::text[]) AND g.kind = i.kind AND g.occurred_at = i.occurred_at AND g.event_id = i.event_id
                            AND (sqlc.narg('from_time')::timestamptz IS NULL OR g.occurred_at >= sqlc.narg('from_time')::timestamptz)
                            AND (sqlc.narg('to_time')::timestamptz IS NULL OR g.occurred_at < sqlc.narg('to_time')::timestamptz)
                        OFFSET 0))
                    AND (sqlc.narg('flags')::text[] IS NULL OR EXISTS (
                        SELECT FROM event_flags f
                        WHERE f.store_id = i.store_id AND f.flag = ANY (sqlc.narg('flags')::text[]) AND f.kind = i.kind AND f.occurred_at = i.occurred_at AND f.event_id = i.event_id
                            AND (sqlc.narg('from_time')::timestamptz IS NULL OR f.occurred_at >= sqlc.narg('from_time')::timestamptz)
                            AND (sqlc.narg('to_time')::timestamptz IS NULL OR f.occurred_at < sqlc.narg('to_time')::timestamptz)
                        OFFSET 0))
                    AND (sqlc.narg('dispositions')::text[] IS NULL OR coalesce((
                        SELECT v.disposition FROM event_reviews v
                        WHERE v.store_id = i.store_id AND v.kind = i.kind AND v.occurred_at = i.occurred_at AND v.event_id = i.event_id), 'none') = ANY (sqlc.narg('dispositions')::text[]))
                    AND (sqlc.narg('store_external_ids')::text[] IS NULL OR i.store_id <> 0 OR EXISTS (
                        SELECT FROM events n
                        WHERE n.store_id = i.store_id AND n.kind = i.kind AND n.occurred_at = i.occurred_at AND n.id = i.event_id AND n.store_external_id = ANY (sqlc.narg('store_external_ids')::text[])
                            AND (sqlc.narg('from_time')::timestamptz IS NULL OR n.occurred_at >= sqlc.narg('from_time')::timestamptz)
                            AND (sqlc.narg('to_time')::timestamptz IS NULL OR n.occurred_at < sqlc.narg('to_time')::timestamptz)
                        OFFSET 0))
                ORDER BY CASE WHEN @ascending::boolean THEN i.occurred_at END, CASE WHEN @ascending::boolean THEN i.event_id END, i.occurred_at DESC, i.event_id DESC
                LIMIT @rows_each::bigint
            ) l
        ) k
        GROUP BY k.store_id, k.occurred_at, k.event_id
    ) m
    ORDER BY CASE WHEN @ascending::boolean THEN m.occurred_at END, CASE WHEN @ascending::boolean THEN m.event_id END, m.occurred_at DESC, m.event_id DESC
    LIMIT sqlc.narg('row_limit')::bigint
) page
JOIN events e ON page.behind_cut IS NOT TRUE AND e.store_id = page.store_id AND e.kind = @kind::text AND e.occurred_at = page.occurred_at AND e.id = page.event_id
    AND (sqlc.narg('from_time')::timestamptz IS NULL OR e.occurred_at >= sqlc.narg('from_time')::timestamptz) -- of no other partition
    AND (sqlc.narg('to_time')::timestamptz IS NULL OR e.occurred_at < sqlc.narg('to_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR e.occurred_at <= sqlc.narg('after_time')::timestamptz)
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR e.occurred_at >= sqlc.narg('newer_time')::timestamptz)
LEFT JOIN event_personal_info p ON @kind::text = 'registration' AND p.store_id = e.store_id AND p.kind = e.kind
    AND p.occurred_at = e.occurred_at AND p.event_id = e.id
LEFT JOIN event_reviews r ON r.store_id = e.store_id AND r.kind = e.kind AND r.occurred_at = e.occurred_at AND r.event_id = e.id
ORDER BY CASE WHEN @ascending::boolean THEN e.occurred_at END, CASE WHEN @ascending::boolean THEN e.id END, e.occurred_at DESC, e.id DESC;

-- EventTimeAt gives the time of the event that lies so many rows into the list.
-- name: EventTimeAt :many
SELECT e.occurred_at
FROM events e
WHERE e.kind = @kind::text
    AND (sqlc.narg('from_time')::timestamptz IS NULL OR e.occurred_at >= sqlc.narg('from_time')::timestamptz)
    AND (sqlc.narg('to_time')::timestamptz IS NULL OR e.occurred_at < sqlc.narg('to_time')::timestamptz)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR e.occurred_at <= sqlc.narg('after_time')::timestamptz)
    AND (sqlc.narg('newer_time')::timestamptz IS NULL OR e.occurred_at >= sqlc.narg('newer_time')::timestamptz)
ORDER BY CASE WHEN @ascending::boolean THEN e.occurred_at END, CASE WHEN @ascending::boolean THEN e.id END, e.occurred_at DESC, e.id DESC
OFFSET @rows_before::bigint
LIMIT 1;

-- SessionTimeline gives what is known of a session in the order in which it happened.
-- name: SessionTimeline :many
SELECT e.store_id, e.kind, e.occurred_at, e.id, e.occurred_at_known, e.delivery_id, e.received_at, e.issued_at, e.webhook, e.event_id, e.session_id,
    e.customer_id, e.shopper_id, e.store_external_id, e.flags, e.product_ids, e.gondola_ids, e.payment_provider,
    e.token_type, e.check_in_device_id, e.unreadable,
    p.email, p.first_name, p.last_name, p.phone, p.phone_number,
    r.disposition, r.disposition_at, r.disposition_by, coalesce(r.notes, 0)::bigint AS notes
FROM events e
LEFT JOIN event_personal_info p ON p.store_id = e.store_id AND p.kind = e.kind
    AND p.occurred_at = e.occurred_at AND p.event_id = e.id
LEFT JOIN event_reviews r ON r.store_id = e.store_id AND r.kind = e.kind AND r.occurred_at = e.occurred_at AND r.event_id = e.id
WHERE e.store_id = @store_id AND e.session_id = @session_id::text AND hashtextextended(e.session_id, 0) = hashtextextended(@session_id::text, 0)
    AND (sqlc.narg('after_time')::timestamptz IS NULL OR (e.occurred_at, e.id) > (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY e.occurred_at, e.id
LIMIT @row_limit;
