-- +goose Up

CREATE TABLE event_notes (
    store_id    bigint      NOT NULL,
    at          timestamptz NOT NULL,
    id          uuid        NOT NULL,
    kind        text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    event_id    uuid        NOT NULL,
    delivery_id uuid        NOT NULL,
    token_id    bigint      NOT NULL,
    token_name  text        NOT NULL,
    disposition text        CHECK (disposition IN ('confirmed', 'false_alarm', 'under_review')),
    comment     text,
    PRIMARY KEY (store_id, at, id),
    CHECK (disposition IS NOT NULL OR comment IS NOT NULL)
);

COMMENT ON TABLE event_notes IS 'What staff noted of an event. Insert only.';
COMMENT ON COLUMN event_notes.id IS 'UUIDv7';
COMMENT ON COLUMN event_notes.at IS 'Of the notes of one event each has a later time than those before it';
COMMENT ON COLUMN event_notes.delivery_id IS 'The delivery by which the event was named';
COMMENT ON COLUMN event_notes.token_name IS 'What the token was called then';
COMMENT ON COLUMN event_notes.comment IS 'Free text of staff: it may hold personal data';

CREATE INDEX event_notes_at ON event_notes (at, id);
CREATE INDEX event_notes_event ON event_notes (event_id, at, id);

CREATE TABLE event_reviews (
    store_id       bigint      NOT NULL,
    kind           text        NOT NULL,
    occurred_at    timestamptz NOT NULL,
    event_id       uuid        NOT NULL,
    disposition    text,
    disposition_at timestamptz,
    disposition_by text,
    notes          bigint      NOT NULL,
    last_note_at   timestamptz NOT NULL,
    PRIMARY KEY (store_id, kind, occurred_at, event_id)
);

COMMENT ON TABLE event_reviews IS 'What the notes of an event come to: the disposition of the last one that has any.';
COMMENT ON COLUMN event_reviews.disposition_by IS 'The name of the token at that time';

CREATE INDEX event_reviews_disposition ON event_reviews (store_id, disposition, kind, occurred_at, event_id) WHERE disposition IS NOT NULL;

-- A WHERE in a branch would cost its order: a null disposition is the facet of nothing.
CREATE OR REPLACE VIEW event_facets AS
SELECT store_id, kind, 'store'::text AS facet, ''::text AS value, occurred_at, id AS event_id FROM events
UNION ALL
SELECT store_id, kind, 'flag', flag, occurred_at, event_id FROM event_flags
UNION ALL
SELECT store_id, kind, 'product', product_id, occurred_at, event_id FROM event_products
UNION ALL
SELECT store_id, kind, 'gondola', gondola_id, occurred_at, event_id FROM event_gondolas
UNION ALL
SELECT store_id, kind, 'disposition', disposition, occurred_at, event_id FROM event_reviews;

COMMENT ON TABLE event_personal_info IS 'customerPersonalInfo as an event states it. Personal data lives here, in customers.metadata, in sessions.metadata, in event_notes.comment and in delivery_bodies, and nowhere else.';

-- +goose Down
CREATE OR REPLACE VIEW event_facets AS
SELECT store_id, kind, 'store'::text AS facet, ''::text AS value, occurred_at, id AS event_id FROM events
UNION ALL
SELECT store_id, kind, 'flag', flag, occurred_at, event_id FROM event_flags
UNION ALL
SELECT store_id, kind, 'product', product_id, occurred_at, event_id FROM event_products
UNION ALL
SELECT store_id, kind, 'gondola', gondola_id, occurred_at, event_id FROM event_gondolas;
DROP TABLE event_notes, event_reviews;
COMMENT ON TABLE event_personal_info IS 'customerPersonalInfo as an event states it. Personal data lives here, in customers.metadata, in sessions.metadata and in delivery_bodies, and nowhere else.';
