-- +goose Up

CREATE TABLE refused (
    received_at timestamptz NOT NULL,
    delivery_id uuid        NOT NULL,
    token_hash  bytea       NOT NULL,
    reason      text        NOT NULL,
    webhook     text        NOT NULL,
    remote_addr text        NOT NULL,
    path        text        NOT NULL,
    headers     jsonb       NOT NULL,
    body        bytea       NOT NULL,
    body_size   bigint      NOT NULL,
    truncated   boolean     NOT NULL,
    replayed_at timestamptz,
    PRIMARY KEY (received_at, delivery_id)
);

COMMENT ON TABLE refused IS 'The newest webhooks that came without a good token, for an admin to replay. Nobody vouches for them: they are no evidence, and the oldest are deleted.';
COMMENT ON COLUMN refused.token_hash IS 'SHA-256 of the token that was presented, to tell one mistyped token from the rest';
COMMENT ON COLUMN refused.reason IS 'unknown_token, expired_token, revoked_token, or no_ingest_scope';

-- +goose Down
DROP TABLE refused;
