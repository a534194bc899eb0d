-- +goose Up

-- What was erased. The body and its salt are gone; what is kept here lets the facts
-- be proven still, and the leaf of the delivery be made again.

CREATE TABLE log_erasures (
    store_id        bigint      NOT NULL,
    received_at     timestamptz NOT NULL,
    delivery_id     uuid        NOT NULL,
    erased_at       timestamptz NOT NULL,
    body_commitment bytea       NOT NULL,
    facts_salt      bytea       NOT NULL,
    secret          bytea       NOT NULL,
    actor           text        NOT NULL,
    reason          text        NOT NULL,
    PRIMARY KEY (store_id, received_at, delivery_id)
);

COMMENT ON TABLE log_erasures IS 'A row a delivery whose body was erased. Insert only.';
COMMENT ON COLUMN log_erasures.secret IS 'From it comes the salt of the commitment to actor and reason in the leaf of the erasure';

-- +goose Down
DROP TABLE log_erasures;
