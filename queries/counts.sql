-- UpsertEventCounts adds to the counts. Its rows come in the order of their keys.
-- name: UpsertEventCounts :exec
INSERT INTO event_counts AS t (store_id, kind, bucket, events)
SELECT unnest(@store_id::bigint[]), unnest(@kind::text[]), unnest(@bucket::timestamptz[]), unnest(@events::bigint[])
ON CONFLICT (store_id, kind, bucket) DO UPDATE SET events = t.events + excluded.events;

-- CountEvents sums events by store and by what is asked, on each store's own clock.
-- Whole quarters of an hour come from event_counts: those from first_bucket to
-- end_bucket and, if given, from when the store's clock shows clock_from to clock_to.
-- Parts of a quarter, from from_time to first_bucket and from end_bucket to to_time,
-- are counted. All are events without a disposition, until one that has it is taken
-- from them.
-- The kinds are spelled out so that each is a range of the primary key.
-- name: CountEvents :many
SELECT g.store_id, coalesce(g.day::text, '')::text AS day, coalesce(g.weekday, 0)::integer AS weekday, coalesce(g.hour, 0)::integer AS hour,
    coalesce(g.disposition, '')::text AS disposition,
    coalesce(sum(g.events) FILTER (WHERE g.kind = 'alcohol_interaction'), 0)::bigint AS alcohol_interactions,
    coalesce(sum(g.events) FILTER (WHERE g.kind = 'fraud_alert'), 0)::bigint AS fraud_alerts,
    coalesce(sum(g.events) FILTER (WHERE g.kind = 'registration'), 0)::bigint AS registrations,
    coalesce(sum(g.events) FILTER (WHERE g.kind = 'other'), 0)::bigint AS other
FROM (
    SELECT l.store_id, l.kind, l.events, CASE WHEN @by_disposition::boolean THEN l.disposition END AS disposition,
        CASE WHEN @by_day::boolean THEN l.clock::date END AS day,
        CASE WHEN @by_weekday::boolean THEN extract(isodow FROM l.clock)::integer END AS weekday,
        CASE WHEN @by_hour::boolean THEN extract(hour FROM l.clock)::integer END AS hour
    FROM (
        SELECT c.store_id, c.kind, c.events, 'none'::text AS disposition, c.bucket AT TIME ZONE coalesce(s.time_zone, @time_zone::text) AS clock
        FROM stores s
        CROSS JOIN (VALUES ('alcohol_interaction'), ('fraud_alert'), ('registration'), ('other')) k (kind)
        JOIN event_counts c ON c.store_id = s.store_id AND c.kind = k.kind
        WHERE (sqlc.narg('store_ids')::bigint[] IS NULL OR s.store_id = ANY (sqlc.narg('store_ids')::bigint[]))
            AND c.bucket >= @first_bucket::timestamptz AND c.bucket < @end_bucket::timestamptz
            AND (sqlc.narg('clock_from')::text IS NULL OR c.bucket >= timezone(coalesce(s.time_zone, @time_zone::text), sqlc.narg('clock_from')::text::timestamp))
            AND (sqlc.narg('clock_to')::text IS NULL OR c.bucket < timezone(coalesce(s.time_zone, @time_zone::text), sqlc.narg('clock_to')::text::timestamp))
        UNION ALL
        SELECT e.store_id, e.kind, 1, 'none', e.occurred_at AT TIME ZONE coalesce(s.time_zone, @time_zone::text)
        FROM stores s
        CROSS JOIN (VALUES ('alcohol_interaction'), ('fraud_alert'), ('registration'), ('other')) k (kind)
        JOIN events e ON e.store_id = s.store_id AND e.kind = k.kind
        WHERE (sqlc.narg('store_ids')::bigint[] IS NULL OR s.store_id = ANY (sqlc.narg('store_ids')::bigint[]))
            AND e.occurred_at >= @from_time::timestamptz AND e.occurred_at < @first_bucket::timestamptz
        UNION ALL
        SELECT e.store_id, e.kind, 1, 'none', e.occurred_at AT TIME ZONE coalesce(s.time_zone, @time_zone::text)
        FROM stores s
        CROSS JOIN (VALUES ('alcohol_interaction'), ('fraud_alert'), ('registration'), ('other')) k (kind)
        JOIN events e ON e.store_id = s.store_id AND e.kind = k.kind
        WHERE (sqlc.narg('store_ids')::bigint[] IS NULL OR s.store_id = ANY (sqlc.narg('store_ids')::bigint[]))
            AND e.occurred_at >= @end_bucket::timestamptz AND e.occurred_at < @to_time::timestamptz
        UNION ALL
        SELECT r.store_id, r.kind, v.events, v.disposition, r.occurred_at AT TIME ZONE coalesce(s.time_zone, @time_zone::text)
        FROM stores s
        CROSS JOIN (VALUES ('alcohol_interaction'), ('fraud_alert'), ('registration')) k (kind)
        JOIN event_reviews r ON r.store_id = s.store_id AND r.kind = k.kind AND r.disposition IS NOT NULL
        CROSS JOIN LATERAL (VALUES (r.disposition, 1), ('none', -1)) v (disposition, events)
        WHERE @by_disposition::boolean
            AND (sqlc.narg('store_ids')::bigint[] IS NULL OR s.store_id = ANY (sqlc.narg('store_ids')::bigint[]))
            AND r.occurred_at >= @from_time::timestamptz AND r.occurred_at < @to_time::timestamptz
            AND (sqlc.narg('clock_from')::text IS NULL OR r.occurred_at >= timezone(coalesce(s.time_zone, @time_zone::text), sqlc.narg('clock_from')::text::timestamp))
            AND (sqlc.narg('clock_to')::text IS NULL OR r.occurred_at < timezone(coalesce(s.time_zone, @time_zone::text), sqlc.narg('clock_to')::text::timestamp))
    ) l
) g
GROUP BY g.store_id, g.day, g.weekday, g.hour, g.disposition
HAVING sum(g.events) > 0
ORDER BY g.day DESC, g.store_id, g.weekday, g.hour, g.disposition;
