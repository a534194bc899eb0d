-- +goose Up

-- What these functions do is kept as it is written here, as it is of all others: a body
-- in the way of the SQL standard is kept parsed, and no two versions of PostgreSQL print
-- it alike. So verify can hold each function against its migration, to the letter.

CREATE OR REPLACE FUNCTION hold_covers(h holds, stores bigint[], sessions text[], customers text[], received timestamptz, occurred timestamptz)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (h.store_id IS NULL OR h.store_id = ANY (stores))
        AND (h.session_id IS NULL OR h.session_id = ANY (sessions))
        AND (h.customer_id IS NULL OR h.customer_id = ANY (customers))
        AND ((received >= coalesce(h.from_time, '-infinity') AND received < coalesce(h.to_time, 'infinity'))
            OR (occurred >= coalesce(h.from_time, '-infinity') AND occurred < coalesce(h.to_time, 'infinity'))
            OR (h.from_time IS NULL AND h.to_time IS NULL))
$$;

CREATE OR REPLACE FUNCTION retention_pause() RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT interval '7 days' $$;

CREATE OR REPLACE FUNCTION has_acts(ids bytea) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT EXISTS (SELECT 1 FROM generate_series(0, length(ids) - 17, 17) AS i WHERE get_byte(ids, i) >= 8)
$$;

-- +goose Down

CREATE OR REPLACE FUNCTION hold_covers(h holds, stores bigint[], sessions text[], customers text[], received timestamptz, occurred timestamptz)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (h.store_id IS NULL OR h.store_id = ANY (stores))
    AND (h.session_id IS NULL OR h.session_id = ANY (sessions))
    AND (h.customer_id IS NULL OR h.customer_id = ANY (customers))
    AND ((received >= coalesce(h.from_time, '-infinity') AND received < coalesce(h.to_time, 'infinity'))
        OR (occurred >= coalesce(h.from_time, '-infinity') AND occurred < coalesce(h.to_time, 'infinity'))
        OR (h.from_time IS NULL AND h.to_time IS NULL));

CREATE OR REPLACE FUNCTION retention_pause() RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN interval '7 days';

CREATE OR REPLACE FUNCTION has_acts(ids bytea) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN EXISTS (SELECT 1 FROM generate_series(0, length(ids) - 17, 17) AS i WHERE get_byte(ids, i) >= 8);
