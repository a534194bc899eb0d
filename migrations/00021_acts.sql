-- +goose Up

-- What staff write is in the transparency log: a leaf commits to each act, to the letter.
-- Acts are rows of several tables; what their leaves were made of is in log_acts.

CREATE INDEX event_notes_id ON event_notes (id);
CREATE INDEX access_log_early ON access_log ((lpad(to_hex(id), 32, '0')::uuid)) WHERE entry_id IS NULL;

-- An id that is a number stands at the end of a UUID. Facts are texts: times as seconds since
-- 1970, which no setting of the session changes. What is null is left out, so that a fact
-- which is added later, and null of older acts, leaves their leaves as they are.
CREATE VIEW acts AS
SELECT 'note'::text AS kind, n.id, n.at, n.delivery_id, jsonb_strip_nulls(jsonb_build_object(
    'at', extract(epoch FROM n.at)::text, 'storeId', n.store_id::text, 'kind', n.kind, 'occurredAt', extract(epoch FROM n.occurred_at)::text,
    'eventId', n.event_id::text, 'deliveryId', n.delivery_id::text, 'tokenId', n.token_id::text, 'tokenName', n.token_name,
    'disposition', n.disposition, 'comment', n.comment)) AS facts
FROM event_notes n
UNION ALL
SELECT 'hold', h.id, h.at, NULL::uuid, jsonb_strip_nulls(jsonb_build_object(
    'at', extract(epoch FROM h.at)::text, 'placedBy', h.placed_by, 'tokenId', h.token_id::text, 'reason', h.reason, 'storeId', h.store_id::text,
    'sessionId', h.session_id, 'customerId', h.customer_id, 'from', extract(epoch FROM h.from_time)::text, 'to', extract(epoch FROM h.to_time)::text))
FROM legal_holds h
UNION ALL
SELECT 'lift', l.hold_id, l.at, NULL, jsonb_build_object(
    'at', extract(epoch FROM l.at)::text, 'liftedBy', l.lifted_by, 'tokenId', l.token_id::text, 'reason', l.reason)
FROM hold_lifts l
UNION ALL
SELECT 'policy', lpad(to_hex(p.id), 32, '0')::uuid, p.at, NULL, jsonb_strip_nulls(jsonb_build_object(
    'at', extract(epoch FROM p.at)::text, 'setBy', p.set_by, 'tokenId', p.token_id::text, 'storeId', p.store_id::text, 'webhook', p.webhook,
    'months', p.months::text, 'withdrawn', p.withdrawn::text))
FROM retention_policies p
UNION ALL
SELECT 'erasure request', r.id, r.requested_at, NULL, jsonb_strip_nulls(jsonb_build_object(
    'at', extract(epoch FROM r.requested_at)::text, 'expiresAt', extract(epoch FROM r.expires_at)::text, 'tokenId', r.token_id::text,
    'requestedBy', r.requested_by, 'reason', r.reason, 'subject', encode(r.subject, 'hex'), 'found', r.found::text, 'digest', encode(r.digest, 'hex')))
FROM erasure_requests r
UNION ALL
SELECT 'erasure decision', d.id, d.at, NULL, jsonb_strip_nulls(jsonb_build_object(
    'at', extract(epoch FROM d.at)::text, 'requestId', d.request_id::text, 'decision', d.decision, 'tokenId', d.token_id::text, 'decidedBy', d.decided_by))
FROM erasure_decisions d
UNION ALL
SELECT 'erasure result', x.request_id, x.executed_at, NULL, jsonb_build_object(
    'at', extract(epoch FROM x.executed_at)::text, 'erased', x.erased::text, 'statement', x.statement)
FROM erasure_results x
UNION ALL
SELECT 'early access', lpad(to_hex(a.id), 32, '0')::uuid, a.at, NULL, jsonb_strip_nulls(jsonb_build_object(
    'at', extract(epoch FROM a.at)::text, 'tokenId', a.token_id::text, 'action', a.action, 'path', a.path, 'query', a.query,
    'remoteAddr', a.remote_addr, 'status', a.status::text, 'rows', a.rows::text, 'detail', a.detail))
FROM access_log a WHERE a.entry_id IS NULL;

COMMENT ON VIEW acts IS 'Each row that staff wrote, in one shape: the facts to which its leaf in the log commits. Other entries of the access log have leaves of their own.';

CREATE TABLE log_acts (
    kind        text        NOT NULL,
    id          uuid        NOT NULL,
    at          timestamptz NOT NULL,
    delivery_id uuid        NOT NULL,
    adopted     boolean     NOT NULL,
    commitment  bytea       NOT NULL,
    secret      bytea,
    PRIMARY KEY (kind, id)
);

COMMENT ON TABLE log_acts IS 'A row an act that has a leaf: what its leaf was made of, so that it can be made again when the act is gone by the rules. Insert only.';
COMMENT ON COLUMN log_acts.at IS 'The time of the leaf: of the act, or if it was adopted when it was';
COMMENT ON COLUMN log_acts.delivery_id IS 'Of a note: the delivery by which the event was named. Zero of others';
COMMENT ON COLUMN log_acts.adopted IS 'It was found without a leaf, from before acts had any: the log speaks of it from then on';
COMMENT ON COLUMN log_acts.secret IS '32 random bytes from which the salt of the commitment to the facts comes; null: a person was erased of it';

CREATE TABLE log_act_erasures (
    kind       text        NOT NULL,
    id         uuid        NOT NULL,
    erased_at  timestamptz NOT NULL,
    commitment bytea       NOT NULL,
    secret     bytea       NOT NULL,
    request_id uuid        NOT NULL,
    PRIMARY KEY (kind, id)
);

COMMENT ON TABLE log_act_erasures IS 'An act that named an erased customer, or had words about him, and does no more. Insert only.';
COMMENT ON COLUMN log_act_erasures.commitment IS 'To its facts as they are now';
COMMENT ON COLUMN log_act_erasures.secret IS 'From it comes the salt of that commitment';

-- has_acts says whether a row of log_leaves has a leaf of an act: those of deliveries, of
-- retirements, of entries of the access log and of certificates have lower kinds.
CREATE FUNCTION has_acts(ids bytea) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN EXISTS (SELECT 1 FROM generate_series(0, length(ids) - 17, 17) AS i WHERE get_byte(ids, i) >= 8);

-- Acts are few, and far apart among deliveries.
CREATE INDEX log_leaves_acts ON log_leaves (first_index) WHERE has_acts(ids);

-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['log_acts', 'log_act_erasures'] LOOP
        EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
END
$$;
-- +goose StatementEnd

-- erase_act removes the secret by which the former facts of an act could be guessed.
-- +goose StatementBegin
CREATE FUNCTION erase_act(of_kind text, act uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET aifi_audit.keeper = 'eraser' AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM log_act_erasures x WHERE x.kind = of_kind AND x.id = act) THEN
        RAISE EXCEPTION 'the erasure of % % is not written', of_kind, act;
    END IF;
    UPDATE log_acts l SET secret = NULL WHERE l.kind = of_kind AND l.id = act;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION erase_act SET search_path = %I, pg_temp', current_schema());
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION erase_act FROM PUBLIC;

-- grant_application gives a role what the server needs, and no more: of evidence it may
-- insert and read. Call it again after each migration.
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

-- +goose Down

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

DROP INDEX log_leaves_acts;
DROP FUNCTION has_acts, erase_act;
DROP TABLE log_acts, log_act_erasures;
DROP VIEW acts;
DROP INDEX event_notes_id, access_log_early;
