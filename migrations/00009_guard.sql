-- +goose Up

-- The database refuses to change what is evidence. Privileges do so for a role that is
-- not the owner (grant_application), triggers for the owner too, against mistakes: an
-- owner who means it can switch triggers off. The log shows it if he did.

-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Only the functions below set this, for as long as they run.
    IF current_setting('aifi_audit.keeper', true) IN ('partitions', 'eraser') AND TG_OP <> 'TRUNCATE' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% on % is refused: it is evidence', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['deliveries', 'delivery_bodies', 'events', 'event_flags', 'event_products', 'event_gondolas',
        'access_log', 'log_leaves', 'log_tiles', 'log_checkpoints', 'log_erasures'] LOOP
        EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
    -- Triggers of statements are not those of partitions.
    FOR t IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent::regclass::text IN
        ('deliveries', 'delivery_bodies', 'events', 'event_flags', 'event_products', 'event_gondolas') LOOP
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
END
$$;
-- +goose StatementEnd

-- make_partition makes the partition of a month, unless it is there. Rows that wait in
-- the DEFAULT partition move into it: a month that has rows there cannot simply be added.
-- It runs as the owner, so that the application need not be.
-- +goose StatementBegin
CREATE FUNCTION make_partition(parent text, by_column text, first_day text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' SET aifi_audit.keeper = 'partitions' AS $$
DECLARE
    month date := first_day::date;
    name text := format('%s_%s', parent, to_char(month, 'YYYYMM'));
    lower date := date_trunc('month', month);
    upper date := lower + interval '1 month';
BEGIN
    IF (parent, by_column) NOT IN (('deliveries', 'received_at'), ('delivery_bodies', 'received_at'), ('events', 'occurred_at'),
        ('event_flags', 'occurred_at'), ('event_products', 'occurred_at'), ('event_gondolas', 'occurred_at')) THEN
        RAISE EXCEPTION '% is not divided by %', parent, by_column;
    END IF;
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(1097418345); -- of those who make partitions: "AiFi" in ASCII
    -- A lock of a table, unlike an advisory one, has this session hear of what others made
    -- while it waited: without, it would go on believing that the partition is not there.
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent || '_default');
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', name, parent);
    EXECUTE format('INSERT INTO %I SELECT * FROM %I WHERE %I >= %L AND %I < %L', name, parent || '_default', by_column, lower, by_column, upper);
    EXECUTE format('DELETE FROM %I WHERE %I >= %L AND %I < %L', parent || '_default', by_column, lower, by_column, upper);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name, lower, upper);
    EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
END
$$;
-- +goose StatementEnd

-- erase_delivery removes what is personal of a delivery and of the event that it states,
-- but for what its erasure leaves. It is for the role that erases.
-- +goose StatementBegin
CREATE FUNCTION erase_delivery(of_store bigint, at timestamptz, delivery uuid) RETURNS void
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

-- erase_person removes the customer's id and personal info from an event. The facts stay.
-- +goose StatementBegin
CREATE FUNCTION erase_person(of_store bigint, of_kind text, at timestamptz, event uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET aifi_audit.keeper = 'eraser' AS $$
BEGIN
    UPDATE events e SET customer_id = NULL WHERE e.store_id = of_store AND e.kind = of_kind AND e.occurred_at = at AND e.id = event;
    DELETE FROM event_personal_info p WHERE p.store_id = of_store AND p.kind = of_kind AND p.occurred_at = at AND p.event_id = event;
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION make_partition, erase_delivery, erase_person FROM PUBLIC;

-- grant_application gives a role what the server needs, and no more: of evidence it may
-- insert and read. Call it again after each migration.
-- +goose StatementBegin
CREATE FUNCTION grant_application(application name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), application);
    EXECUTE format('REVOKE UPDATE, DELETE ON deliveries, delivery_bodies, events, event_flags, event_products, event_gondolas, access_log,
        log_leaves, log_tiles, log_checkpoints, log_erasures FROM %I', application);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON goose_db_version FROM %I', application);
    EXECUTE (SELECT string_agg(format('REVOKE INSERT, UPDATE, DELETE ON %s FROM %I', inhrelid::regclass, application), '; ') FROM pg_inherits
        WHERE inhparent IN (SELECT oid FROM pg_class WHERE relkind = 'p'));
    EXECUTE format('GRANT EXECUTE ON FUNCTION make_partition TO %I', application);
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION grant_application FROM PUBLIC;

-- +goose Down
DROP FUNCTION refuse_change CASCADE;
DROP FUNCTION make_partition, erase_delivery, erase_person, grant_application;
