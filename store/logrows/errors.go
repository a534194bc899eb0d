package logrows

import (
	"context"
	"errors"
	"fmt"
)

// Errors of reading the log, and what it commits to.
var (
	// ErrUnread says that the database could not be read.
	ErrUnread = errors.New("the log could not be read")
	// ErrDamaged says that leaves or tiles are missing, or are not those that were signed.
	ErrDamaged = errors.New("the log is damaged")
	// ErrRolledBack says that the database's log is not a continuation of the checkpoint
	// that was remembered outside of it, or is damaged. Nothing is signed until somebody
	// has found out why.
	ErrRolledBack = errors.New("the log in the database does not continue what was signed before")
	// ErrTampered says that rows or a body are not those that the log committed to.
	ErrTampered = errors.New("what is kept is not what the log committed to")
	// ErrUnsequenced says that a leaf is not there yet.
	ErrUnsequenced = errors.New("its leaf waits to be sequenced")
)

// Damaged says of an error in reading tiles that the log is damaged, unless the
// database could not be read.
func Damaged(err error) error {
	for _, other := range []error{nil, ErrUnread, context.Canceled, ErrDamaged} {
		if errors.Is(err, other) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}
