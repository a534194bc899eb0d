-- +goose Up

-- bucket is computed: whoever gives a range of it has all days that there ever were
-- spread into their quarters. A range of day is applied before that.
CREATE OR REPLACE VIEW event_counts AS
SELECT d.store_id, d.kind, (d.day + q.quarter * interval '15 minutes') AT TIME ZONE 'UTC' AS bucket, d.quarters[q.quarter]::bigint AS events, d.day
FROM event_days d
CROSS JOIN LATERAL generate_subscripts(d.quarters, 1) q (quarter)
WHERE d.quarters[q.quarter] > 0;

COMMENT ON VIEW event_counts IS 'How many events a store had in a quarter of an hour of occurred_at: event_days, a row for each quarter that has any.';
COMMENT ON COLUMN event_counts.day IS 'The day of UTC that bucket is of: give a range of it';

-- +goose Down
-- The column stays: without it the view would have to be made anew, and what was granted
-- on it would be gone.
SELECT;
