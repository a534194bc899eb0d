-- +goose Up

-- How much usually comes of each webhook of a store, so that silence can be told from
-- a quiet hour. Quarters of an hour, as in event_counts; by time of receipt.
CREATE TABLE delivery_counts (
    store_id   bigint      NOT NULL,
    webhook    text        NOT NULL,
    bucket     timestamptz NOT NULL,
    deliveries bigint      NOT NULL,
    last_at    timestamptz NOT NULL,
    PRIMARY KEY (store_id, webhook, bucket)
) WITH (fillfactor = 70); -- room for the new version of a row on its own page

COMMENT ON TABLE delivery_counts IS 'How many deliveries came in a quarter of an hour of received_at. Written with them; kept for nine weeks.';
COMMENT ON COLUMN delivery_counts.webhook IS 'One that AiFi documents, or other';
COMMENT ON COLUMN delivery_counts.bucket IS 'The start of the quarter of an hour';
COMMENT ON COLUMN delivery_counts.last_at IS 'received_at of the last of them';

INSERT INTO delivery_counts (store_id, webhook, bucket, deliveries, last_at)
SELECT store_id,
    CASE WHEN webhook IN ('restricted-products-interactions', 'suspected-fraud', 'remote-register', 'tracking', 'transition/entered',
        'transition/left', 'checkout-zone/entered', 'checkout-zone/left', 'customer-created', 'entry-code/notify', 'planogram-error',
        'identity-matching', 'entry-code/verify', 'order-price', 'cart-mutator', 'checkout') THEN webhook ELSE 'other' END,
    date_bin('15 minutes', received_at, '0001-01-01Z'), count(*), max(received_at)
FROM deliveries
WHERE received_at >= now() - interval '63 days'
GROUP BY 1, 2, 3;

-- How much of the quarantine is open is counted without reading the rest.
CREATE INDEX quarantine_open ON quarantine (store_id) WHERE replayed_at IS NULL;

-- +goose Down
DROP INDEX quarantine_open;
DROP TABLE delivery_counts;
