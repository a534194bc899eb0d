-- +goose Up

-- Whom an erasure is about can also be told by what he gave of himself: then AiFi's id
-- of him may not be known.
ALTER TABLE erasure_subjects ALTER COLUMN customer_id DROP NOT NULL;
ALTER TABLE erasure_subjects ADD COLUMN identifiers jsonb;

COMMENT ON COLUMN erasure_subjects.identifiers IS 'emails, phones and names that he is known by; null: none beside the customer''s id';
COMMENT ON COLUMN erasure_requests.subject IS 'Commitment (HMAC-SHA-256) to the customer''s id and identifiers, under the secret in erasure_subjects: says nothing when that is gone';

-- +goose Down
DELETE FROM erasure_subjects WHERE customer_id IS NULL;
ALTER TABLE erasure_subjects DROP COLUMN identifiers;
ALTER TABLE erasure_subjects ALTER COLUMN customer_id SET NOT NULL;
COMMENT ON COLUMN erasure_requests.subject IS 'Commitment (HMAC-SHA-256) to the customer''s id, under the secret in erasure_subjects: says nothing when that is gone';
