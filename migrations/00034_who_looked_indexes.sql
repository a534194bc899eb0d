-- +goose NO TRANSACTION
-- +goose Up

-- Who looked at what is asked for by who, by what they did, by what they were denied, and
-- by what they looked at. Without these indexes each such question reads the whole access
-- log, which is kept for ever. They are made while staff go on: each look is an entry. One
-- that was not finished is begun anew.

-- Of the actions only those that are rare have an index: others are found by going back in
-- time.
DROP INDEX CONCURRENTLY IF EXISTS access_log_token;
CREATE INDEX CONCURRENTLY access_log_token ON access_log (token_id, at);
DROP INDEX CONCURRENTLY IF EXISTS access_log_action;
CREATE INDEX CONCURRENTLY access_log_action ON access_log (action, at) WHERE action NOT IN ('count', 'search', 'view');
DROP INDEX CONCURRENTLY IF EXISTS access_log_denied;
CREATE INDEX CONCURRENTLY access_log_denied ON access_log (at) WHERE coalesce(status, 0) >= 400;
DROP INDEX CONCURRENTLY IF EXISTS access_log_subjects;
CREATE INDEX CONCURRENTLY access_log_subjects ON access_log USING gin (access_subjects(path, query));

-- The planner knows how rare a subject is only from the statistics of its index.
ANALYZE access_log;

-- +goose Down
DROP INDEX access_log_token, access_log_action, access_log_denied, access_log_subjects;
