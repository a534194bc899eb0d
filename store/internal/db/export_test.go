package db

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Stream runs any query as an export runs its own.
func Stream[T any](ctx context.Context, tx DBTX, sql string, args []any, each func(T) error) error {
	return stream(ctx, tx, statement{sql, args}, each)
}

// Collect reads the rows of a query as sqlc's functions do: by pgx alone.
func Collect[T any](ctx context.Context, tx DBTX, sql string, args []any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}

// FacetViews gives the branches of each view of facets, as lists are run with them.
func FacetViews() map[string]map[string]string {
	views := map[string]map[string]string{}
	for _, v := range []facetView{eventFacets, sessionFacets, deliveryFacets, storeFacets} {
		views[v.name] = v.branches
	}
	return views
}
