-- +goose Up

-- access_subjects names the sessions and deliveries that an entry of the access log is
-- about: those that its path leads to, and those that its query asks for. It undoes escapes,
-- so that no way to write an address hides what it is of. It is made of columns that the log
-- commits to. Like text_hashes it gives a hash of each name, since names are long. It calls
-- no function of this schema, which is not in the search path while a backup is restored.
--
-- Customers are not named: they can be erased, and a GIN index keeps a key for ever.
-- +goose StatementBegin
CREATE FUNCTION access_subjects(path text, query text) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    place text[] := regexp_match(path, '^(?:/api/v1)?/(sessions|deliveries|quarantine|refused)/([^/]+)');
    names text[] := '{}';
    name text;
    subjects bigint[] := '{}';
BEGIN
    IF query ~ '%|(session|delivery)Id=' THEN
        names := string_to_array(replace(query, '+', ' '), '&');
    END IF;
    IF place IS NOT NULL THEN
        names := names || (CASE place[1] WHEN 'sessions' THEN 'sessionId=' ELSE 'deliveryId=' END || place[2]);
    END IF;
    FOREACH name IN ARRAY names LOOP
        -- By way of bytes: what they come to need not be text.
        name := encode((
            SELECT string_agg(CASE
                WHEN nth > 1 AND part ~ '^[0-9A-Fa-f]{2}' THEN decode(left(part, 2), 'hex') || decode(replace(substr(part, 3), '\', '\\'), 'escape')
                WHEN nth > 1 THEN decode(replace('%' || part, '\', '\\'), 'escape')
                ELSE decode(replace(part, '\', '\\'), 'escape') END, ''::bytea ORDER BY nth)
            FROM string_to_table(name, '%') WITH ORDINALITY AS p (part, nth)), 'escape');
        IF name LIKE 'deliveryId=%' THEN
            name := lower(name COLLATE "C"); -- a UUID is the same in capitals
        END IF;
        IF name ~ '^(sessionId|deliveryid)=' THEN
            subjects := subjects || hashtextextended(name, 0);
        END IF;
    END LOOP;
    RETURN subjects;
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION access_subjects IS 'Hashes of the sessions and deliveries that an entry of the access log is about, by its path and its query.';

-- +goose Down
DROP FUNCTION access_subjects;
