-- ListTraffic gives what came of each webhook of each store, and what usually comes:
-- of row_limit series at most, first the silent ones, and then those with the newest
-- deliveries: senders choose store ids, and stores that do not exist must not hide that
-- one that does has fallen silent. Sums are of whole quarters of an hour. Usual are the
-- same hours of the weeks before, on the store's own clock: usual is what came in the
-- hour from this_hour in usual_weeks weeks before now, missed what came in missed_weeks
-- weeks before the last delivery in the time that has passed since it, of which the first
-- seven days count. None is missed of a series whose last delivery was before missed_from.
-- What lies behind the quarter of until was received while a clock was ahead: it must not
-- hide that nothing comes.
-- The cost is some probes for each series, and the quarters that are summed.
-- name: ListTraffic :many
WITH RECURSIVE series AS ( -- from each webhook that a store has to the next one
    SELECT i.store_id, n.webhook
    FROM (SELECT unnest(@store_ids::bigint[]) AS store_id) i
    CROSS JOIN LATERAL (
        SELECT c.webhook FROM delivery_counts c WHERE c.store_id = i.store_id ORDER BY c.webhook LIMIT 1
    ) n
    UNION ALL
    SELECT h.store_id, n.webhook
    FROM series h
    CROSS JOIN LATERAL (
        SELECT c.webhook FROM delivery_counts c WHERE c.store_id = h.store_id AND c.webhook > h.webhook ORDER BY c.webhook LIMIT 1
    ) n
)
SELECT t.store_id::bigint AS store_id, t.webhook::text AS webhook, t.last_at, t.usual_weeks, t.missed_weeks,
    (SELECT coalesce(sum(c.deliveries), 0) FROM delivery_counts c
        WHERE c.store_id = t.store_id AND c.webhook = t.webhook AND c.bucket >= @hour_from::timestamptz AND c.bucket <= @until::timestamptz)::bigint AS last_hour,
    (SELECT coalesce(sum(c.deliveries), 0) FROM delivery_counts c
        WHERE c.store_id = t.store_id AND c.webhook = t.webhook AND c.bucket >= @day_from::timestamptz AND c.bucket <= @until::timestamptz)::bigint AS last_day,
    (SELECT coalesce(sum(x.deliveries), 0) FROM generate_series(1, t.usual_weeks) w (week)
        CROSS JOIN LATERAL (
            SELECT sum(c.deliveries) AS deliveries FROM delivery_counts c
            WHERE c.store_id = t.store_id AND c.webhook = t.webhook
                AND c.bucket >= timezone(t.zone, timezone(t.zone, @this_hour::timestamptz) - w.week * interval '7 days')
                AND c.bucket < timezone(t.zone, timezone(t.zone, @this_hour::timestamptz) - w.week * interval '7 days') + interval '1 hour'
        ) x)::bigint AS usual,
    t.missed
FROM (
    SELECT m.store_id, m.webhook, m.zone, m.last_at, m.usual_weeks, m.missed_weeks, m.missed,
        m.missed_weeks > 0 AND m.missed / sqlc.arg('silent_after')::bigint >= m.missed_weeks AS silent
    FROM (
        SELECT q.store_id, q.webhook, q.zone, q.last_at, q.usual_weeks, q.missed_weeks,
            (SELECT coalesce(sum(x.deliveries), 0) FROM generate_series(1, q.missed_weeks) w (week)
                CROSS JOIN LATERAL (
                    SELECT sum(c.deliveries) AS deliveries FROM delivery_counts c
                    WHERE c.store_id = q.store_id AND c.webhook = q.webhook
                        AND c.bucket >= timezone(q.zone, timezone(q.zone, q.silent_from) - w.week * interval '7 days')
                        AND c.bucket < timezone(q.zone, timezone(q.zone, least(@this_quarter::timestamptz, q.silent_from + interval '7 days')) - w.week * interval '7 days')
                ) x
                WHERE q.last_at >= @missed_from::timestamptz)::bigint AS missed
        FROM (
            SELECT s.store_id, s.webhook, coalesce(z.time_zone, @time_zone::text)::text AS zone, l.last_at,
                date_bin('15 minutes', l.last_at, '0001-01-01Z') + interval '15 minutes' AS silent_from,
                least(4, floor(extract(epoch FROM (sqlc.arg('as_of')::timestamptz - f.first_bucket)) / 604800))::integer AS usual_weeks,
                least(4, floor(extract(epoch FROM (l.last_at - f.first_bucket)) / 604800))::integer AS missed_weeks
            FROM series s
            LEFT JOIN stores z ON z.store_id = s.store_id
            CROSS JOIN LATERAL (
                SELECT c.last_at FROM delivery_counts c
                WHERE c.store_id = s.store_id AND c.webhook = s.webhook AND c.bucket <= @until::timestamptz
                ORDER BY c.bucket DESC LIMIT 1
            ) l
            CROSS JOIN LATERAL (
                SELECT c.bucket AS first_bucket FROM delivery_counts c WHERE c.store_id = s.store_id AND c.webhook = s.webhook ORDER BY c.bucket LIMIT 1
            ) f
        ) q
        OFFSET 0 -- or else the sum is made twice
    ) m
    ORDER BY silent DESC, m.last_at DESC
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
