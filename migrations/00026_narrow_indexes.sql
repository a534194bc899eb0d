-- +goose Up

-- Indexes were a third of all that a delivery takes. They have no more in them now than
-- it takes to find a row and to have it in order of time; those few of one instant are
-- put in order afterwards.
--
-- Ids of AiFi's and names of webhooks are long: an index has a hash of 8 bytes of them.
-- Who asks for one asks for its hash too, or no index is used.

CREATE FUNCTION text_hashes(texts text[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT array_agg(hashtextextended(t, 0)) FROM unnest(texts) t $$;

COMMENT ON FUNCTION text_hashes IS 'hashtextextended(t, 0) of each: as a function, so that the planner knows the hashes and not only that there will be some.';

DROP INDEX deliveries_webhook, deliveries_session, deliveries_received, events_session, events_customer;

CREATE INDEX deliveries_webhook ON deliveries (store_id, hashtextextended(webhook, 0), received_at);
-- None is partial: the planner does not look at the statistics of one that is.
CREATE INDEX deliveries_session ON deliveries (hashtextextended(session_id, 0), received_at);
CREATE INDEX events_session ON events (hashtextextended(session_id, 0), occurred_at);
CREATE INDEX events_customer ON events (hashtextextended(customer_id, 0), occurred_at);

-- A key that begins with the store has its pages split in the middle, and half empty. One
-- that begins with time grows at its end, and is the list of all stores as well.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_pkey, ADD PRIMARY KEY (received_at, id, store_id);
CREATE INDEX deliveries_store ON deliveries (store_id, received_at);

CREATE OR REPLACE VIEW delivery_facets AS
SELECT store_id, 'store'::text AS facet, ''::text AS value, received_at, id, hashtextextended('', 0) AS value_hash FROM deliveries
UNION ALL
SELECT store_id, 'webhook', webhook, received_at, id, hashtextextended(webhook, 0) FROM deliveries;

-- sweep_people removes sessions and customers that nothing names any more, of as many as
-- it was told. It returns how many it looked at; none is the end. The rows are locked
-- before they are judged: who names one meanwhile waits, and writes it anew.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sweep_people(most integer) RETURNS bigint
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
            AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE hashtextextended(d.session_id, 0) = hashtextextended(w.id, 0) AND d.session_id = w.id AND d.store_id = w.store_id)
            AND NOT EXISTS (SELECT 1 FROM events e WHERE hashtextextended(e.session_id, 0) = hashtextextended(w.id, 0) AND e.session_id = w.id AND e.store_id = w.store_id)
            AND NOT EXISTS (SELECT 1 FROM holds h WHERE (h.lifted_at IS NULL OR h.lifted_at > now() - retention_pause())
                AND hold_covers(h, ARRAY[s.store_id], ARRAY[s.session_id], ARRAY[s.customer_id], s.first_seen_at, s.last_seen_at))
        RETURNING s.store_id, s.session_id
    )
    DELETE FROM session_flags f USING gone g WHERE f.store_id = g.store_id AND f.session_id = g.session_id;
    DELETE FROM customers c USING unnest(todo) w
    WHERE w.what = 'customer' AND w.store_id = c.store_id AND w.id = c.customer_id
        AND NOT EXISTS (SELECT 1 FROM events e WHERE hashtextextended(e.customer_id, 0) = hashtextextended(w.id, 0) AND e.customer_id = w.id AND e.store_id = w.store_id)
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
BEGIN
    EXECUTE format('ALTER FUNCTION sweep_people(integer) SET search_path = %I, pg_temp', current_schema());
END
$$;
-- +goose StatementEnd

-- Of months that do not change any more nobody else would gather what the planner must
-- know of a hash.
ANALYZE deliveries, events;

-- +goose Down

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sweep_people(most integer) RETURNS bigint
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

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION sweep_people(integer) SET search_path = %I, pg_temp', current_schema());
END
$$;
-- +goose StatementEnd

DROP VIEW delivery_facets;
CREATE VIEW delivery_facets AS
SELECT store_id, 'store'::text AS facet, ''::text AS value, received_at, id FROM deliveries
UNION ALL
SELECT store_id, 'webhook', webhook, received_at, id FROM deliveries;

COMMENT ON VIEW delivery_facets IS 'One ordered way into deliveries for each facet, as event_facets are for events.';

DROP FUNCTION text_hashes;
DROP INDEX deliveries_webhook, deliveries_session, deliveries_store, events_session, events_customer;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_pkey, ADD PRIMARY KEY (store_id, received_at, id);
CREATE INDEX deliveries_received ON deliveries (received_at, id);
CREATE INDEX deliveries_webhook ON deliveries (store_id, webhook, received_at, id);
CREATE INDEX deliveries_session ON deliveries (session_id, received_at) WHERE session_id IS NOT NULL;
CREATE INDEX events_session ON events (session_id, occurred_at, id) WHERE session_id IS NOT NULL;
CREATE INDEX events_customer ON events (customer_id, occurred_at, id) WHERE customer_id IS NOT NULL;
