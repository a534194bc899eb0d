package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"aifi-audit/store/logrows"
)

// Errors that callers tell apart. Others are internal, and not to be shown.
var (
	ErrNotFound    = errors.New("not found")
	ErrUnavailable = errors.New("the database cannot be used now")
	ErrOverloaded  = errors.New("more deliveries are waiting than can be queued")
	ErrSpoolFull   = errors.New("the database cannot be used now, and the spool is full")
	ErrSpoolFails  = fmt.Errorf("%w, and the spool does not work", ErrUnavailable)
	ErrSpoolInUse  = errors.New("another process uses the spool")
	ErrTimeout     = errors.New("the query took too long")
	ErrPosition    = errors.New("not a position of this list")
	ErrNameTaken   = errors.New("there is or was a token of this name, and a name is not used again")
)

// Errors of the log, and of what it commits to.
var (
	ErrNoLog       = errors.New("there is no log, or no key to check it with")
	ErrBeyond      = errors.New("the log has not as many leaves")
	ErrUnsequenced = logrows.ErrUnsequenced
	ErrTampered    = logrows.ErrTampered
	ErrLogDamaged  = logrows.ErrDamaged
	ErrRolledBack  = logrows.ErrRolledBack
)

// queryCanceled is the SQLSTATE of a statement that ran into its time limit.
const queryCanceled = "57014"

// lockNotAvailable is the SQLSTATE of a statement that ran into its lock_timeout.
const lockNotAvailable = "55P03"

// known turns the driver's errors into the package's.
func known(err error) error {
	var server *pgconn.PgError
	var held *HeldError
	var clock *ClockError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &held):
		return held
	case errors.As(err, &clock):
		return clock
	case errors.Is(err, pgx.ErrNoRows):
		return ErrNotFound
	case errors.Is(err, context.Canceled), errors.Is(err, ErrNotOwner), errors.Is(err, ErrPooler):
		return err
	case !errors.As(err, &server):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case server.Code == queryCanceled:
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	case passing(server.Code):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// passing reports whether an SQLSTATE speaks of the server's condition rather than
// of what was asked: connection, resources, deadlock, shutdown, recovery.
func passing(code string) bool {
	switch code[:2] {
	case "08", "53", "57", "58", "40", "25", "XX":
		return true
	}
	return code == lockNotAvailable
}

// sqlState is the SQLSTATE of an error that the server told of, and "" of others.
func sqlState(err error) string {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return ""
	}
	return server.Code
}

// lockedOut reports whether others held what a statement would not wait for.
func lockedOut(err error) bool { return sqlState(err) == lockNotAvailable }

// met reports whether transactions stood in each other's way: one of them goes on.
func met(err error) bool { return strings.HasPrefix(sqlState(err), "40") }

// rowsExpected is the SQLSTATE of the function expect_rows.
const rowsExpected = "P0002"

// mistaken reports whether a row is there already that was taken for new, or is not there
// that was relied on.
func mistaken(err error) bool { return keyTaken(err) || missed(err) }

// missed reports whether rows are not there that were relied on.
func missed(err error) bool { return sqlState(err) == rowsExpected }

// keyTaken reports whether a row with the same key is there already.
func keyTaken(err error) bool { return sqlState(err) == "23505" }

// ownFault reports whether a row of the batch itself is why the batch failed: only
// then may it be set apart. A wrong password, a missing table or a missing right is
// an operator's to mend, and costs no delivery.
func ownFault(err error) bool {
	state := sqlState(err)
	if state == "" {
		return false
	}
	switch state[:2] {
	case "21", "22", "23", "44", "54", "P0": // cardinality, data, constraints, views, limits, triggers
		return true
	}
	return false
}
