-- +goose Up

-- What tells refuse_change that one of the functions below is at work has been a parameter
-- of our own, which only a superuser may have a function set: an ordinary owner could
-- neither make the tables nor restore a dump of them. Anybody may set application_name.
-- It is set for as long as the function runs.

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('application_name') IN ('aifi-audit keeps partitions', 'aifi-audit erases', 'aifi-audit retires') AND TG_OP <> 'TRUNCATE' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% on % is refused: it is evidence', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd

-- To make a partition, nobody may be reading the DEFAULT one for a moment. Who waited for
-- that had everybody else wait behind him: an export, or a dump, stopped all ingest. Now it
-- is given up after a short time (55P03), and tried again.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION make_partition(parent text, by_column text, first_day text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' SET lock_timeout = 0 AS $$
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
    PERFORM set_config('lock_timeout', '300ms', true);
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent || '_default');
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION)', name, parent);
    EXECUTE format('INSERT INTO %I SELECT * FROM %I WHERE %I >= %L AND %I < %L', name, parent || '_default', by_column, lower, by_column, upper);
    EXECUTE format('DELETE FROM %I WHERE %I >= %L AND %I < %L', parent || '_default', by_column, lower, by_column, upper);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name, lower, upper);
    EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE k record;
BEGIN
    FOR k IN SELECT * FROM (VALUES
        ('make_partition(text, text, text)', 'aifi-audit keeps partitions'),
        ('erase_access(bigint, text, text, text)', 'aifi-audit erases'),
        ('erase_act(text, uuid)', 'aifi-audit erases'),
        ('erase_comments(bigint, text, timestamptz, uuid)', 'aifi-audit erases'),
        ('erase_delivery(bigint, timestamptz, uuid)', 'aifi-audit erases'),
        ('erase_holds(text)', 'aifi-audit erases'),
        ('erase_person(bigint, text, timestamptz, uuid)', 'aifi-audit erases'),
        ('retire_deliveries(uuid)', 'aifi-audit retires'),
        ('retire_month(uuid)', 'aifi-audit retires'),
        ('sweep_month(text, integer)', 'aifi-audit retires'),
        ('sweep_people(integer)', 'aifi-audit retires')) k (function, name)
    LOOP
        IF EXISTS (SELECT 1 FROM pg_proc, unnest(proconfig) c WHERE pg_proc.oid = k.function::regprocedure AND c LIKE 'aifi_audit.keeper=%') THEN
            EXECUTE format('ALTER FUNCTION %s RESET aifi_audit.keeper', k.function);
        END IF;
        EXECUTE format('ALTER FUNCTION %s SET application_name = %L', k.function, k.name);
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', k.function, current_schema());
    END LOOP;
END
$$;
-- +goose StatementEnd

COMMENT ON COLUMN deliveries.truncated IS 'The body is not whole: it was longer than the limit, or ended early. Its first part was kept';

-- +goose Down

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('aifi_audit.keeper', true) IN ('partitions', 'eraser', 'retention') AND TG_OP <> 'TRUNCATE' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% on % is refused: it is evidence', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd

-- Only a superuser can.
-- +goose StatementBegin
DO $$
DECLARE k record;
BEGIN
    FOR k IN SELECT p.oid::regprocedure AS function, replace(replace(replace(c, 'application_name=aifi-audit keeps partitions', 'partitions'),
            'application_name=aifi-audit erases', 'eraser'), 'application_name=aifi-audit retires', 'retention') AS keeper
        FROM pg_proc p, unnest(p.proconfig) c WHERE p.pronamespace = current_schema()::regnamespace AND c LIKE 'application_name=aifi-audit %'
    LOOP
        EXECUTE format('ALTER FUNCTION %s RESET application_name', k.function);
        EXECUTE format('ALTER FUNCTION %s SET aifi_audit.keeper = %L', k.function, k.keeper);
    END LOOP;
END
$$;
-- +goose StatementEnd
