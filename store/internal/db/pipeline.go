// Package db holds the statements of queries/ as sqlc makes them functions, and the
// two ways to run them that sqlc does not know: pipelines and streams.
package db

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Pipeline is a DBTX that gathers the statements given to its Exec into a transaction
// of one round trip. It is used by one goroutine.
type Pipeline struct{ batch pgx.Batch }

// Conn is a connection that pipelines.
type Conn interface {
	DBTX
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Exec queues a statement. Its outcome is that of Commit.
func (p *Pipeline) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if p.Empty() {
		p.batch.Queue("BEGIN")
	}
	p.batch.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

// Empty reports whether nothing was queued.
func (p *Pipeline) Empty() bool { return p.batch.Len() == 0 }

var errNoRows = errors.New("db: a pipeline runs statements without rows only")

// Query fails: rows cannot wait for Commit.
func (p *Pipeline) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errNoRows }

// QueryRow fails: rows cannot wait for Commit.
func (p *Pipeline) QueryRow(context.Context, string, ...any) pgx.Row { return noRow{} }

// Commit runs what was queued, in order, and commits it; or it returns the first error,
// and nothing was done, unless the connection broke at the commit itself.
func (p *Pipeline) Commit(ctx context.Context, conn Conn) error {
	if p.Empty() {
		return nil
	}
	p.batch.Queue("COMMIT")
	err := p.run(conn.SendBatch(ctx, &p.batch))
	if err != nil {
		_, _ = conn.Exec(ctx, "ROLLBACK") // a connection that cannot is not used again
	}
	return err
}

func (p *Pipeline) run(results pgx.BatchResults) error {
	var last pgconn.CommandTag
	for range p.batch.Len() {
		var err error
		if last, err = results.Exec(); err != nil {
			_ = results.Close() // says the same
			return err
		}
	}
	if err := results.Close(); err != nil {
		return err
	}
	if last.String() != "COMMIT" {
		return pgx.ErrTxCommitRollback
	}
	return nil
}

type noRow struct{}

func (noRow) Scan(...any) error { return errNoRows }
