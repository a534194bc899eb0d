-- +goose Up

-- Who looked, with what came of it, and in the transparency log.

ALTER TABLE access_log
    ADD COLUMN entry_id uuid,
    ADD COLUMN secret   bytea,
    ADD COLUMN status   integer,
    ADD COLUMN rows     bigint,
    ADD COLUMN detail   text NOT NULL DEFAULT '';

CREATE UNIQUE INDEX access_log_entry ON access_log (entry_id);

COMMENT ON COLUMN access_log.entry_id IS 'UUIDv7: the id of its leaf in the log; null: from before there was a log';
COMMENT ON COLUMN access_log.secret IS '32 random bytes from which the salt of the leaf''s commitment comes';
COMMENT ON COLUMN access_log.status IS 'The HTTP status; 403 and 404 are denials';
COMMENT ON COLUMN access_log.rows IS 'How many rows were shown; null: not known when it was written';
COMMENT ON COLUMN access_log.detail IS 'Of an evidence pack: the SHA-256 of its manifest';

-- +goose Down
ALTER TABLE access_log DROP COLUMN entry_id, DROP COLUMN secret, DROP COLUMN status, DROP COLUMN rows, DROP COLUMN detail;
