package store

import (
	"context"

	"aifi-audit/store/internal/db"
)

// Shop is one AiFi store as its webhooks describe it.
type Shop = db.Store

// Stores is a page of the stores seen, by id.
func (s *Store) Stores(ctx context.Context, scope Scope, f Filter, p Page) ([]Shop, *Position, error) {
	ids, err := s.stores(ctx, scope, f)
	if err != nil {
		return nil, nil, err
	}
	args := db.ListStoresParams{StoreIds: ids, RowLimit: oneMore(p)}
	if p.After != nil {
		args.AfterStoreID = &p.After.StoreID
	}
	rows, err := read(ctx, s, s.queries.ListStores, args)
	if err != nil {
		return nil, nil, known(err)
	}
	rows, next := paged(rows, Page{Limit: p.Limit}, func(r Shop) Position { return Position{StoreID: r.StoreID} })
	return rows, next, nil
}

// ExportStores gives all stores, by id.
func (s *Store) ExportStores(ctx context.Context, scope Scope, f Filter, each func(Shop) error) error {
	ids, err := s.stores(ctx, scope, f)
	if err != nil {
		return err
	}
	rows, err := read(ctx, s, s.queries.ListStores, db.ListStoresParams{StoreIds: ids})
	if err != nil {
		return known(err)
	}
	for _, r := range rows {
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}
