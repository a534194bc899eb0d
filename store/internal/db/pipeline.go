// Package db holds the statements of queries/ as sqlc makes them functions, and the
// two ways to run them that sqlc does not know: pipelines and streams.
package db

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Pipeline is a DBTX that sends the statements given to its Exec together, in one
// round trip. It is used by one goroutine.
type Pipeline struct{ batch pgx.Batch }

// Exec queues a statement. Its outcome is that of Send.
func (p *Pipeline) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	p.batch.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

var errNoRows = errors.New("db: a pipeline runs statements without rows only")

// Query fails: rows cannot wait for Send.
func (p *Pipeline) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errNoRows }

// QueryRow fails: rows cannot wait for Send.
func (p *Pipeline) QueryRow(context.Context, string, ...any) pgx.Row { return noRow{} }

// Send runs what was queued, in order, and returns the first error.
func (p *Pipeline) Send(ctx context.Context, tx pgx.Tx) error {
	return tx.SendBatch(ctx, &p.batch).Close()
}

type noRow struct{}

func (noRow) Scan(...any) error { return errNoRows }
