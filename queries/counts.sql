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

-- ListEventDays gives the counts of whole days of UTC.
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

-- CountReviewed counts the events that have a disposition, by quarter of an hour.
-- name: CountReviewed :many
SELECT store_id, kind, date_bin('15 minutes', occurred_at, '0001-01-01Z')::timestamptz AS bucket, disposition::text AS disposition, count(*) AS events
FROM event_reviews
WHERE store_id = ANY (@store_ids::bigint[]) AND kind = ANY (@kinds::text[]) AND disposition IS NOT NULL
    AND occurred_at >= @from_time AND occurred_at < @to_time
GROUP BY 1, 2, 3, 4;

-- SumEventDays sums the events of whole days of UTC that lie in some months.
-- name: SumEventDays :one
SELECT coalesce(sum(events), 0)::bigint
FROM event_days
WHERE store_id = ANY (@store_ids::bigint[]) AND kind = @kind::text AND day >= @first_day AND day < @end_day
    AND date_trunc('month', day::timestamp)::date = ANY (@months::date[]);

-- CountDefaultEvents counts the events outside of the months that have a partition, up
-- to a limit, if there is one.
-- name: CountDefaultEvents :one
SELECT count(*) FROM (
    SELECT FROM events_default
    WHERE store_id = ANY (@store_ids::bigint[]) AND kind = @kind::text
        AND (sqlc.narg('from_time')::timestamptz IS NULL OR occurred_at >= sqlc.narg('from_time')::timestamptz)
        AND (sqlc.narg('to_time')::timestamptz IS NULL OR occurred_at < sqlc.narg('to_time')::timestamptz)
    LIMIT sqlc.narg('row_limit')::bigint
) o;
