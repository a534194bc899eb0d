-- +goose Up

-- Legal holds: what may not be removed, by whomever. They are never changed: that a hold
-- was lifted is a row of its own. What several holds cover is free when the last is lifted.

CREATE TABLE legal_holds (
    id          uuid        NOT NULL PRIMARY KEY,
    at          timestamptz NOT NULL,
    placed_by   text        NOT NULL,
    token_id    bigint      NOT NULL,
    reason      text        NOT NULL CHECK (reason <> ''),
    store_id    bigint,
    session_id  text,
    customer_id text,
    from_time   timestamptz,
    to_time     timestamptz,
    CHECK (num_nonnulls(store_id, session_id, customer_id, from_time, to_time) > 0),
    CHECK (from_time < to_time)
);

COMMENT ON TABLE legal_holds IS 'A row a legal hold. All that it names must apply, null is any. Insert only.';
COMMENT ON COLUMN legal_holds.id IS 'UUIDv7';
COMMENT ON COLUMN legal_holds.at IS 'When it was placed, by the database''s clock';
COMMENT ON COLUMN legal_holds.placed_by IS 'What the token was called then, or who is named on the command line';
COMMENT ON COLUMN legal_holds.token_id IS '0: placed on the command line';
COMMENT ON COLUMN legal_holds.from_time IS 'From then, up to but without to_time: of what was received, or of when it happened';

CREATE TABLE hold_lifts (
    hold_id   uuid        NOT NULL PRIMARY KEY,
    at        timestamptz NOT NULL,
    lifted_by text        NOT NULL,
    token_id  bigint      NOT NULL,
    reason    text        NOT NULL CHECK (reason <> '')
);

COMMENT ON TABLE hold_lifts IS 'A row a legal hold that was lifted. Insert only.';

-- Whoever writes the row does not say when.
-- +goose StatementBegin
CREATE FUNCTION stamp_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.at := clock_timestamp();
    RETURN NEW;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER stamp_at BEFORE INSERT ON legal_holds FOR EACH ROW EXECUTE FUNCTION stamp_at();
CREATE TRIGGER stamp_at BEFORE INSERT ON hold_lifts FOR EACH ROW EXECUTE FUNCTION stamp_at();

CREATE VIEW holds AS
SELECT h.id, h.at AS placed_at, h.placed_by, h.reason, h.store_id, h.session_id, h.customer_id, h.from_time, h.to_time,
    l.at AS lifted_at, l.lifted_by, l.reason AS lift_reason
FROM legal_holds h
LEFT JOIN hold_lifts l ON l.hold_id = h.id;

COMMENT ON VIEW holds IS 'Each legal hold with what became of it. In force are those without lifted_at.';

-- hold_covers says whether a hold covers what is of these stores, sessions, customers and
-- times. A time that is not known is null, and covered by no hold that names times.
CREATE FUNCTION hold_covers(h holds, stores bigint[], sessions text[], customers text[], received timestamptz, occurred timestamptz)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (h.store_id IS NULL OR h.store_id = ANY (stores))
    AND (h.session_id IS NULL OR h.session_id = ANY (sessions))
    AND (h.customer_id IS NULL OR h.customer_id = ANY (customers))
    AND ((received >= coalesce(h.from_time, '-infinity') AND received < coalesce(h.to_time, 'infinity'))
        OR (occurred >= coalesce(h.from_time, '-infinity') AND occurred < coalesce(h.to_time, 'infinity'))
        OR (h.from_time IS NULL AND h.to_time IS NULL));

-- A delivery is held by what it says itself, and by what the event that it states says.
-- Of a delivery that was replayed that is the event of the replay.
CREATE VIEW held_deliveries AS
SELECT d.store_id, d.received_at, d.id AS delivery_id, d.webhook, d.session_id, h.id AS hold_id, h.lifted_at
FROM deliveries d
LEFT JOIN quarantine q ON q.store_id = d.store_id AND q.received_at = d.received_at AND q.delivery_id = d.id
LEFT JOIN events e ON e.store_id = coalesce(q.event_store_id, d.store_id) AND e.kind = coalesce(q.event_kind, d.event_kind)
    AND e.occurred_at = coalesce(q.event_occurred_at, d.event_occurred_at) AND e.id = coalesce(q.event_id, d.event_id)
LEFT JOIN event_personal_info p ON p.store_id = e.store_id AND p.kind = e.kind AND p.occurred_at = e.occurred_at AND p.event_id = e.id
JOIN holds h ON hold_covers(h, ARRAY[d.store_id, e.store_id], ARRAY[d.session_id, e.session_id], ARRAY[e.customer_id, p.customer_id],
    d.received_at, e.occurred_at);

COMMENT ON VIEW held_deliveries IS 'A row for each hold that covers a delivery, or did until it was lifted.';

-- Holds are evidence too.
-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['legal_holds', 'hold_lifts'] LOOP
        EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
END
$$;
-- +goose StatementEnd

-- What is held is not erased. Nobody can place a hold while an erasure is under way: it
-- comes before, and is seen, or after.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION erase_delivery(of_store bigint, at timestamptz, delivery uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET aifi_audit.keeper = 'eraser' AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM log_erasures x WHERE x.store_id = of_store AND x.received_at = at AND x.delivery_id = delivery) THEN
        RAISE EXCEPTION 'the erasure of % is not written', delivery;
    END IF;
    LOCK TABLE legal_holds IN SHARE MODE;
    IF EXISTS (SELECT 1 FROM held_deliveries h WHERE h.store_id = of_store AND h.received_at = at AND h.delivery_id = delivery AND h.lifted_at IS NULL) THEN
        RAISE EXCEPTION 'delivery % is on legal hold', delivery USING ERRCODE = 'object_in_use';
    END IF;
    DELETE FROM delivery_bodies b WHERE b.store_id = of_store AND b.received_at = at AND b.delivery_id = delivery;
    UPDATE deliveries d SET body_sha256 = '' WHERE d.store_id = of_store AND d.received_at = at AND d.id = delivery;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION erase_person(of_store bigint, of_kind text, at timestamptz, event uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET aifi_audit.keeper = 'eraser' AS $$
BEGIN
    LOCK TABLE legal_holds IN SHARE MODE;
    IF EXISTS (
        SELECT 1 FROM events e
        LEFT JOIN event_personal_info p ON p.store_id = e.store_id AND p.kind = e.kind AND p.occurred_at = e.occurred_at AND p.event_id = e.id
        JOIN holds h ON hold_covers(h, ARRAY[e.store_id], ARRAY[e.session_id], ARRAY[e.customer_id, p.customer_id], e.received_at, e.occurred_at)
        WHERE e.store_id = of_store AND e.kind = of_kind AND e.occurred_at = at AND e.id = event AND h.lifted_at IS NULL) THEN
        RAISE EXCEPTION 'event % is on legal hold', event USING ERRCODE = 'object_in_use';
    END IF;
    UPDATE events e SET customer_id = NULL WHERE e.store_id = of_store AND e.kind = of_kind AND e.occurred_at = at AND e.id = event;
    DELETE FROM event_personal_info p WHERE p.store_id = of_store AND p.kind = of_kind AND p.occurred_at = at AND p.event_id = event;
END
$$;
-- +goose StatementEnd

-- Retention: how long what is kept, and what is done when that time is over.

CREATE TABLE retention_policies (
    id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL,
    set_by    text        NOT NULL,
    token_id  bigint      NOT NULL,
    store_id  bigint,
    webhook   text,
    months    integer     CHECK (months BETWEEN 1 AND 1200),
    withdrawn boolean     NOT NULL,
    CHECK (NOT withdrawn OR months IS NULL)
);

COMMENT ON TABLE retention_policies IS 'A row each time that it is said how long deliveries are kept. The newest of a store and webhook counts, after a week. Insert only.';
COMMENT ON COLUMN retention_policies.at IS 'By the database''s clock';
COMMENT ON COLUMN retention_policies.store_id IS 'Null: of all stores';
COMMENT ON COLUMN retention_policies.webhook IS 'Null: all webhooks';
COMMENT ON COLUMN retention_policies.months IS 'Whole calendar months after that of receipt; null: for ever';
COMMENT ON COLUMN retention_policies.withdrawn IS 'What is more general counts again';

CREATE TRIGGER stamp_at BEFORE INSERT ON retention_policies FOR EACH ROW EXECUTE FUNCTION stamp_at();

CREATE TABLE log_retirements (
    id           uuid        NOT NULL PRIMARY KEY,
    at           timestamptz NOT NULL,
    from_time    timestamptz NOT NULL,
    to_time      timestamptz NOT NULL,
    delivery_ids uuid[],
    deliveries   bigint      NOT NULL,
    leaves       bigint      NOT NULL,
    secret       bytea       NOT NULL,
    actor        text        NOT NULL,
    reason       text        NOT NULL
);

COMMENT ON TABLE log_retirements IS 'A row for deliveries whose time was over and that were removed, rows and bodies. Insert only.';
COMMENT ON COLUMN log_retirements.id IS 'UUIDv7: the id of its leaf, which says the same';
COMMENT ON COLUMN log_retirements.from_time IS 'They were received from then on, and before to_time';
COMMENT ON COLUMN log_retirements.delivery_ids IS 'Which; null: all that were received then and have a leaf before this one';
COMMENT ON COLUMN log_retirements.leaves IS 'How many of the deliveries have a leaf: those from before there was a log have none';

CREATE INDEX log_retirements_received ON log_retirements USING gist (tstzrange(from_time, to_time));

CREATE TABLE retention_sweeps (
    what     text   NOT NULL CHECK (what IN ('month', 'session', 'customer')),
    store_id bigint NOT NULL,
    id       text   NOT NULL,
    PRIMARY KEY (what, store_id, id)
);

COMMENT ON TABLE retention_sweeps IS 'Where to look for what nothing stands on any more: a month of events, a session, a customer. Written as deliveries go, deleted when it was done.';

-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['retention_policies', 'log_retirements'] LOOP
        EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
END
$$;
-- +goose StatementEnd

-- Which deliveries state an event of a month is asked for each event that may go. A few
-- that are dated far away do not widen a range of pages (multi), and the index takes next
-- to nothing.
CREATE INDEX deliveries_stated ON deliveries USING brin (event_occurred_at timestamptz_minmax_multi_ops);

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Only the functions below, and those that keep partitions, set this, for as long as they run.
    IF current_setting('aifi_audit.keeper', true) IN ('partitions', 'eraser', 'retention') AND TG_OP <> 'TRUNCATE' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% on % is refused: it is evidence', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd

-- A policy, and that a hold was lifted, count for retention a week later: in that time a
-- mistake, or somebody who should not have been able to, is found.
CREATE FUNCTION retention_pause() RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN interval '7 days';

-- retention_at gives the policy of a store and webhook that was the newest at some time:
-- of those of both, of the store, of the webhook, and of all, the first that is there.
-- Null: for ever.
CREATE FUNCTION retention_at(of_store bigint, of_webhook text, as_of timestamptz) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT p.months FROM (
        SELECT DISTINCT ON (q.store_id, q.webhook) q.store_id, q.webhook, q.months, q.withdrawn
        FROM retention_policies q
        WHERE q.at <= as_of AND (q.store_id IS NULL OR q.store_id = of_store) AND (q.webhook IS NULL OR q.webhook = of_webhook)
        ORDER BY q.store_id, q.webhook, q.at DESC, q.id DESC
    ) p
    WHERE NOT p.withdrawn
    ORDER BY p.store_id IS NULL, p.webhook IS NULL
    LIMIT 1
$$;

-- retention_cutoff gives the month before which everything of a store and webhook may go:
-- by the longest policy that counted at any time of the last week. Whole months, so that
-- partitions can be dropped.
CREATE FUNCTION retention_cutoff(of_store bigint, of_webhook text) RETURNS timestamptz LANGUAGE sql STABLE SET timezone = 'UTC' AS $$
    SELECT CASE WHEN bool_or(m.months IS NULL) THEN '-infinity' ELSE date_trunc('month', now()) - make_interval(months => max(m.months)) END
    FROM (
        SELECT retention_at(of_store, of_webhook, t.at) AS months
        FROM (SELECT now() - retention_pause() AS at UNION ALL SELECT p.at FROM retention_policies p WHERE p.at > now() - retention_pause()) t
    ) m
$$;

-- oldest_partition names the oldest month of receipt that has a partition, as 202601.
CREATE FUNCTION oldest_partition() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT min(right(relname, 6)) FROM pg_class WHERE relispartition AND relname ~ '^deliveries_[0-9]{6}$' AND relnamespace = current_schema()::regnamespace
$$;

-- begin_retirement gives a retirement, after it has made sure that its leaf waits for the
-- log and that nobody places a hold or sets a policy meanwhile.
-- +goose StatementBegin
CREATE FUNCTION begin_retirement(retirement uuid) RETURNS log_retirements LANGUAGE plpgsql AS $$
DECLARE r log_retirements;
BEGIN
    SELECT * INTO r FROM log_retirements x WHERE x.id = retirement;
    IF NOT FOUND OR NOT EXISTS (SELECT 1 FROM log_queue q CROSS JOIN LATERAL unnest(q.leaves) l (leaf)
        WHERE get_byte(l.leaf, 1) = 5 AND substr(l.leaf, 3, 16) = uuid_send(retirement)) THEN
        RAISE EXCEPTION 'the retirement % is not written', retirement;
    END IF;
    LOCK TABLE legal_holds, retention_policies IN SHARE MODE;
    RETURN r;
END
$$;
-- +goose StatementEnd

-- retire_deliveries removes the deliveries that a retirement names: if the time of all is
-- over, and none is held.
-- +goose StatementBegin
CREATE FUNCTION retire_deliveries(retirement uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' SET lock_timeout = '300ms' SET aifi_audit.keeper = 'retention' AS $$
DECLARE
    r log_retirements := begin_retirement(retirement);
    there bigint;
    due boolean;
BEGIN
    SELECT coalesce(sum(p.n), 0), coalesce(bool_and(r.to_time <= retention_cutoff(p.store_id, p.webhook)), true) INTO there, due FROM (
        SELECT d.store_id, d.webhook, count(*) AS n FROM deliveries d
        WHERE d.received_at >= r.from_time AND d.received_at < r.to_time AND d.id = ANY (r.delivery_ids)
        GROUP BY d.store_id, d.webhook
    ) p;
    IF r.deliveries <> there OR cardinality(r.delivery_ids) IS DISTINCT FROM there THEN
        RAISE EXCEPTION 'there are % of the % deliveries', there, r.deliveries USING ERRCODE = 'serialization_failure';
    END IF;
    IF NOT due THEN
        RAISE EXCEPTION 'the time of the deliveries is not over' USING ERRCODE = 'object_in_use';
    END IF;
    IF EXISTS (SELECT 1 FROM held_deliveries h WHERE h.received_at >= r.from_time AND h.received_at < r.to_time AND h.delivery_id = ANY (r.delivery_ids)
        AND (h.lifted_at IS NULL OR h.lifted_at > now() - retention_pause())) THEN
        RAISE EXCEPTION 'there are deliveries on legal hold' USING ERRCODE = 'object_in_use';
    END IF;
    WITH gone AS (
        DELETE FROM deliveries d WHERE d.received_at >= r.from_time AND d.received_at < r.to_time AND d.id = ANY (r.delivery_ids)
        RETURNING d.store_id, d.received_at, d.id, d.event_occurred_at
    ), bodies AS (
        DELETE FROM delivery_bodies b USING gone g WHERE b.store_id = g.store_id AND b.received_at = g.received_at AND b.delivery_id = g.id
            AND b.received_at >= r.from_time AND b.received_at < r.to_time
    ), quarantined AS (
        DELETE FROM quarantine q USING gone g WHERE q.store_id = g.store_id AND q.received_at = g.received_at AND q.delivery_id = g.id
        RETURNING q.event_occurred_at
    )
    INSERT INTO retention_sweeps (what, store_id, id)
    SELECT DISTINCT 'month', 0, date_trunc('month', s.at)::date::text
    FROM (SELECT g.event_occurred_at AS at FROM gone g UNION ALL SELECT q.event_occurred_at FROM quarantined q) s
    WHERE s.at IS NOT NULL
    ON CONFLICT DO NOTHING;
END
$$;
-- +goose StatementEnd

-- retire_month removes all that was received in the month of a retirement by dropping its
-- partitions: if the time of all of it is over, and nothing is held. What is long is done
-- under locks that only keep others from adding to the month. The partitions are taken
-- out in the end, and if that is not possible at once, then not at all.
-- +goose StatementBegin
CREATE FUNCTION retire_month(retirement uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' SET lock_timeout = '300ms' SET aifi_audit.keeper = 'retention' AS $$
DECLARE
    r log_retirements := begin_retirement(retirement);
    part text := 'deliveries_' || to_char(r.from_time, 'YYYYMM');
    body_part text := 'delivery_bodies_' || to_char(r.from_time, 'YYYYMM');
    there bigint;
    due boolean;
BEGIN
    IF r.delivery_ids IS NOT NULL OR r.from_time <> date_trunc('month', r.from_time) OR r.to_time <> r.from_time + interval '1 month' THEN
        RAISE EXCEPTION 'the retirement % is not of a month', retirement;
    END IF;
    IF to_regclass(part) IS NULL OR to_regclass(body_part) IS NULL THEN
        RAISE EXCEPTION 'there is no partition %', part USING ERRCODE = 'serialization_failure';
    END IF;
    EXECUTE format('LOCK TABLE %I, %I IN SHARE MODE', part, body_part);
    SELECT coalesce(sum(p.n), 0), coalesce(bool_and(r.to_time <= retention_cutoff(p.store_id, p.webhook)), true) INTO there, due FROM (
        SELECT d.store_id, d.webhook, count(*) AS n FROM deliveries d
        WHERE d.received_at >= r.from_time AND d.received_at < r.to_time
        GROUP BY d.store_id, d.webhook
    ) p;
    IF r.deliveries <> there THEN
        RAISE EXCEPTION 'there are % deliveries, and not %', there, r.deliveries USING ERRCODE = 'serialization_failure';
    END IF;
    IF NOT due THEN
        RAISE EXCEPTION 'the time of the deliveries is not over' USING ERRCODE = 'object_in_use';
    END IF;
    IF EXISTS (SELECT 1 FROM held_deliveries h WHERE h.received_at >= r.from_time AND h.received_at < r.to_time
        AND (h.lifted_at IS NULL OR h.lifted_at > now() - retention_pause())) THEN
        RAISE EXCEPTION 'there are deliveries on legal hold' USING ERRCODE = 'object_in_use';
    END IF;
    WITH quarantined AS (
        DELETE FROM quarantine q WHERE q.received_at >= r.from_time AND q.received_at < r.to_time
        RETURNING q.event_occurred_at
    )
    INSERT INTO retention_sweeps (what, store_id, id)
    SELECT DISTINCT 'month', 0, date_trunc('month', s.at)::date::text FROM (
        SELECT d.event_occurred_at AS at FROM deliveries d WHERE d.received_at >= r.from_time AND d.received_at < r.to_time
        UNION ALL SELECT q.event_occurred_at FROM quarantined q
    ) s
    WHERE s.at IS NOT NULL
    ON CONFLICT DO NOTHING;
    EXECUTE format('ALTER TABLE deliveries DETACH PARTITION %I', part);
    EXECUTE format('ALTER TABLE delivery_bodies DETACH PARTITION %I', body_part);
    EXECUTE format('DROP TABLE %I, %I', part, body_part);
END
$$;
-- +goose StatementEnd

-- events_that_stay names the events of a span of time that are stated by a delivery that
-- is there, or held.
CREATE FUNCTION events_that_stay(lower timestamptz, upper timestamptz)
RETURNS TABLE (store_id bigint, kind text, occurred_at timestamptz, id uuid) LANGUAGE sql STABLE AS $$
    SELECT d.store_id, d.event_kind, d.event_occurred_at, d.event_id FROM deliveries d
    WHERE d.event_occurred_at >= lower AND d.event_occurred_at < upper
    UNION
    SELECT q.event_store_id, q.event_kind, q.event_occurred_at, q.event_id FROM quarantine q
    WHERE q.event_occurred_at >= lower AND q.event_occurred_at < upper
    UNION
    SELECT e.store_id, e.kind, e.occurred_at, e.id FROM events e
    LEFT JOIN event_personal_info p ON p.store_id = e.store_id AND p.kind = e.kind AND p.occurred_at = e.occurred_at AND p.event_id = e.id
    JOIN holds h ON hold_covers(h, ARRAY[e.store_id], ARRAY[e.session_id], ARRAY[e.customer_id, p.customer_id], e.received_at, e.occurred_at)
    WHERE e.occurred_at >= lower AND e.occurred_at < upper AND (h.lifted_at IS NULL OR h.lifted_at > now() - retention_pause())
$$;

-- sweep_month removes the events of a month that no delivery states any more, and all that
-- stands on them. If few are to stay, those move to the DEFAULT partition, and the month's
-- partitions are dropped; else so many are removed as it was told. It returns how many
-- went; none is the end.
-- +goose StatementBegin
CREATE FUNCTION sweep_month(month text, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' SET lock_timeout = '300ms' SET aifi_audit.keeper = 'retention' AS $$
DECLARE
    lower timestamptz := month::date;
    upper timestamptz := month::date + interval '1 month';
    suffix text := to_char(lower, 'YYYYMM');
    part text := 'events_' || suffix;
    t text;
    there bigint;
    stay bigint;
    went bigint := 0;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM retention_sweeps s WHERE s.what = 'month' AND s.store_id = 0 AND s.id = month) THEN
        RETURN 0;
    END IF;
    LOCK TABLE legal_holds IN SHARE MODE;
    IF to_regclass(part) IS NULL OR lower <> date_trunc('month', lower) THEN
        part := NULL;
    END IF;
    -- From here on nobody states an event of the month: whoever does waits.
    EXECUTE format('LOCK TABLE %I IN SHARE MODE', coalesce(part, 'events_default'));
    IF part IS NOT NULL THEN
        EXECUTE format('SELECT count(*) FROM %I', part) INTO there;
        SELECT count(*) INTO stay FROM events e JOIN events_that_stay(lower, upper) s USING (store_id, kind, occurred_at, id)
            WHERE e.occurred_at >= lower AND e.occurred_at < upper;
        IF stay = 0 OR stay <= 1000 AND stay * 20 <= there THEN
            went := there - stay;
            INSERT INTO retention_sweeps (what, store_id, id)
            SELECT 'session', e.store_id, e.session_id FROM events e WHERE e.occurred_at >= lower AND e.occurred_at < upper AND e.session_id IS NOT NULL
            UNION SELECT 'customer', e.store_id, e.customer_id FROM events e WHERE e.occurred_at >= lower AND e.occurred_at < upper AND e.customer_id IS NOT NULL
            ON CONFLICT DO NOTHING;
            CREATE TEMP TABLE staying ON COMMIT DROP AS SELECT * FROM events_that_stay(lower, upper);
            FOREACH t IN ARRAY ARRAY['events', 'event_flags', 'event_products', 'event_gondolas'] LOOP
                EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', t, t || '_' || suffix);
                EXECUTE format('INSERT INTO %I SELECT x.* FROM %I x JOIN staying s ON s.store_id = x.store_id AND s.kind = x.kind AND s.occurred_at = x.occurred_at AND s.id = x.%I',
                    t, t || '_' || suffix, CASE t WHEN 'events' THEN 'id' ELSE 'event_id' END);
                EXECUTE format('DROP TABLE %I', t || '_' || suffix);
            END LOOP;
            FOREACH t IN ARRAY ARRAY['event_personal_info', 'event_reviews', 'event_notes'] LOOP
                EXECUTE format('DELETE FROM %I x WHERE x.occurred_at >= $1 AND x.occurred_at < $2 AND NOT EXISTS (SELECT 1 FROM staying s
                    WHERE s.store_id = x.store_id AND s.kind = x.kind AND s.occurred_at = x.occurred_at AND s.id = x.event_id)', t) USING lower, upper;
            END LOOP;
            DROP TABLE staying;
        END IF;
    END IF;
    IF went = 0 THEN
        WITH gone AS (
            DELETE FROM events e USING (
                SELECT x.store_id, x.kind, x.occurred_at, x.id FROM events x
                LEFT JOIN events_that_stay(lower, upper) s ON s.store_id = x.store_id AND s.kind = x.kind AND s.occurred_at = x.occurred_at AND s.id = x.id
                WHERE x.occurred_at >= lower AND x.occurred_at < upper AND s.id IS NULL
                LIMIT most
            ) o
            WHERE e.store_id = o.store_id AND e.kind = o.kind AND e.occurred_at = o.occurred_at AND e.id = o.id AND e.occurred_at >= lower AND e.occurred_at < upper
            RETURNING e.*
        ), flags AS (
            DELETE FROM event_flags f USING (SELECT g.store_id, g.kind, g.occurred_at, g.id, unnest(g.flags) AS value FROM gone g) x
            WHERE f.store_id = x.store_id AND f.flag = x.value AND f.kind = x.kind AND f.occurred_at = x.occurred_at AND f.event_id = x.id
                AND f.occurred_at >= lower AND f.occurred_at < upper
        ), products AS (
            DELETE FROM event_products f USING (SELECT g.store_id, g.kind, g.occurred_at, g.id, unnest(g.product_ids) AS value FROM gone g) x
            WHERE f.store_id = x.store_id AND f.product_id = x.value AND f.kind = x.kind AND f.occurred_at = x.occurred_at AND f.event_id = x.id
                AND f.occurred_at >= lower AND f.occurred_at < upper
        ), gondolas AS (
            DELETE FROM event_gondolas f USING (SELECT g.store_id, g.kind, g.occurred_at, g.id, unnest(g.gondola_ids) AS value FROM gone g) x
            WHERE f.store_id = x.store_id AND f.gondola_id = x.value AND f.kind = x.kind AND f.occurred_at = x.occurred_at AND f.event_id = x.id
                AND f.occurred_at >= lower AND f.occurred_at < upper
        ), personal AS (
            DELETE FROM event_personal_info p USING gone g WHERE p.store_id = g.store_id AND p.kind = g.kind AND p.occurred_at = g.occurred_at AND p.event_id = g.id
        ), reviews AS (
            DELETE FROM event_reviews v USING gone g WHERE v.store_id = g.store_id AND v.kind = g.kind AND v.occurred_at = g.occurred_at AND v.event_id = g.id
        ), notes AS (
            DELETE FROM event_notes n USING gone g WHERE n.event_id = g.id AND n.store_id = g.store_id AND n.kind = g.kind AND n.occurred_at = g.occurred_at
        ), todo AS (
            INSERT INTO retention_sweeps (what, store_id, id)
            SELECT 'session', g.store_id, g.session_id FROM gone g WHERE g.session_id IS NOT NULL
            UNION SELECT 'customer', g.store_id, g.customer_id FROM gone g WHERE g.customer_id IS NOT NULL
            ON CONFLICT DO NOTHING
        )
        SELECT count(*) INTO went FROM gone;
    END IF;
    -- Events that are held wait for their hold to be lifted.
    IF NOT EXISTS (SELECT 1 FROM events e
        LEFT JOIN deliveries d ON d.event_occurred_at = e.occurred_at AND d.event_id = e.id AND d.store_id = e.store_id AND d.event_kind = e.kind
            AND d.event_occurred_at >= lower AND d.event_occurred_at < upper
        LEFT JOIN quarantine q ON q.event_occurred_at = e.occurred_at AND q.event_id = e.id AND q.event_store_id = e.store_id AND q.event_kind = e.kind
        WHERE e.occurred_at >= lower AND e.occurred_at < upper AND d.id IS NULL AND q.delivery_id IS NULL) THEN
        DELETE FROM retention_sweeps s WHERE s.what = 'month' AND s.store_id = 0 AND s.id = month;
    END IF;
    RETURN went;
END
$$;
-- +goose StatementEnd

-- sweep_people removes sessions and customers that nothing names any more, of as many as
-- it was told. It returns how many it looked at; none is the end. The rows are locked
-- before they are judged: who names one meanwhile waits, and writes it anew.
-- +goose StatementBegin
CREATE FUNCTION sweep_people(most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET aifi_audit.keeper = 'retention' AS $$
DECLARE
    todo retention_sweeps[];
BEGIN
    LOCK TABLE legal_holds IN SHARE MODE;
    todo := ARRAY(SELECT w FROM retention_sweeps w WHERE w.what <> 'month' ORDER BY w.what DESC, w.store_id, w.id LIMIT most);
    PERFORM 1 FROM sessions s JOIN unnest(todo) w ON w.what = 'session' AND w.store_id = s.store_id AND w.id = s.session_id
        ORDER BY s.store_id, s.session_id FOR UPDATE OF s;
    PERFORM 1 FROM customers c JOIN unnest(todo) w ON w.what = 'customer' AND w.store_id = c.store_id AND w.id = c.customer_id
        ORDER BY c.store_id, c.customer_id FOR UPDATE OF c;
    WITH gone AS (
        DELETE FROM sessions s USING unnest(todo) w
        WHERE w.what = 'session' AND w.store_id = s.store_id AND w.id = s.session_id
            AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.session_id = w.id AND d.store_id = w.store_id)
            AND NOT EXISTS (SELECT 1 FROM events e WHERE e.session_id = w.id AND e.store_id = w.store_id)
            AND NOT EXISTS (SELECT 1 FROM holds h WHERE (h.lifted_at IS NULL OR h.lifted_at > now() - retention_pause())
                AND hold_covers(h, ARRAY[s.store_id], ARRAY[s.session_id], ARRAY[s.customer_id], s.first_seen_at, s.last_seen_at))
        RETURNING s.store_id, s.session_id
    )
    DELETE FROM session_flags f USING gone g WHERE f.store_id = g.store_id AND f.session_id = g.session_id;
    DELETE FROM customers c USING unnest(todo) w
    WHERE w.what = 'customer' AND w.store_id = c.store_id AND w.id = c.customer_id
        AND NOT EXISTS (SELECT 1 FROM events e WHERE e.customer_id = w.id AND e.store_id = w.store_id)
        AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.customer_id = w.id AND s.store_id = w.store_id)
        AND NOT EXISTS (SELECT 1 FROM holds h WHERE (h.lifted_at IS NULL OR h.lifted_at > now() - retention_pause())
            AND hold_covers(h, ARRAY[c.store_id], '{}', ARRAY[c.customer_id], c.first_seen_at, c.last_seen_at));
    DELETE FROM retention_sweeps s USING unnest(todo) w WHERE s.what = w.what AND s.store_id = w.store_id AND s.id = w.id;
    RETURN cardinality(todo);
END
$$;
-- +goose StatementEnd

-- What runs as the owner must not find tables of its caller's making: those that are
-- temporary come last.
-- +goose StatementBegin
DO $$
DECLARE f regprocedure;
BEGIN
    FOR f IN SELECT p.oid FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = current_schema()::regnamespace LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', f, current_schema());
    END LOOP;
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION begin_retirement, retire_deliveries, retire_month, sweep_month, sweep_people FROM PUBLIC;

-- grant_application gives a role what the server needs, and no more: of evidence it may
-- insert and read. Call it again after each migration.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION grant_application(application name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), application);
    EXECUTE format('REVOKE UPDATE, DELETE ON deliveries, delivery_bodies, events, event_flags, event_products, event_gondolas, event_notes, access_log,
        log_leaves, log_tiles, log_checkpoints, log_erasures, legal_holds, hold_lifts, retention_policies, log_retirements FROM %I', application);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON goose_db_version, retention_sweeps FROM %I', application);
    EXECUTE (SELECT string_agg(format('REVOKE INSERT, UPDATE, DELETE ON %s FROM %I', inhrelid::regclass, application), '; ') FROM pg_inherits
        WHERE inhparent IN (SELECT oid FROM pg_class WHERE relkind = 'p'));
    EXECUTE format('GRANT EXECUTE ON FUNCTION make_partition, retire_deliveries, retire_month, sweep_month, sweep_people TO %I', application);
END
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION erase_delivery(of_store bigint, at timestamptz, delivery uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET aifi_audit.keeper = 'eraser' AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM log_erasures x WHERE x.store_id = of_store AND x.received_at = at AND x.delivery_id = delivery) THEN
        RAISE EXCEPTION 'the erasure of % is not written', delivery;
    END IF;
    DELETE FROM delivery_bodies b WHERE b.store_id = of_store AND b.received_at = at AND b.delivery_id = delivery;
    UPDATE deliveries d SET body_sha256 = '' WHERE d.store_id = of_store AND d.received_at = at AND d.id = delivery;
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION erase_person(of_store bigint, of_kind text, at timestamptz, event uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET aifi_audit.keeper = 'eraser' AS $$
BEGIN
    UPDATE events e SET customer_id = NULL WHERE e.store_id = of_store AND e.kind = of_kind AND e.occurred_at = at AND e.id = event;
    DELETE FROM event_personal_info p WHERE p.store_id = of_store AND p.kind = of_kind AND p.occurred_at = at AND p.event_id = event;
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION grant_application(application name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), application);
    EXECUTE format('REVOKE UPDATE, DELETE ON deliveries, delivery_bodies, events, event_flags, event_products, event_gondolas, event_notes, access_log,
        log_leaves, log_tiles, log_checkpoints, log_erasures FROM %I', application);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON goose_db_version FROM %I', application);
    EXECUTE (SELECT string_agg(format('REVOKE INSERT, UPDATE, DELETE ON %s FROM %I', inhrelid::regclass, application), '; ') FROM pg_inherits
        WHERE inhparent IN (SELECT oid FROM pg_class WHERE relkind = 'p'));
    EXECUTE format('GRANT EXECUTE ON FUNCTION make_partition TO %I', application);
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Only the functions below set this, for as long as they run.
    IF current_setting('aifi_audit.keeper', true) IN ('partitions', 'eraser') AND TG_OP <> 'TRUNCATE' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% on % is refused: it is evidence', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd
DROP FUNCTION oldest_partition, sweep_people, sweep_month, events_that_stay, retire_month, retire_deliveries, begin_retirement, retention_cutoff, retention_at, retention_pause;
DROP INDEX deliveries_stated;
DROP TABLE retention_policies, log_retirements, retention_sweeps;
DROP VIEW held_deliveries;
DROP FUNCTION hold_covers;
DROP VIEW holds;
DROP TABLE legal_holds, hold_lifts;
DROP FUNCTION stamp_at;
