-- +goose Up

-- Conventions
--   * store_id comes first in every primary key, so that the schema can be
--     distributed by it. 0 is the unknown store.
--   * Ids other than the store's are text: AiFi's move from numbers to strings.
--   * There are no foreign keys: the rows of one delivery are written in one
--     transaction, and partitions are dropped whole.
--   * Months are partitions. The program makes them ahead; a DEFAULT partition
--     takes what is dated outside of them.

-- What was received -----------------------------------------------------------

CREATE TABLE deliveries (
    store_id          bigint      NOT NULL,
    received_at       timestamptz NOT NULL,
    id                uuid        NOT NULL,
    webhook           text        NOT NULL,
    session_id        text,
    event_kind        text,
    event_occurred_at timestamptz,
    event_id          uuid,
    issued_at         timestamptz,
    token_id          bigint      NOT NULL,
    remote_addr       text        NOT NULL,
    path              text        NOT NULL,
    headers           jsonb       NOT NULL,
    body_size         bigint      NOT NULL,
    body_sha256       bytea       NOT NULL,
    truncated         boolean     NOT NULL,
    PRIMARY KEY (store_id, received_at, id)
) PARTITION BY RANGE (received_at);

COMMENT ON TABLE deliveries IS 'One row an HTTP request of AiFi''s. Insert only.';
COMMENT ON COLUMN deliveries.id IS 'UUIDv7; its time is received_at';
COMMENT ON COLUMN deliveries.event_id IS 'What it states; null if it was quarantined. Many deliveries may state one event';
COMMENT ON COLUMN deliveries.issued_at IS 'timeOfIssue: when AiFi says that it sent the webhook';
COMMENT ON COLUMN deliveries.body_size IS 'Bytes kept';
COMMENT ON COLUMN deliveries.truncated IS 'The body was longer than the limit, and only its first part was kept';

CREATE INDEX deliveries_received ON deliveries (received_at, id);
CREATE INDEX deliveries_webhook ON deliveries (webhook, received_at, id);
CREATE INDEX deliveries_session ON deliveries (session_id, received_at) WHERE session_id IS NOT NULL;

CREATE TABLE delivery_bodies (
    store_id    bigint      NOT NULL,
    received_at timestamptz NOT NULL,
    delivery_id uuid        NOT NULL,
    body        bytea       NOT NULL,
    PRIMARY KEY (store_id, received_at, delivery_id)
) PARTITION BY RANGE (received_at);

COMMENT ON TABLE delivery_bodies IS 'The verbatim body of each delivery, apart from deliveries so that it can be erased without touching them.';

CREATE TABLE deliveries_default PARTITION OF deliveries DEFAULT;
CREATE TABLE delivery_bodies_default PARTITION OF delivery_bodies DEFAULT;

CREATE TABLE quarantine (
    store_id          bigint      NOT NULL,
    received_at       timestamptz NOT NULL,
    delivery_id       uuid        NOT NULL,
    webhook           text        NOT NULL,
    reason            text        NOT NULL,
    pointer           text        NOT NULL,
    detail            text        NOT NULL,
    quarantined_at    timestamptz NOT NULL,
    replayed_at       timestamptz,
    event_store_id    bigint,
    event_kind        text,
    event_occurred_at timestamptz,
    event_id          uuid,
    PRIMARY KEY (store_id, received_at, delivery_id)
);

COMMENT ON TABLE quarantine IS 'Deliveries kept but not understood. A replay that succeeds fills replayed_at and the event.';
COMMENT ON COLUMN quarantine.pointer IS 'JSON Pointer (RFC 6901) to the member at fault; empty: the whole body';

CREATE INDEX quarantine_received ON quarantine (received_at, delivery_id);

-- What it states ----------------------------------------------------------------

CREATE TABLE events (
    store_id           bigint      NOT NULL,
    kind               text        NOT NULL
        CHECK (kind IN ('alcohol_interaction', 'fraud_alert', 'registration', 'other')),
    occurred_at        timestamptz NOT NULL,
    id                 uuid        NOT NULL,
    occurred_at_known  boolean     NOT NULL,
    delivery_id        uuid        NOT NULL,
    received_at        timestamptz NOT NULL,
    issued_at          timestamptz,
    webhook            text        NOT NULL,
    event_id           text,
    session_id         text,
    customer_id        text,
    shopper_id         text,
    store_external_id  text,
    flags              text[]      NOT NULL,
    product_ids        text[]      NOT NULL,
    gondola_ids        text[]      NOT NULL,
    payment_provider   text,
    token_type         text,
    check_in_device_id text,
    unreadable         text[]      NOT NULL,
    PRIMARY KEY (store_id, kind, occurred_at, id)
) PARTITION BY RANGE (occurred_at);

COMMENT ON TABLE events IS 'What deliveries state, each fact once. Insert only.';
COMMENT ON COLUMN events.id IS 'UUIDv8 of the fingerprint of what is stated: the same facts have the same id';
COMMENT ON COLUMN events.occurred_at IS 'timeOfOrigin, or received_at where the body gives no usable one';
COMMENT ON COLUMN events.occurred_at_known IS 'Whether occurred_at is the body''s timeOfOrigin';
COMMENT ON COLUMN events.delivery_id IS 'The delivery that stated it first';
COMMENT ON COLUMN events.event_id IS 'AiFi''s eventId: not unique';
COMMENT ON COLUMN events.flags IS 'The flags from all three places of the body, once each; where from: event_flags';
COMMENT ON COLUMN events.unreadable IS 'JSON Pointers of members that could not be read as documented';

CREATE INDEX events_kind ON events (kind, occurred_at, id) WHERE kind <> 'other';
CREATE INDEX events_session ON events (session_id, occurred_at, id) WHERE session_id IS NOT NULL;
CREATE INDEX events_customer ON events (customer_id, occurred_at, id) WHERE customer_id IS NOT NULL;

CREATE TABLE event_flags (
    store_id     bigint      NOT NULL,
    flag         text        NOT NULL,
    kind         text        NOT NULL,
    occurred_at  timestamptz NOT NULL,
    event_id     uuid        NOT NULL,
    from_shopper boolean     NOT NULL,
    from_session boolean     NOT NULL,
    from_webhook boolean     NOT NULL,
    PRIMARY KEY (store_id, flag, kind, occurred_at, event_id)
) PARTITION BY RANGE (occurred_at);

COMMENT ON TABLE event_flags IS 'event_id is events.id. from_…: shopper.shopperFlags, session.shoppingSessionFlags, shoppingSessionFlags.';

CREATE TABLE event_products (
    store_id    bigint      NOT NULL,
    product_id  text        NOT NULL,
    kind        text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    event_id    uuid        NOT NULL,
    PRIMARY KEY (store_id, product_id, kind, occurred_at, event_id)
) PARTITION BY RANGE (occurred_at);

CREATE TABLE event_gondolas (
    store_id    bigint      NOT NULL,
    gondola_id  text        NOT NULL,
    kind        text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    event_id    uuid        NOT NULL,
    PRIMARY KEY (store_id, gondola_id, kind, occurred_at, event_id)
) PARTITION BY RANGE (occurred_at);

CREATE TABLE events_default PARTITION OF events DEFAULT;
CREATE TABLE event_flags_default PARTITION OF event_flags DEFAULT;
CREATE TABLE event_products_default PARTITION OF event_products DEFAULT;
CREATE TABLE event_gondolas_default PARTITION OF event_gondolas DEFAULT;

CREATE VIEW event_facets AS
SELECT store_id, kind, 'store'::text AS facet, ''::text AS value, occurred_at, id AS event_id FROM events
UNION ALL
SELECT store_id, kind, 'flag', flag, occurred_at, event_id FROM event_flags
UNION ALL
SELECT store_id, kind, 'product', product_id, occurred_at, event_id FROM event_products
UNION ALL
SELECT store_id, kind, 'gondola', gondola_id, occurred_at, event_id FROM event_gondolas;

COMMENT ON VIEW event_facets IS 'One ordered way into events for each facet: a constant facet leaves one branch of the plan.';

CREATE TABLE event_personal_info (
    store_id     bigint      NOT NULL,
    kind         text        NOT NULL,
    occurred_at  timestamptz NOT NULL,
    event_id     uuid        NOT NULL,
    customer_id  text,
    email        text,
    first_name   text,
    last_name    text,
    phone        text,
    phone_number text,
    PRIMARY KEY (store_id, kind, occurred_at, event_id)
);

COMMENT ON TABLE event_personal_info IS 'customerPersonalInfo as an event states it. Personal data lives here, in customers.metadata, in sessions.metadata and in delivery_bodies, and nowhere else.';

-- Who and where -------------------------------------------------------------------

CREATE TABLE stores (
    store_id             bigint      NOT NULL PRIMARY KEY,
    external_id          text,
    aifi_unique_store_id text,
    first_seen_at        timestamptz NOT NULL,
    last_seen_at         timestamptz NOT NULL
);

CREATE TABLE store_external_ids (
    store_id    bigint NOT NULL,
    external_id text   NOT NULL,
    PRIMARY KEY (store_id, external_id)
);

COMMENT ON TABLE store_external_ids IS 'Every storeExternalId that a store was ever seen with.';

CREATE TABLE sessions (
    store_id                          bigint      NOT NULL,
    session_id                        text        NOT NULL,
    first_seen_at                     timestamptz NOT NULL,
    last_seen_at                      timestamptz NOT NULL,
    created_at                        timestamptz,
    updated_at                        timestamptz,
    expires_at                        timestamptz,
    aifi_id                           text,
    customer_id                       text,
    code                              text,
    code_first_successfully_scanned_at timestamptz,
    code_last_successfully_scanned_at  timestamptz,
    customer_first_entered_at         timestamptz,
    customer_last_entered_at          timestamptz,
    customer_first_exited_at          timestamptz,
    customer_last_exited_at           timestamptz,
    customer_payment_instrument_id    text,
    customer_satisfaction             bigint,
    customer_satisfaction_submitted   boolean,
    group_size                        bigint,
    visitors                          bigint,
    location_id                       text,
    priority                          bigint,
    session_token                     text,
    referenced_session_id             text,
    status                            text,
    stated_store_id                   bigint,
    store_id_scannable_at             text,
    suspected_fraud                   boolean,
    metadata                          jsonb,
    PRIMARY KEY (store_id, session_id)
);

COMMENT ON TABLE sessions IS 'The newest state of each session, by AiFi''s session.updatedAt. Its history is its deliveries.';
COMMENT ON COLUMN sessions.first_seen_at IS 'occurred_at of the first webhook received that names it; never changes, and lists are ordered by it';
COMMENT ON COLUMN sessions.last_seen_at IS 'The latest occurred_at of a webhook that names it';
COMMENT ON COLUMN sessions.stated_store_id IS 'session.storeId as AiFi states it';

CREATE INDEX sessions_seen ON sessions (first_seen_at, store_id, session_id);
CREATE INDEX sessions_store_seen ON sessions (store_id, first_seen_at, session_id);
CREATE INDEX sessions_session ON sessions (session_id);
CREATE INDEX sessions_customer ON sessions (customer_id) WHERE customer_id IS NOT NULL;

CREATE TABLE session_flags (
    store_id      bigint      NOT NULL,
    session_id    text        NOT NULL,
    flag          text        NOT NULL,
    first_seen_at timestamptz NOT NULL,
    PRIMARY KEY (store_id, session_id, flag)
);

CREATE TABLE customers (
    store_id      bigint      NOT NULL,
    customer_id   text        NOT NULL,
    external_id   text,
    role          text,
    metadata      jsonb,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    PRIMARY KEY (store_id, customer_id)
);

CREATE TABLE products (
    store_id      bigint      NOT NULL,
    product_id    text        NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    PRIMARY KEY (store_id, product_id)
);

CREATE TABLE gondolas (
    store_id      bigint      NOT NULL,
    gondola_id    text        NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    PRIMARY KEY (store_id, gondola_id)
);

-- About the installation ------------------------------------------------------------

CREATE TABLE tokens (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text        NOT NULL UNIQUE,
    hash         bytea       NOT NULL UNIQUE,
    scopes       text[]      NOT NULL,
    store_ids    bigint[],
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);

COMMENT ON COLUMN tokens.hash IS 'SHA-256 of the token; the token itself is kept nowhere';
COMMENT ON COLUMN tokens.store_ids IS 'The stores it is limited to; null: none';

CREATE TABLE access_log (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL,
    token_id    bigint      NOT NULL,
    action      text        NOT NULL,
    path        text        NOT NULL,
    query       text        NOT NULL,
    remote_addr text        NOT NULL
);

COMMENT ON TABLE access_log IS 'Every search, view and export by staff, written before its results leave.';

CREATE INDEX access_log_at ON access_log (at);

-- +goose Down
DROP VIEW event_facets;
DROP TABLE deliveries, delivery_bodies, quarantine, events, event_flags, event_products, event_gondolas,
    event_personal_info, stores, store_external_ids, sessions, session_flags, customers, products, gondolas,
    tokens, access_log;
