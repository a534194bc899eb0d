-- +goose Up

-- expect_rows fails a transaction that relies on rows which somebody has removed
-- meanwhile.
-- +goose StatementBegin
CREATE FUNCTION expect_rows(present bigint, expected bigint) RETURNS void LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF present <> expected THEN
        RAISE EXCEPTION '% of % rows are there', present, expected USING ERRCODE = 'no_data_found';
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION expect_rows;
