-- ListTraffic gives what came of each webhook of each store, and what usually comes:
-- of the row_limit series with the newest deliveries. Sums are of whole quarters of
-- an hour. Usual are the same hours of the weeks before, on the store's own clock:
-- usual is what came in the hour from this_hour in usual_weeks weeks before now,
-- missed what came in missed_weeks weeks before the last delivery in the time that
-- has passed since it, of which the first seven days count. None is missed of a
-- series whose last delivery was before missed_from.
-- The cost is a probe for each store and webhook, and the quarters that are summed.
-- name: ListTraffic :many
SELECT t.store_id::bigint AS store_id, t.webhook::text AS webhook, t.last_at, t.usual_weeks, t.missed_weeks,
    (SELECT coalesce(sum(c.deliveries), 0) FROM delivery_counts c
        WHERE c.store_id = t.store_id AND c.webhook = t.webhook AND c.bucket >= @hour_from::timestamptz)::bigint AS last_hour,
    (SELECT coalesce(sum(c.deliveries), 0) FROM delivery_counts c
        WHERE c.store_id = t.store_id AND c.webhook = t.webhook AND c.bucket >= @day_from::timestamptz)::bigint AS last_day,
    (SELECT coalesce(sum(x.deliveries), 0) FROM generate_series(1, t.usual_weeks) w (week)
        CROSS JOIN LATERAL (
            SELECT sum(c.deliveries) AS deliveries FROM delivery_counts c
            WHERE c.store_id = t.store_id AND c.webhook = t.webhook
                AND c.bucket >= timezone(t.zone, timezone(t.zone, @this_hour::timestamptz) - w.week * interval '7 days')
                AND c.bucket < timezone(t.zone, timezone(t.zone, @this_hour::timestamptz) - w.week * interval '7 days') + interval '1 hour'
        ) x)::bigint AS usual,
    (SELECT coalesce(sum(x.deliveries), 0) FROM generate_series(1, t.missed_weeks) w (week)
        CROSS JOIN LATERAL (
            SELECT sum(c.deliveries) AS deliveries FROM delivery_counts c
            WHERE c.store_id = t.store_id AND c.webhook = t.webhook
                AND c.bucket >= timezone(t.zone, timezone(t.zone, t.silent_from) - w.week * interval '7 days')
                AND c.bucket < timezone(t.zone, timezone(t.zone, least(@this_quarter::timestamptz, t.silent_from + interval '7 days')) - w.week * interval '7 days')
        ) x
        WHERE t.last_at >= @missed_from::timestamptz)::bigint AS missed
FROM (
    SELECT s.store_id, w.webhook, s.zone, l.last_at, date_bin('15 minutes', l.last_at, '0001-01-01Z') + interval '15 minutes' AS silent_from,
        least(4, floor(extract(epoch FROM (sqlc.arg('as_of')::timestamptz - f.first_bucket)) / 604800))::integer AS usual_weeks,
        least(4, floor(extract(epoch FROM (l.last_at - f.first_bucket)) / 604800))::integer AS missed_weeks
    FROM (
        SELECT i.store_id, coalesce(z.time_zone, @time_zone::text)::text AS zone
        FROM (SELECT unnest(@store_ids::bigint[]) AS store_id) i
        LEFT JOIN stores z ON z.store_id = i.store_id
    ) s
    CROSS JOIN (SELECT unnest(@webhooks::text[]) AS webhook) w
    CROSS JOIN LATERAL (
        SELECT c.last_at FROM delivery_counts c WHERE c.store_id = s.store_id AND c.webhook = w.webhook ORDER BY c.bucket DESC LIMIT 1
    ) l
    CROSS JOIN LATERAL (
        SELECT c.bucket AS first_bucket FROM delivery_counts c WHERE c.store_id = s.store_id AND c.webhook = w.webhook ORDER BY c.bucket LIMIT 1
    ) f
    ORDER BY l.last_at DESC
    LIMIT @row_limit::bigint
) t
ORDER BY t.store_id, t.webhook;

-- PruneDeliveryCounts forgets what is of no use any more, series by series.
-- name: PruneDeliveryCounts :exec
DELETE FROM delivery_counts c
USING (SELECT unnest(@store_ids::bigint[]) AS store_id) s, (SELECT unnest(@webhooks::text[]) AS webhook) w
WHERE c.store_id = s.store_id AND c.webhook = w.webhook AND c.bucket < @before::timestamptz;

-- CountOpenQuarantine counts what was not replayed, up to a limit.
-- name: CountOpenQuarantine :one
SELECT count(*) FROM (
    SELECT 1 FROM quarantine q
    WHERE q.replayed_at IS NULL AND (sqlc.narg('store_ids')::bigint[] IS NULL OR q.store_id = ANY (sqlc.narg('store_ids')::bigint[]))
    LIMIT @count_limit::bigint
) o;
