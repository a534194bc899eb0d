-- UpsertEventCounts adds to the counts. Its rows come in the order of their keys.
-- name: UpsertEventCounts :exec
INSERT INTO event_counts AS t (store_id, kind, bucket, events)
SELECT unnest(@store_id::bigint[]), unnest(@kind::text[]), unnest(@bucket::timestamptz[]), unnest(@events::bigint[])
ON CONFLICT (store_id, kind, bucket) DO UPDATE SET events = t.events + excluded.events;

-- CountEvents sums events by store and by what is asked, on each store's own clock.
-- Whole quarters of an hour come from event_counts: those from first_bucket to
-- end_bucket and, if given, from when the store's clock shows clock_from to clock_to.
-- Parts of a quarter at the ends of the period, the edges, are counted.
-- The kinds are spelled out so that each is a range of the primary key.
-- name: CountEvents :many
SELECT g.store_id, coalesce(g.day::text, '')::text AS day, coalesce(g.weekday, 0)::integer AS weekday, coalesce(g.hour, 0)::integer AS hour,
    coalesce(sum(g.events) FILTER (WHERE g.kind = 'alcohol_interaction'), 0)::bigint AS alcohol_interactions,
    coalesce(sum(g.events) FILTER (WHERE g.kind = 'fraud_alert'), 0)::bigint AS fraud_alerts,
    coalesce(sum(g.events) FILTER (WHERE g.kind = 'registration'), 0)::bigint AS registrations,
    coalesce(sum(g.events) FILTER (WHERE g.kind = 'other'), 0)::bigint AS other
FROM (
    SELECT l.store_id, l.kind, l.events,
        CASE WHEN @by_day::boolean THEN l.clock::date END AS day,
        CASE WHEN @by_weekday::boolean THEN extract(isodow FROM l.clock)::integer END AS weekday,
        CASE WHEN @by_hour::boolean THEN extract(hour FROM l.clock)::integer END AS hour
    FROM (
        SELECT c.store_id, c.kind, c.events, c.bucket AT TIME ZONE coalesce(s.time_zone, @time_zone::text) AS clock
        FROM stores s
        CROSS JOIN (VALUES ('alcohol_interaction'), ('fraud_alert'), ('registration'), ('other')) k (kind)
        JOIN event_counts c ON c.store_id = s.store_id AND c.kind = k.kind
        WHERE (sqlc.narg('store_ids')::bigint[] IS NULL OR s.store_id = ANY (sqlc.narg('store_ids')::bigint[]))
            AND c.bucket >= @first_bucket::timestamptz AND c.bucket < @end_bucket::timestamptz
            AND (sqlc.narg('clock_from')::text IS NULL OR c.bucket >= timezone(coalesce(s.time_zone, @time_zone::text), sqlc.narg('clock_from')::text::timestamp))
            AND (sqlc.narg('clock_to')::text IS NULL OR c.bucket < timezone(coalesce(s.time_zone, @time_zone::text), sqlc.narg('clock_to')::text::timestamp))
        UNION ALL
        SELECT e.store_id, e.kind, 1, e.occurred_at AT TIME ZONE coalesce(s.time_zone, @time_zone::text)
        FROM (SELECT unnest(@edge_from::timestamptz[]) AS edge_from, unnest(@edge_to::timestamptz[]) AS edge_to) x
        CROSS JOIN stores s
        CROSS JOIN (VALUES ('alcohol_interaction'), ('fraud_alert'), ('registration'), ('other')) k (kind)
        JOIN events e ON e.store_id = s.store_id AND e.kind = k.kind AND e.occurred_at >= x.edge_from AND e.occurred_at < x.edge_to
        WHERE (sqlc.narg('store_ids')::bigint[] IS NULL OR s.store_id = ANY (sqlc.narg('store_ids')::bigint[]))
    ) l
) g
GROUP BY g.store_id, g.day, g.weekday, g.hour
ORDER BY g.day DESC, g.store_id, g.weekday, g.hour;
