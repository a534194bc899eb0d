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
SELECT d.store_id, d.received_at, d.id AS delivery_id, d.session_id, h.id AS hold_id, h.lifted_at
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

-- grant_application gives a role what the server needs, and no more: of evidence it may
-- insert and read. Call it again after each migration.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION grant_application(application name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), application);
    EXECUTE format('REVOKE UPDATE, DELETE ON deliveries, delivery_bodies, events, event_flags, event_products, event_gondolas, event_notes, access_log,
        log_leaves, log_tiles, log_checkpoints, log_erasures, legal_holds, hold_lifts FROM %I', application);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON goose_db_version FROM %I', application);
    EXECUTE (SELECT string_agg(format('REVOKE INSERT, UPDATE, DELETE ON %s FROM %I', inhrelid::regclass, application), '; ') FROM pg_inherits
        WHERE inhparent IN (SELECT oid FROM pg_class WHERE relkind = 'p'));
    EXECUTE format('GRANT EXECUTE ON FUNCTION make_partition TO %I', application);
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
DROP VIEW held_deliveries;
DROP FUNCTION hold_covers;
DROP VIEW holds;
DROP TABLE legal_holds, hold_lifts;
DROP FUNCTION stamp_at;
