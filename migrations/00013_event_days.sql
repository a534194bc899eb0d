-- +goose Up

-- Counts are read by the day and by the month, and were kept by the quarter of an hour:
-- a page summed hundreds of thousands of rows. A row a day holds its quarters, so that
-- the sums on any store's clock read a hundredth of them.
CREATE TABLE event_days (
    store_id bigint    NOT NULL,
    kind     text      NOT NULL,
    day      date      NOT NULL,
    events   bigint    NOT NULL,
    quarters integer[] NOT NULL,
    PRIMARY KEY (store_id, kind, day)
) WITH (fillfactor = 70); -- room for the new version of a row on its own page

COMMENT ON TABLE event_days IS 'How many events a store had on a day of UTC, by occurred_at. Written with the events, in one transaction, and deleted with them.';
COMMENT ON COLUMN event_days.events IS 'Of the whole day';
COMMENT ON COLUMN event_days.quarters IS 'By quarter of an hour: quarters[37] are those from 09:15 to 09:30 UTC. From the first quarter that has any to the last';

-- add_quarters adds b to a, quarter by quarter.
-- +goose StatementBegin
CREATE FUNCTION add_quarters(a integer[], b integer[]) RETURNS integer[] LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    -- A gap between the two is filled with zeros.
    FOR q IN least(array_lower(b, 1), array_upper(a, 1) + 1) .. greatest(array_upper(b, 1), array_lower(a, 1) - 1) LOOP
        a[q] := coalesce(a[q], 0) + coalesce(b[q], 0);
    END LOOP;
    RETURN a;
END
$$;
-- +goose StatementEnd

INSERT INTO event_days (store_id, kind, day, events, quarters)
SELECT d.store_id, d.kind, d.day, sum(coalesce(c.events, 0)), ('[0:95]=' || array_agg(coalesce(c.events, 0) ORDER BY q.quarter)::text)::integer[]
FROM (SELECT DISTINCT store_id, kind, (bucket AT TIME ZONE 'UTC')::date AS day FROM event_counts) d
CROSS JOIN generate_series(0, 95) q (quarter)
LEFT JOIN event_counts c ON c.store_id = d.store_id AND c.kind = d.kind
    AND c.bucket = (d.day + q.quarter * interval '15 minutes') AT TIME ZONE 'UTC'
GROUP BY d.store_id, d.kind, d.day;

DROP TABLE event_counts;

CREATE VIEW event_counts AS
SELECT d.store_id, d.kind, (d.day + q.quarter * interval '15 minutes') AT TIME ZONE 'UTC' AS bucket, d.quarters[q.quarter]::bigint AS events
FROM event_days d
CROSS JOIN LATERAL generate_subscripts(d.quarters, 1) q (quarter)
WHERE d.quarters[q.quarter] > 0;

COMMENT ON VIEW event_counts IS 'How many events a store had in a quarter of an hour of occurred_at: event_days, a row for each quarter that has any.';

-- Events that are deleted one by one are counted no longer. Who drops a partition of
-- events counts anew what is left of its month.
-- +goose StatementBegin
CREATE FUNCTION uncount_events() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE g record;
BEGIN
    FOR g IN SELECT store_id, kind, (occurred_at AT TIME ZONE 'UTC')::date AS day, (extract(hour FROM occurred_at AT TIME ZONE 'UTC') * 4
            + floor(extract(minute FROM occurred_at) / 15))::integer AS quarter, count(*) AS events
        FROM gone GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4 LOOP
        UPDATE event_days d SET events = d.events - g.events, quarters[g.quarter] = d.quarters[g.quarter] - g.events
        WHERE d.store_id = g.store_id AND d.kind = g.kind AND d.day = g.day;
    END LOOP;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER uncount_events AFTER DELETE ON events REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION uncount_events();

-- +goose Down
DROP TRIGGER uncount_events ON events;
DROP FUNCTION uncount_events;
CREATE TABLE event_counts_by_quarter (
    store_id bigint      NOT NULL,
    kind     text        NOT NULL,
    bucket   timestamptz NOT NULL,
    events   bigint      NOT NULL,
    PRIMARY KEY (store_id, kind, bucket)
) WITH (fillfactor = 70); -- room for the new version of a row on its own page

INSERT INTO event_counts_by_quarter SELECT store_id, kind, bucket, events FROM event_counts;
DROP VIEW event_counts;
ALTER TABLE event_counts_by_quarter RENAME TO event_counts;
ALTER INDEX event_counts_by_quarter_pkey RENAME TO event_counts_pkey;

COMMENT ON TABLE event_counts IS 'How many events a store had in a quarter of an hour of occurred_at. Written with the events, in one transaction.';
COMMENT ON COLUMN event_counts.bucket IS 'The start of the quarter of an hour';

DROP TABLE event_days;
DROP FUNCTION add_quarters;
