-- +goose Up

-- The transparency log: a Merkle tree (RFC 6962) with a leaf for each delivery.
--   * Ingest only queues leaves; one sequencer moves them into the tree.
--   * log_leaves, log_tiles and log_checkpoints are insert only.

ALTER TABLE delivery_bodies ADD COLUMN secret bytea;

COMMENT ON COLUMN delivery_bodies.secret IS '32 random bytes from which the salts of the leaf''s commitments come; null: received before there was a log. Deleted with the body';

CREATE TABLE log_queue (
    id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    leaves    bytea[]     NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

ALTER TABLE log_queue ALTER COLUMN leaves SET STORAGE EXTERNAL;

COMMENT ON TABLE log_queue IS 'Leaves that wait for the sequencer, a row a batch, written in the transaction of what they are about.';

CREATE TABLE log_leaves (
    first_index bigint      NOT NULL PRIMARY KEY,
    ids         bytea       NOT NULL,
    hashes      bytea       NOT NULL,
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL
);

ALTER TABLE log_leaves ALTER COLUMN hashes SET STORAGE EXTERNAL;

CREATE INDEX log_leaves_at ON log_leaves USING gist (tstzrange(first_at, last_at, '[]'));

COMMENT ON TABLE log_leaves IS 'Leaves of the tree: a row has up to 256 that follow each other, and never crosses a tile of 256. Insert only.';
COMMENT ON COLUMN log_leaves.ids IS '17 bytes a leaf: its kind, and the id of what it is about';
COMMENT ON COLUMN log_leaves.hashes IS '32 bytes a leaf: its hash in the tree. They are the tiles of level 0';
COMMENT ON COLUMN log_leaves.first_at IS 'The earliest time of its leaves';

CREATE TABLE log_tiles (
    level smallint NOT NULL,
    n     bigint   NOT NULL,
    root  bytea    NOT NULL,
    PRIMARY KEY (level, n)
);

COMMENT ON TABLE log_tiles IS 'The hash over each complete tile of 256 hashes. The hashes of a tile above level 0 are the roots of the tiles below it. Insert only.';

CREATE TABLE log_state (
    one          boolean     NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    size         bigint      NOT NULL,
    root         bytea       NOT NULL,
    checkpoint   bytea       NOT NULL,
    published_at timestamptz NOT NULL
);

COMMENT ON TABLE log_state IS 'The newest checkpoint. No row: nothing was sequenced yet.';
COMMENT ON COLUMN log_state.checkpoint IS 'The signed note (C2SP tlog-checkpoint)';

CREATE TABLE log_checkpoints (
    size         bigint      NOT NULL PRIMARY KEY,
    checkpoint   bytea       NOT NULL,
    published_at timestamptz NOT NULL
);

COMMENT ON TABLE log_checkpoints IS 'A checkpoint now and then. Insert only.';

-- +goose Down
DROP TABLE log_queue, log_leaves, log_tiles, log_state, log_checkpoints;
ALTER TABLE delivery_bodies DROP COLUMN secret;
