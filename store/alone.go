package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store/internal/db"
)

// alone does work on a connection of its own that holds an advisory lock, for as long as
// it lasts. Without an error it is not locked only if somebody else holds it: then the
// work is not done.
func alone(ctx context.Context, config *pgx.ConnConfig, lock int64, work func(*pgx.Conn) error) (locked bool, err error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, fmt.Errorf("connecting to the database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if locked, err = db.New().TryLock(ctx, conn, lock); err != nil || !locked {
		return false, err
	}
	return true, work(conn)
}
