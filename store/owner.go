package store

import (
	"context"
	"errors"
	"fmt"

	"aifi-audit/store/internal/db"
)

// ErrNotOwner says that the role of the database's URL does not own the tables.
var ErrNotOwner = errors.New("only the role that owns the tables may do this: give its URL of the database")

// asOwner is ErrNotOwner unless a connection has the rights of the tables' owner.
func asOwner(ctx context.Context, conn db.DBTX) error {
	var owner bool
	err := conn.QueryRow(ctx, "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'events'::regclass").Scan(&owner)
	if err != nil {
		return fmt.Errorf("looking for the owner of the tables: %w", err)
	}
	if !owner {
		return ErrNotOwner
	}
	return nil
}
