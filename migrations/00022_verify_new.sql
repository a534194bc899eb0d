-- +goose Up

-- What was received since the last verification is found without a look at the rest.
-- These indexes hold a row for each 32 pages: tables are filled in the order in which
-- webhooks are received, which is nearly that in which things happened.
CREATE INDEX events_received ON events USING brin (received_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX event_flags_occurred ON event_flags USING brin (occurred_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX event_products_occurred ON event_products USING brin (occurred_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX event_gondolas_occurred ON event_gondolas USING brin (occurred_at) WITH (pages_per_range = 32, autosummarize = on);

-- +goose Down
DROP INDEX event_gondolas_occurred, event_products_occurred, event_flags_occurred, events_received;
