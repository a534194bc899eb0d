-- +goose Up

-- Two keys in another order: their columns are asked for together, so that any order finds
-- them, but not any is as cheap to write.

-- Bodies come in the order of time. A key that begins with it grows at its end, where one
-- that begins with the store has its pages split in the middle; and it finds the bodies of
-- a span of time.
ALTER TABLE delivery_bodies DROP CONSTRAINT delivery_bodies_pkey, ADD PRIMARY KEY (received_at, delivery_id, store_id);

-- Sessions are looked for by their id, with and without the store.
ALTER TABLE sessions DROP CONSTRAINT sessions_pkey, ADD PRIMARY KEY (session_id, store_id);
DROP INDEX sessions_session;

-- +goose Down
CREATE INDEX sessions_session ON sessions (session_id);
ALTER TABLE sessions DROP CONSTRAINT sessions_pkey, ADD PRIMARY KEY (store_id, session_id);
ALTER TABLE delivery_bodies DROP CONSTRAINT delivery_bodies_pkey, ADD PRIMARY KEY (store_id, received_at, delivery_id);
