-- +goose Up

-- An erasure is asked for by one person and approved by another. Both are kept for
-- ever; the customer's id is not: it waits in a table of its own, and is deleted when
-- the erasure was done, or will not be.

CREATE TABLE erasure_requests (
    id           uuid        NOT NULL PRIMARY KEY,
    requested_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    token_id     bigint,
    requested_by text        NOT NULL,
    reason       text        NOT NULL,
    subject      bytea       NOT NULL,
    found        jsonb       NOT NULL,
    digest       bytea       NOT NULL
);

COMMENT ON TABLE erasure_requests IS 'Who asked for the erasure of a customer, why, and what was found then. Insert only.';
COMMENT ON COLUMN erasure_requests.id IS 'UUIDv7';
COMMENT ON COLUMN erasure_requests.token_id IS 'Null: asked for on the command line';
COMMENT ON COLUMN erasure_requests.subject IS 'Commitment (HMAC-SHA-256) to the customer''s id, under the secret in erasure_subjects: says nothing when that is gone';
COMMENT ON COLUMN erasure_requests.found IS 'How many rows of each kind were found';
COMMENT ON COLUMN erasure_requests.digest IS 'SHA-256 over the request and the deliveries found: what an approval repeats';

CREATE TABLE erasure_subjects (
    request_id  uuid  NOT NULL PRIMARY KEY,
    customer_id text  NOT NULL,
    secret      bytea NOT NULL
);

COMMENT ON TABLE erasure_subjects IS 'Whom an open request is about. The row is deleted when the request is closed.';

CREATE TABLE erasure_decisions (
    request_id uuid        NOT NULL,
    id         uuid        NOT NULL,
    at         timestamptz NOT NULL,
    decision   text        NOT NULL CHECK (decision IN ('approved', 'rejected', 'withdrawn', 'unapproved')),
    token_id   bigint,
    decided_by text        NOT NULL,
    PRIMARY KEY (request_id, id)
);

COMMENT ON TABLE erasure_decisions IS 'What was decided of requests, by whom. Insert only.';
COMMENT ON COLUMN erasure_decisions.decision IS 'unapproved: the operator went without a second person, on the command line';

CREATE TABLE erasure_results (
    request_id  uuid        NOT NULL PRIMARY KEY,
    executed_at timestamptz NOT NULL,
    erased      jsonb       NOT NULL,
    statement   text        NOT NULL,
    secret      bytea       NOT NULL
);

COMMENT ON TABLE erasure_results IS 'What was erased, in words: a leaf of the log commits to them. Insert only.';
COMMENT ON COLUMN erasure_results.secret IS 'From it comes the salt of the commitment to the statement';

ALTER TABLE log_erasures ADD COLUMN request_id uuid;
CREATE INDEX log_erasures_request ON log_erasures (request_id) WHERE request_id IS NOT NULL;

COMMENT ON COLUMN log_erasures.request_id IS 'The request by which it was erased; null: from before there were requests';

CREATE TABLE log_access_erasures (
    entry_id         uuid        NOT NULL PRIMARY KEY,
    erased_at        timestamptz NOT NULL,
    facts_commitment bytea       NOT NULL,
    secret           bytea       NOT NULL,
    request_id       uuid        NOT NULL
);

COMMENT ON TABLE log_access_erasures IS 'An entry of the access log that named an erased customer, and does no more. Insert only.';
COMMENT ON COLUMN log_access_erasures.facts_commitment IS 'What its leaf committed to';
COMMENT ON COLUMN log_access_erasures.secret IS 'From it comes the salt of the commitment to the entry as it is now';

CREATE INDEX event_personal_info_customer ON event_personal_info (customer_id) WHERE customer_id IS NOT NULL;

-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['erasure_requests', 'erasure_decisions', 'erasure_results', 'log_access_erasures'] LOOP
        EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
END
$$;
-- +goose StatementEnd

-- erase_comments removes what staff wrote of an event in their own words. That they
-- noted something, when, and the disposition stay.
-- +goose StatementBegin
CREATE FUNCTION erase_comments(of_store bigint, of_kind text, occurred timestamptz, event uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET aifi_audit.keeper = 'eraser' AS $$
DECLARE n bigint;
BEGIN
    UPDATE event_notes e SET comment = '[erased]'
    WHERE e.store_id = of_store AND e.kind = of_kind AND e.occurred_at = occurred AND e.event_id = event AND e.comment <> '[erased]';
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$$;
-- +goose StatementEnd

-- erase_access removes a customer from what was asked for in an entry of the access
-- log, and the secret by which the former text could be guessed.
-- +goose StatementBegin
CREATE FUNCTION erase_access(entry bigint, new_path text, new_query text, new_detail text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET aifi_audit.keeper = 'eraser' AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM access_log a WHERE a.id = entry AND a.entry_id IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM log_access_erasures x WHERE x.entry_id = a.entry_id)) THEN
        RAISE EXCEPTION 'the erasure of entry % is not written', entry;
    END IF;
    UPDATE access_log a SET path = new_path, query = new_query, detail = new_detail, secret = NULL WHERE a.id = entry;
END
$$;
-- +goose StatementEnd

-- erase_holds removes a customer from holds that are lifted. That there was a hold, and
-- why, stays.
-- +goose StatementBegin
CREATE FUNCTION erase_holds(customer text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET aifi_audit.keeper = 'eraser' AS $$
DECLARE n bigint;
BEGIN
    UPDATE legal_holds h SET customer_id = '[erased]' WHERE h.customer_id = customer AND EXISTS (SELECT 1 FROM hold_lifts l WHERE l.hold_id = h.id);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION erase_comments, erase_access, erase_holds FROM PUBLIC;

-- grant_application gives a role what the server needs, and no more: of evidence it may
-- insert and read. Call it again after each migration.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION grant_application(application name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), application);
    EXECUTE format('REVOKE UPDATE, DELETE ON deliveries, delivery_bodies, events, event_flags, event_products, event_gondolas, event_notes, access_log,
        log_leaves, log_tiles, log_checkpoints, legal_holds, hold_lifts, retention_policies, log_retirements, erasure_requests, erasure_decisions FROM %I', application);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON goose_db_version, retention_sweeps, log_erasures, log_access_erasures, erasure_results FROM %I', application);
    EXECUTE (SELECT string_agg(format('REVOKE INSERT, UPDATE, DELETE ON %s FROM %I', inhrelid::regclass, application), '; ') FROM pg_inherits
        WHERE inhparent IN (SELECT oid FROM pg_class WHERE relkind = 'p'));
    EXECUTE format('GRANT EXECUTE ON FUNCTION make_partition, retire_deliveries, retire_month, sweep_month, sweep_people TO %I', application);
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION erase_comments, erase_access, erase_holds;
DROP INDEX event_personal_info_customer;
DROP TABLE log_access_erasures, erasure_requests, erasure_subjects, erasure_decisions, erasure_results;
DROP INDEX log_erasures_request;
ALTER TABLE log_erasures DROP COLUMN request_id;

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
