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
    END LOOP;
END
$$;
-- +goose StatementEnd

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
