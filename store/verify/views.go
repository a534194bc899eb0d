package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// views holds each view against the query in its migration. PostgreSQL keeps queries
// parsed, and its versions print them differently: so it is given the query again, as a
// temporary view, to print both. Nothing of that stays.
func (v *verification) views(ctx context.Context, want wantedSchema) error {
	var replica, may bool
	err := v.log.Conn.QueryRow(ctx, "SELECT pg_is_in_recovery(), has_database_privilege(current_database(), 'TEMPORARY')").Scan(&replica, &may)
	if err != nil {
		return err
	}
	switch {
	case replica:
		v.result.Unchecked = append(v.result.Unchecked, "what views show, since this is a replica, which cannot make temporary ones")
		return nil
	case !may:
		v.result.Unchecked = append(v.result.Unchecked, "what views show, since this role may not make temporary ones")
		return nil
	}
	tx, err := v.Pool.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadWrite})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := catalogueFirst(ctx, tx); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(want.Views)) {
		if _, is := want.relations[name]; !is {
			continue // a later migration dropped it
		}
		detail, err := compareView(ctx, tx, name, want.Views[name])
		if err != nil {
			return fmt.Errorf("comparing the view %s: %w", name, err)
		}
		if detail != "" {
			v.found(Finding{Class: Tampered, What: "view", Object: name, Detail: detail})
		}
	}
	return nil
}

// compareView tells what is wrong with a view. What the schema says of it beside its
// query is not looked at: whether it is a view at all, for one.
func compareView(ctx context.Context, tx pgx.Tx, name, query string) (detail string, err error) {
	var is string
	err = tx.QueryRow(ctx, "WITH "+home+" SELECT pg_get_viewdef(c.oid) FROM pg_class c JOIN home ON home.oid = c.relnamespace WHERE c.relname = $1 AND c.relkind = 'v'", name).Scan(&is)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var should string
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		const as = "pg_temp.as_migrated"
		if _, err := tx.Exec(ctx, "CREATE TEMPORARY VIEW as_migrated AS "+query); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, "SELECT pg_get_viewdef('"+as+"'::regclass)").Scan(&should); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DROP VIEW "+as)
		return err
	})
	var failed *pgconn.PgError
	switch {
	case errors.As(err, &failed) && strings.HasPrefix(failed.Code, "42"): // a name that is not there, or is of something else
		return "what its migration says is refused: " + failed.Message, nil
	case err != nil || is == should:
		return "", err
	}
	return "it does not show what its migration says: " + strings.Join(strings.Fields(is), " "), nil
}
