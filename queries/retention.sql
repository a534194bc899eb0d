-- Retention: policies, what is due by them, and its removal. What removes is done by
-- functions of the database, which check again that they may.

-- name: SetRetention :one
INSERT INTO retention_policies (set_by, token_id, store_id, webhook, months, withdrawn)
VALUES (@set_by, @token_id, sqlc.narg('store_id'), sqlc.narg('webhook'), sqlc.narg('months'), @withdrawn)
RETURNING id, at;

-- ListRetention gives what was said, the newest first.
-- name: ListRetention :many
SELECT id, at, set_by, store_id, webhook, months, withdrawn FROM retention_policies ORDER BY id DESC;

-- RetentionSpan gives the first month of receipt that there is, and that before which
-- something may be due.
-- name: RetentionSpan :one
SELECT coalesce((SELECT min(received_at) FROM deliveries), now())::timestamptz AS first_at,
    coalesce(date_trunc('month', now()) - make_interval(months => (SELECT min(months) FROM retention_policies)), '0001-01-01T00:00:00Z')::timestamptz AS end_at,
    EXISTS (SELECT 1 FROM retention_sweeps) AS unfinished;

-- name: DatabaseClock :one
SELECT clock_timestamp()::timestamptz;

-- RetentionClock gives what the database's clock shows, and when AiFi says that it sent
-- what was received last: of 25 webhooks the middle one, so that none of them decides alone.
-- What was received after now, by a clock that was ahead, does not count.
-- name: RetentionClock :one
SELECT now()::timestamptz AS shows, coalesce((
    SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY i.issued_at DESC) FROM (
        SELECT n.issued_at FROM (
            SELECT d.received_at, d.issued_at FROM deliveries d WHERE d.received_at <= now() ORDER BY d.received_at DESC LIMIT 1000
        ) n
        WHERE n.issued_at IS NOT NULL
        ORDER BY n.received_at DESC
        LIMIT 25
    ) i
), '0001-01-01T00:00:00Z')::timestamptz AS issued_at;

-- RetentionOf says of a month what there is of each store and webhook, and before when it
-- may go.
-- name: RetentionOf :many
SELECT g.store_id, g.webhook, g.deliveries, g.body_bytes, g.events, greatest(retention_cutoff(g.store_id, g.webhook), '0001-01-01T00:00:00Z')::timestamptz AS cutoff FROM (
    SELECT d.store_id, d.webhook, count(*) AS deliveries, sum(d.body_size)::bigint AS body_bytes, count(e.id) AS events
    FROM deliveries d
    LEFT JOIN events e ON e.store_id = d.store_id AND e.kind = d.event_kind AND e.occurred_at = d.event_occurred_at AND e.id = d.event_id AND e.delivery_id = d.id
    WHERE d.received_at >= @from_time AND d.received_at < @to_time
    GROUP BY d.store_id, d.webhook
) g
ORDER BY g.store_id, g.webhook;

-- HeldOf says of a month what the holds in force keep, and those that were lifted a short
-- time ago: which ones there are for a store and webhook, and how many deliveries they
-- keep together.
-- name: HeldOf :many
WITH held AS (
    SELECT h.store_id, h.webhook, h.hold_id, h.delivery_id FROM held_deliveries h
    WHERE h.received_at >= @from_time AND h.received_at < @to_time AND (h.lifted_at IS NULL OR h.lifted_at > now() - retention_pause())
)
SELECT DISTINCT h.store_id, h.webhook, h.hold_id, n.held FROM held h
JOIN (SELECT store_id, webhook, count(DISTINCT delivery_id) AS held FROM held GROUP BY store_id, webhook) n
    ON n.store_id = h.store_id AND n.webhook = h.webhook
ORDER BY h.store_id, h.webhook, h.hold_id;

-- name: OldestPartition :one
SELECT coalesce(oldest_partition(), '')::text;

-- name: PartitionBytes :one
SELECT coalesce(sum(pg_total_relation_size(to_regclass(t.name))), -1)::bigint FROM unnest(@names::text[]) t (name) WHERE to_regclass(t.name) IS NOT NULL;

-- CountOfMonth counts what a retirement of a month says.
-- name: CountOfMonth :one
SELECT count(*) AS deliveries, count(*) FILTER (WHERE b.secret IS NOT NULL OR x.delivery_id IS NOT NULL) AS leaves
FROM deliveries d
LEFT JOIN delivery_bodies b ON b.store_id = d.store_id AND b.received_at = d.received_at AND b.delivery_id = d.id
LEFT JOIN log_erasures x ON x.store_id = d.store_id AND x.received_at = d.received_at AND x.delivery_id = d.id
WHERE d.received_at >= @from_time AND d.received_at < @to_time;

-- DueDeliveries gives deliveries of some stores and webhooks (pairs) that are not held, in
-- order, and whether they have a leaf.
-- name: DueDeliveries :many
SELECT d.received_at, d.id, (b.secret IS NOT NULL OR x.delivery_id IS NOT NULL)::boolean AS has_leaf
FROM deliveries d
JOIN (SELECT unnest(@store_ids::bigint[]) AS store_id, unnest(@webhooks::text[]) AS webhook) k ON k.store_id = d.store_id AND k.webhook = d.webhook
LEFT JOIN delivery_bodies b ON b.store_id = d.store_id AND b.received_at = d.received_at AND b.delivery_id = d.id
LEFT JOIN log_erasures x ON x.store_id = d.store_id AND x.received_at = d.received_at AND x.delivery_id = d.id
WHERE d.received_at >= @from_time AND d.received_at < @to_time AND (d.received_at, d.id) > (@after_time::timestamptz, @after_id::uuid)
    AND NOT EXISTS (SELECT 1 FROM held_deliveries h WHERE h.received_at = d.received_at AND h.delivery_id = d.id AND h.store_id = d.store_id
        AND (h.lifted_at IS NULL OR h.lifted_at > now() - retention_pause()))
ORDER BY d.received_at, d.id
LIMIT @row_limit;

-- InsertRetirement writes what a retirement leaves, and queues its leaf.
-- name: InsertRetirement :exec
WITH retirement AS (
    INSERT INTO log_retirements (id, at, from_time, to_time, delivery_ids, deliveries, leaves, secret, actor, reason)
    VALUES (@id, @at, @from_time, @to_time, sqlc.narg('delivery_ids'), @deliveries, @leaves, @secret, @actor, @reason)
    RETURNING id
)
INSERT INTO log_queue (leaves) SELECT ARRAY[@leaf::bytea] FROM retirement;

-- name: RetireDeliveries :exec
SELECT retire_deliveries(@id::uuid);

-- name: RetireMonth :exec
SELECT retire_month(@id::uuid);

-- name: MonthsToSweep :many
SELECT id FROM retention_sweeps WHERE what = 'month' ORDER BY id;

-- name: SweepMonth :one
SELECT sweep_month(@month::text, @row_limit::integer)::bigint;

-- name: SweepPeople :one
SELECT sweep_people(@row_limit::integer)::bigint;

-- ListRetirements gives the retirements, without the deliveries that they name.
-- name: ListRetirements :many
SELECT id, at, from_time, to_time, (delivery_ids IS NULL)::boolean AS whole, deliveries, leaves, actor, reason FROM log_retirements
ORDER BY id;

-- name: RetirementEvidence :many
SELECT * FROM log_retirements WHERE id = ANY (@ids::uuid[]);

-- RetirementsOf gives the retirements that name some deliveries.
-- name: RetirementsOf :many
SELECT k.delivery_id::uuid AS delivery_id, r.id FROM (SELECT unnest(@received_at::timestamptz[]) AS received_at, unnest(@delivery_id::uuid[]) AS delivery_id) k
JOIN log_retirements r ON tstzrange(r.from_time, r.to_time) @> k.received_at AND (r.delivery_ids IS NULL OR k.delivery_id = ANY (r.delivery_ids));

-- RetiredOf gives, of some deliveries, those that are gone by a retirement.
-- name: RetiredOf :many
SELECT DISTINCT k.delivery_id::uuid AS delivery_id FROM (SELECT unnest(@received_at::timestamptz[]) AS received_at, unnest(@delivery_id::uuid[]) AS delivery_id) k
JOIN log_retirements r ON tstzrange(r.from_time, r.to_time) @> k.received_at AND (r.delivery_ids IS NULL OR k.delivery_id = ANY (r.delivery_ids))
LEFT JOIN deliveries d ON d.received_at = k.received_at AND d.id = k.delivery_id
WHERE d.id IS NULL;
