package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrPooler says that a connection pooler stands before PostgreSQL that gives each
// transaction another session.
var ErrPooler = errors.New("a connection pooler in transaction mode stands before the database, and this program needs sessions of its own: give the address of PostgreSQL itself, or have the pooler pool sessions")

// refusePooler is ErrPooler if what a connection leads to is not its own for as long as
// it lasts: then settings, locks and prepared statements are lost, or are left to others.
// A pooler tells clients of a process of its own. It gives away the session that was
// returned last, so that a second connection finds itself in the first one's.
func refusePooler(ctx context.Context, config *pgx.ConnConfig) error {
	first, err := pgconn.ConnectConfig(ctx, &config.Config)
	if err != nil {
		return fmt.Errorf("connecting to the database: %w", err)
	}
	defer func() { _ = first.Close(context.WithoutCancel(ctx)) }()
	if pid, err := backend(ctx, first); err != nil || pid == fmt.Sprint(first.PID()) {
		return err
	}
	second, err := pgconn.ConnectConfig(ctx, &config.Config)
	if err != nil {
		return fmt.Errorf("connecting to the database: %w", err)
	}
	defer func() { _ = second.Close(context.WithoutCancel(ctx)) }()
	// Others who use the pooler may come between two of these, not between all.
	for range 10 {
		var pids [3]string
		for i, conn := range []*pgconn.PgConn{first, second, first} {
			if pids[i], err = backend(ctx, conn); err != nil {
				return err
			}
		}
		if pids[0] == pids[1] || pids[0] != pids[2] {
			return ErrPooler
		}
	}
	return nil
}

// backend is the process of the server that answers a connection.
func backend(ctx context.Context, conn *pgconn.PgConn) (pid string, err error) {
	results, err := conn.Exec(ctx, "SELECT pg_backend_pid()").ReadAll()
	if err != nil {
		return "", fmt.Errorf("asking for the server's process: %w", err)
	}
	if len(results) != 1 || len(results[0].Rows) != 1 {
		return "", errors.New("asking for the server's process: no answer")
	}
	return string(results[0].Rows[0][0]), nil
}
