-- +goose Up

-- Most deliveries of a sender come with the same address, path and header fields, which
-- took more room than all else in their rows. They are kept once.

CREATE TABLE request_heads (
    id          uuid  NOT NULL PRIMARY KEY,
    remote_addr text  NOT NULL,
    path        text  NOT NULL,
    headers     jsonb NOT NULL
);

COMMENT ON TABLE request_heads IS 'What the requests of many deliveries have in common. Insert only.';
COMMENT ON COLUMN request_heads.id IS 'UUIDv8 of the SHA-256 of the other columns: the same head has the same id';

CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON request_heads FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON request_heads FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE deliveries ADD COLUMN head_id uuid;
ALTER TABLE deliveries ALTER COLUMN remote_addr DROP NOT NULL, ALTER COLUMN path DROP NOT NULL, ALTER COLUMN headers DROP NOT NULL;

COMMENT ON COLUMN deliveries.head_id IS 'The request head that it shares with others; what it does not share, or all of it, stands in remote_addr, path and headers. See delivery_requests';

-- delivery_requests are the deliveries with the whole of their requests but the bodies.
CREATE VIEW delivery_requests AS
SELECT d.store_id, d.received_at, d.id, d.webhook, d.session_id, d.event_kind, d.event_occurred_at, d.event_id, d.issued_at, d.token_id,
    coalesce(d.remote_addr, h.remote_addr, '') AS remote_addr, coalesce(d.path, h.path, '') AS path,
    (CASE WHEN d.headers IS NULL THEN coalesce(h.headers, '{}') WHEN h.headers IS NULL THEN d.headers ELSE h.headers || d.headers END)::jsonb AS headers,
    d.body_size, d.body_sha256, d.truncated
FROM deliveries d
LEFT JOIN request_heads h ON h.id = d.head_id;

COMMENT ON VIEW delivery_requests IS 'deliveries, with what they share with others.';

-- grant_application gives a role what the server needs, and no more: of evidence it may
-- insert and read. Call it again after each migration.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION grant_application(application name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), application);
    EXECUTE format('REVOKE UPDATE, DELETE ON deliveries, delivery_bodies, request_heads, events, event_flags, event_products, event_gondolas, event_notes, access_log,
        log_leaves, log_tiles, log_checkpoints, log_cosignatures, legal_holds, hold_lifts, retention_policies, log_retirements, erasure_requests, erasure_decisions FROM %I', application);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON goose_db_version, retention_sweeps, log_erasures, log_access_erasures, erasure_results FROM %I', application);
    EXECUTE (SELECT string_agg(format('REVOKE INSERT, UPDATE, DELETE ON %s FROM %I', inhrelid::regclass, application), '; ') FROM pg_inherits
        WHERE inhparent IN (SELECT oid FROM pg_class WHERE relkind = 'p'));
    EXECUTE format('GRANT EXECUTE ON FUNCTION make_partition, retire_deliveries, retire_month, sweep_month, sweep_people TO %I', application);
END
$$;
-- +goose StatementEnd

-- +goose Down

DROP VIEW delivery_requests;

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION grant_application(application name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), application);
    EXECUTE format('REVOKE UPDATE, DELETE ON deliveries, delivery_bodies, events, event_flags, event_products, event_gondolas, event_notes, access_log,
        log_leaves, log_tiles, log_checkpoints, log_cosignatures, legal_holds, hold_lifts, retention_policies, log_retirements, erasure_requests, erasure_decisions FROM %I', application);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON goose_db_version, retention_sweeps, log_erasures, log_access_erasures, erasure_results FROM %I', application);
    EXECUTE (SELECT string_agg(format('REVOKE INSERT, UPDATE, DELETE ON %s FROM %I', inhrelid::regclass, application), '; ') FROM pg_inherits
        WHERE inhparent IN (SELECT oid FROM pg_class WHERE relkind = 'p'));
    EXECUTE format('GRANT EXECUTE ON FUNCTION make_partition, retire_deliveries, retire_month, sweep_month, sweep_people TO %I', application);
END
$$;
-- +goose StatementEnd

SET LOCAL aifi_audit.keeper = 'partitions';
UPDATE deliveries d SET remote_addr = coalesce(d.remote_addr, h.remote_addr), path = coalesce(d.path, h.path), headers = h.headers || coalesce(d.headers, '{}')
FROM request_heads h WHERE h.id = d.head_id;
ALTER TABLE deliveries DROP COLUMN head_id;
ALTER TABLE deliveries ALTER COLUMN remote_addr SET NOT NULL, ALTER COLUMN path SET NOT NULL, ALTER COLUMN headers SET NOT NULL;
DROP TABLE request_heads;
