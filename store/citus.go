package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store/internal/db"
)

// ErrNoCitus says that the extension is not there.
var ErrNoCitus = errors.New("the database has not the extension citus: install it on all nodes, and run CREATE EXTENSION citus there")

// Distribute spreads the tables of a migrated database over the nodes of a Citus
// cluster, by store: those that have store_id in their primary key. The rows of one
// store lie together on one node. Tables about the installation stay on the
// coordinator, but for the tokens, whose names stand in lists of deliveries: all nodes
// have them. It returns the tables that it distributed; those that were before are
// left alone, so that it can be repeated after a migration. ErrNoCitus changes nothing.
//
// sqlc knows neither the functions of the extension nor the catalogue.
func Distribute(ctx context.Context, databaseURL string) (done []string, err error) {
	if err := CheckSchema(ctx, databaseURL); err != nil {
		return nil, err
	}
	conn, err := connectTo(ctx, databaseURL)
	if err != nil {
		return nil, fmt.Errorf("connecting to the database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	switch there, err := distributed(ctx, conn); {
	case err != nil:
		return nil, fmt.Errorf("looking for the extension citus: %w", err)
	case !there:
		return nil, ErrNoCitus
	}
	// The triggers that refuse changes look at the row alone, and so are safe on shards.
	if _, err := conn.Exec(ctx, "SET citus.enable_unsafe_triggers = on"); err != nil {
		return nil, fmt.Errorf("allowing triggers on shards: %w", err)
	}
	left, err := conn.Query(ctx, storeTables+" AND NOT EXISTS (SELECT FROM pg_dist_partition d WHERE d.logicalrelid = c.oid)"+storesFirst)
	if err != nil {
		return nil, fmt.Errorf("listing the tables: %w", err)
	}
	tables, err := pgx.CollectRows(left, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("listing the tables: %w", err)
	}
	for _, table := range tables {
		with := "stores"
		if table == with {
			with = "none"
		}
		if _, err := conn.Exec(ctx, "SELECT create_distributed_table($1::text::regclass, 'store_id', colocate_with => $2::text)", table, with); err != nil {
			return done, fmt.Errorf("distributing %s: %w", table, err)
		}
		done = append(done, table)
	}
	_, err = conn.Exec(ctx, `SELECT create_reference_table('tokens')
		WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'tokens'::regclass)`)
	if err != nil {
		return done, fmt.Errorf("copying tokens to all nodes: %w", err)
	}
	return done, nil
}

// distributed reports whether the database belongs to a Citus cluster.
func distributed(ctx context.Context, tx db.DBTX) (is bool, err error) {
	err = tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')").Scan(&is)
	return is, err
}

// storeTables are the tables that belong to a store. What retention has still to do is for
// the coordinator.
const storeTables = `SELECT c.oid::regclass::text
FROM pg_class c
JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attname = 'store_id'
    AND c.relname <> 'retention_sweeps'`

// storesFirst has the others lie where stores do.
const storesFirst = " ORDER BY c.relname <> 'stores', c.relname"
