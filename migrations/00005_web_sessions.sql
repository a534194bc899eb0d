-- +goose Up

CREATE TABLE web_sessions (
    hash         bytea       NOT NULL PRIMARY KEY,
    token_id     bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL
);

COMMENT ON TABLE web_sessions IS 'Who is signed in to the staff page, and with which token. Signing out deletes the row.';
COMMENT ON COLUMN web_sessions.hash IS 'SHA-256 of the cookie; the cookie itself is kept nowhere';
COMMENT ON COLUMN web_sessions.last_used_at IS 'To a minute';

-- +goose Down
DROP TABLE web_sessions;
