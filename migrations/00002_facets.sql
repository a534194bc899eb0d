-- +goose Up

-- Lists are merged from one ordered index scan for each store and value; these are
-- the indexes that were missing for it.

DROP INDEX deliveries_webhook;
CREATE INDEX deliveries_webhook ON deliveries (store_id, webhook, received_at, id);

-- A session's flags carry the time that sessions are listed by, which never changes.
CREATE TABLE session_flags_listed (
    store_id      bigint      NOT NULL,
    flag          text        NOT NULL,
    first_seen_at timestamptz NOT NULL,
    session_id    text        NOT NULL,
    PRIMARY KEY (store_id, session_id, flag)
);
INSERT INTO session_flags_listed (store_id, flag, first_seen_at, session_id)
SELECT f.store_id, f.flag, s.first_seen_at, f.session_id
FROM session_flags f
JOIN sessions s ON s.store_id = f.store_id AND s.session_id = f.session_id;
DROP TABLE session_flags;
ALTER TABLE session_flags_listed RENAME TO session_flags;
ALTER INDEX session_flags_listed_pkey RENAME TO session_flags_pkey;
CREATE INDEX session_flags_listed ON session_flags (store_id, flag, first_seen_at, session_id);

COMMENT ON COLUMN session_flags.first_seen_at IS 'sessions.first_seen_at of the session';

CREATE VIEW session_facets AS
SELECT store_id, 'store'::text AS facet, ''::text AS value, first_seen_at, session_id FROM sessions
UNION ALL
SELECT store_id, 'flag', flag, first_seen_at, session_id FROM session_flags;

COMMENT ON VIEW session_facets IS 'One ordered way into sessions for each facet, as event_facets are for events.';

CREATE VIEW delivery_facets AS
SELECT store_id, 'store'::text AS facet, ''::text AS value, received_at, id FROM deliveries
UNION ALL
SELECT store_id, 'webhook', webhook, received_at, id FROM deliveries;

COMMENT ON VIEW delivery_facets IS 'One ordered way into deliveries for each facet, as event_facets are for events.';

-- +goose Down
DROP VIEW session_facets, delivery_facets;
DROP INDEX deliveries_webhook;
CREATE INDEX deliveries_webhook ON deliveries (webhook, received_at, id);
DROP INDEX session_flags_listed;
