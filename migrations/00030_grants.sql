-- +goose Up

-- grant_application gives a role what the server needs, and no more: of evidence it may
-- insert and read. Call it again after each migration. It takes rights away, too: the
-- owner of the tables would lose his own, and nothing could be erased or retired any more.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION grant_application(application name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF application = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'deliveries'::regclass) THEN
        RAISE EXCEPTION '% owns the tables: it has all rights, and would lose some', application USING ERRCODE = 'invalid_grant_operation';
    END IF;
    IF NOT has_schema_privilege(application, current_schema(), 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), application);
    END IF;
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), application);
    EXECUTE format('REVOKE UPDATE, DELETE ON deliveries, delivery_bodies, request_heads, events, event_flags, event_products, event_gondolas, event_notes, access_log,
        log_leaves, log_tiles, log_checkpoints, log_cosignatures, log_acts, legal_holds, hold_lifts, retention_policies, log_retirements, erasure_requests, erasure_decisions FROM %I', application);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON goose_db_version, retention_sweeps, log_erasures, log_access_erasures, log_act_erasures, erasure_results, acts, holds FROM %I', application);
    EXECUTE (SELECT string_agg(format('REVOKE INSERT, UPDATE, DELETE ON %s FROM %I', inhrelid::regclass, application), '; ') FROM pg_inherits
        WHERE inhparent IN (SELECT oid FROM pg_class WHERE relkind = 'p'));
    EXECUTE format('GRANT EXECUTE ON FUNCTION make_partition, retire_deliveries, retire_month, sweep_month, sweep_people TO %I', application);
END
$$;
-- +goose StatementEnd

-- +goose Down

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION grant_application(application name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), application);
    EXECUTE format('REVOKE UPDATE, DELETE ON deliveries, delivery_bodies, request_heads, events, event_flags, event_products, event_gondolas, event_notes, access_log,
        log_leaves, log_tiles, log_checkpoints, log_cosignatures, log_acts, legal_holds, hold_lifts, retention_policies, log_retirements, erasure_requests, erasure_decisions FROM %I', application);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON goose_db_version, retention_sweeps, log_erasures, log_access_erasures, log_act_erasures, erasure_results, acts, holds FROM %I', application);
    EXECUTE (SELECT string_agg(format('REVOKE INSERT, UPDATE, DELETE ON %s FROM %I', inhrelid::regclass, application), '; ') FROM pg_inherits
        WHERE inhparent IN (SELECT oid FROM pg_class WHERE relkind = 'p'));
    EXECUTE format('GRANT EXECUTE ON FUNCTION make_partition, retire_deliveries, retire_month, sweep_month, sweep_people TO %I', application);
END
$$;
-- +goose StatementEnd
