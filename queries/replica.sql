-- ServerPosition tells which database a server has, and how far it is: a primary in what
-- it has flushed, a replica in what it has replayed.
-- name: ServerPosition :one
SELECT (SELECT c.system_identifier FROM pg_control_system() c)::bigint AS system_identifier,
    current_database()::text AS database_name,
    pg_is_in_recovery()::boolean AS in_recovery,
    coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END, '0/0'), 0)::bigint AS position;
