package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"aifi-audit/store/internal/db"
)

// read runs a statement where staff read: on the replica, if there is one that may be
// read from, and else on the primary. What the replica fails at the primary answers.
func read[P, R any](ctx context.Context, s *Store, statement func(context.Context, db.DBTX, P) (R, error), args P) (R, error) {
	if gone := s.replica.usable(); gone != nil {
		bounded, release := endingWith(ctx, gone)
		found, err := statement(bounded, &s.replica.pool, args)
		release()
		if err == nil || ctx.Err() != nil || !s.replica.atFault(err) {
			return found, err
		}
	}
	return statement(ctx, s.reads, args)
}

// atFault reports whether the primary may do better than the replica did.
func (r *replica) atFault(err error) bool {
	if errors.Is(err, pgx.ErrNoRows) {
		return true // it may not be there yet
	}
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		r.lookSoon()
		return true // it went away
	}
	// A query that took too long would not be quicker there. One that stood in the way
	// of what came from the primary has an SQLSTATE of class 40.
	return server.Code != queryCanceled && passing(server.Code)
}

// endingWith is ctx that also ends when other does.
func endingWith(ctx, other context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(other, cancel)
	return ctx, func() { stop(); cancel() }
}

// export runs a read of any length in a transaction of its own, where staff read: one
// snapshot, without the time limit of pages. Only its beginning is tried twice: of
// what follows some may have left already.
func (s *Store) export(ctx context.Context, rows func(tx pgx.Tx) error) error {
	if gone := s.replica.usable(); gone != nil {
		bounded, release := endingWith(ctx, gone)
		defer release()
		if tx, err := beginExport(bounded, &s.replica.pool); err == nil {
			err = endExport(bounded, tx, rows(tx))
			if errors.Is(err, context.Canceled) && ctx.Err() == nil {
				return fmt.Errorf("%w: the replica went away", ErrUnavailable)
			}
			return err
		}
		s.replica.lookSoon()
	}
	tx, err := beginExport(ctx, s.reads)
	if err != nil {
		return known(err)
	}
	return endExport(ctx, tx, rows(tx))
}

func beginExport(ctx context.Context, from *pool) (pgx.Tx, error) {
	tx, err := from.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
		_ = tx.Rollback(context.WithoutCancel(ctx))
		return nil, err
	}
	return tx, nil
}

// endExport ends the transaction of an export that returned err.
func endExport(ctx context.Context, tx pgx.Tx, err error) error {
	if err != nil {
		_ = tx.Rollback(context.WithoutCancel(ctx))
		return known(err)
	}
	return known(tx.Commit(ctx))
}
