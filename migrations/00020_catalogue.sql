-- +goose Up

-- Which stores know a value at all: a list by it looks into no others, and finds a value
-- that was never seen in none.
CREATE TABLE store_flags (
    store_id bigint NOT NULL,
    flag     text   NOT NULL,
    PRIMARY KEY (store_id, flag)
);

COMMENT ON TABLE store_flags IS 'Every flag that a store was ever seen with.';

CREATE TABLE store_webhooks (
    store_id bigint NOT NULL,
    webhook  text   NOT NULL,
    PRIMARY KEY (store_id, webhook)
);

COMMENT ON TABLE store_webhooks IS 'Every webhook that a store was ever seen with.';

INSERT INTO store_flags SELECT store_id, flag FROM event_flags UNION SELECT store_id, flag FROM session_flags;
INSERT INTO store_webhooks SELECT DISTINCT store_id, webhook FROM deliveries;

CREATE INDEX store_flags_flag ON store_flags (flag, store_id);
CREATE INDEX store_webhooks_webhook ON store_webhooks (webhook, store_id);
CREATE INDEX products_product ON products (product_id, store_id);
CREATE INDEX gondolas_gondola ON gondolas (gondola_id, store_id);

CREATE VIEW store_facets AS
SELECT store_id, 'store'::text AS facet, ''::text AS value, first_seen_at, last_seen_at FROM stores
UNION ALL
SELECT store_id, 'product', product_id, first_seen_at, last_seen_at FROM products
UNION ALL
SELECT store_id, 'gondola', gondola_id, first_seen_at, last_seen_at FROM gondolas
UNION ALL
SELECT store_id, 'flag', flag, first_seen_at, last_seen_at FROM store_flags JOIN stores USING (store_id);

COMMENT ON VIEW store_facets IS 'Which stores were ever seen with a value of a facet of events.';
COMMENT ON COLUMN store_facets.first_seen_at IS 'The earliest occurred_at that may have it; of a flag, that of all events of the store';
COMMENT ON COLUMN store_facets.last_seen_at IS 'The latest occurred_at that may have it, to a minute; of a flag, that of all events of the store';

-- +goose Down
DROP VIEW store_facets;
DROP INDEX products_product, gondolas_gondola;
DROP TABLE store_flags, store_webhooks;
