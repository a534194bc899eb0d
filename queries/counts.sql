-- UpsertEventDays adds to the counts. Its rows come in the order of their keys.
-- Quarters are arrays as PostgreSQL writes them: an array of arrays must not be ragged.
-- name: UpsertEventDays :exec
INSERT INTO event_days AS t (store_id, kind, day, events, quarters)
SELECT unnest(@store_id::bigint[]), unnest(@kind::text[]), unnest(@day::date[]), unnest(@events::bigint[]), unnest(@quarters::text[])::integer[]
ON CONFLICT (store_id, kind, day) DO UPDATE SET
    events = t.events + excluded.events,
    quarters = add_quarters(t.quarters, excluded.quarters);

-- ListZones gives the stores that counts are of, and whose clock they are counted on.
-- name: ListZones :many
SELECT store_id, time_zone
FROM stores
WHERE (sqlc.narg('store_ids')::bigint[] IS NULL OR store_id = ANY (sqlc.narg('store_ids')::bigint[]))
ORDER BY store_id;

-- ListDaySums gives the sums of days of UTC, which is a tenth of the work that their
-- quarters are.
-- name: ListDaySums :many
SELECT store_id, kind, day, events
FROM event_days
WHERE store_id = ANY (@store_ids::bigint[]) AND kind = ANY (@kinds::text[]) AND day >= @first_day AND day < @end_day;

-- ListEventDays gives the counts of days of UTC, by quarter of an hour.
-- name: ListEventDays :many
SELECT store_id, kind, day, quarters
FROM event_days
WHERE store_id = ANY (@store_ids::bigint[]) AND kind = ANY (@kinds::text[]) AND day >= @first_day AND day < @end_day;

-- CountEventsBetween counts events singly: those of a part of a quarter of an hour.
-- name: CountEventsBetween :many
SELECT store_id, kind, count(*) AS events
FROM events
WHERE store_id = ANY (@store_ids::bigint[]) AND kind = ANY (@kinds::text[])
    AND occurred_at >= @from_time AND occurred_at < @to_time
GROUP BY store_id, kind;

-- CountReviewed counts the events that have a disposition, perhaps by quarter of an hour.
-- name: CountReviewed :many
SELECT store_id, kind, (CASE WHEN @by_quarter::boolean THEN date_bin('15 minutes', occurred_at, '0001-01-01Z') ELSE '0001-01-01Z' END)::timestamptz AS bucket, disposition::text AS disposition, count(*) AS events
FROM event_reviews
WHERE store_id = ANY (@store_ids::bigint[]) AND kind = ANY (@kinds::text[]) AND disposition IS NOT NULL
    AND occurred_at >= @from_time AND occurred_at < @to_time
GROUP BY 1, 2, 3, 4;

-- CountMarked counts the events that have one of some dispositions.
-- name: CountMarked :one
SELECT count(*)
FROM event_reviews
WHERE store_id = ANY (@store_ids::bigint[]) AND kind = @kind::text AND disposition = ANY (@dispositions::text[])
    AND occurred_at >= @from_time AND occurred_at < @to_time;

-- SumEventDays sums the events of whole days of UTC.
-- name: SumEventDays :one
SELECT coalesce(sum(events), 0)::bigint
FROM event_days
WHERE store_id = ANY (@store_ids::bigint[]) AND kind = @kind::text AND day >= @first_day AND day < @end_day;

-- HasPartition tells whether there is a partition.
-- name: HasPartition :one
SELECT (to_regclass(@name::text) IS NOT NULL)::boolean;

-- DeleteEventDays deletes the counts of some days.
-- name: DeleteEventDays :exec
DELETE FROM event_days WHERE day >= @first_day AND day < @end_day;

-- RecountEventDays counts the events of days that have no counts.
-- name: RecountEventDays :exec
INSERT INTO event_days (store_id, kind, day, events, quarters)
SELECT d.store_id, d.kind, d.day, sum(d.events), ('[0:95]=' || array_agg(d.events ORDER BY d.quarter)::text)::integer[]
FROM (
    SELECT e.store_id, e.kind, e.day, q.quarter, count(*) FILTER (WHERE e.quarter = q.quarter) AS events
    FROM (
        SELECT x.store_id, x.kind, (x.occurred_at AT TIME ZONE 'UTC')::date AS day,
            (extract(hour FROM x.occurred_at AT TIME ZONE 'UTC') * 4 + floor(extract(minute FROM x.occurred_at) / 15))::integer AS quarter
        FROM events x
        WHERE x.occurred_at >= @first_day::timestamptz AND x.occurred_at < @end_day::timestamptz
    ) e
    CROSS JOIN generate_series(0, 95) q (quarter)
    GROUP BY e.store_id, e.kind, e.day, q.quarter
) d
GROUP BY d.store_id, d.kind, d.day;
