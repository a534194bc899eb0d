package db

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// The streams are the list statements without their slices: sqlc has no way to hand
// out rows one by one, and an export must not hold all of them. A nil row limit
// means all rows. The counts put the same statements in brackets, so that what is
// counted cannot differ from what is listed.

// StreamEvents is ListEvents, row by row.
func (q *Queries) StreamEvents(ctx context.Context, tx DBTX, a ListEventsParams, each func(ListEventsRow) error) error {
	return stream(ctx, tx, each, listEvents, a.values()...)
}

// CountEventList counts what ListEvents would give.
func (q *Queries) CountEventList(ctx context.Context, tx DBTX, a ListEventsParams) (int64, error) {
	return count(ctx, tx, listEvents, a.values()...)
}

// CountEventListByFacet counts what ListEventsByFacet would give.
func (q *Queries) CountEventListByFacet(ctx context.Context, tx DBTX, a ListEventsByFacetParams) (int64, error) {
	return count(ctx, tx, listEventsByFacet, a.StoreIds, a.FacetValues, a.Facet, a.Kind, a.StoreExternalIds, a.ProductIds, a.GondolaIds,
		a.Flags, a.Dispositions, a.Unmarked, a.FromTime, a.ToTime, a.AfterTime, a.AfterID, a.NewerTime, a.NewerID, a.Ascending, a.RowLimit)
}

// StreamSessions is ListSessions, row by row.
func (q *Queries) StreamSessions(ctx context.Context, tx DBTX, a ListSessionsParams, each func(ListSessionsRow) error) error {
	return stream(ctx, tx, each, listSessions, a.values()...)
}

// CountSessionList counts what ListSessions would give.
func (q *Queries) CountSessionList(ctx context.Context, tx DBTX, a ListSessionsParams) (int64, error) {
	return count(ctx, tx, listSessions, a.values()...)
}

// StreamDeliveries is ListDeliveries, row by row.
func (q *Queries) StreamDeliveries(ctx context.Context, tx DBTX, a ListDeliveriesParams, each func(ListDeliveriesRow) error) error {
	return stream(ctx, tx, each, listDeliveries, a.StoreIds, a.Webhooks, a.SessionIds, a.FromTime, a.ToTime, a.AfterTime, a.AfterID,
		a.NewerTime, a.NewerID, a.Ascending, a.RowLimit)
}

// StreamQuarantine is ListQuarantine, row by row.
func (q *Queries) StreamQuarantine(ctx context.Context, tx DBTX, a ListQuarantineParams, each func(Quarantine) error) error {
	return stream(ctx, tx, each, listQuarantine, a.values()...)
}

// CountQuarantineList counts what ListQuarantine would give.
func (q *Queries) CountQuarantineList(ctx context.Context, tx DBTX, a ListQuarantineParams) (int64, error) {
	return count(ctx, tx, listQuarantine, a.values()...)
}

func (a ListEventsParams) values() []any {
	return []any{a.Kind, a.StoreIds, a.StoreExternalIds, a.SessionIds, a.CustomerIds, a.ProductIds, a.GondolaIds, a.Flags, a.Dispositions, a.Unmarked,
		a.FromTime, a.ToTime, a.AfterTime, a.AfterID, a.NewerTime, a.NewerID, a.Ascending, a.RowLimit}
}

func (a ListSessionsParams) values() []any {
	return []any{a.StoreIds, a.SessionIds, a.CustomerIds, a.Flags, a.FromTime, a.ToTime, a.AfterTime, a.AfterStoreID, a.AfterSessionID,
		a.NewerTime, a.NewerStoreID, a.NewerSessionID, a.Ascending, a.RowLimit}
}

func (a ListQuarantineParams) values() []any {
	return []any{a.StoreIds, a.Webhooks, a.Replayed, a.FromTime, a.ToTime, a.AfterTime, a.AfterID, a.NewerTime, a.NewerID, a.Ascending,
		a.RowLimit}
}

func count(ctx context.Context, tx DBTX, list string, args ...any) (int64, error) {
	var n int64
	err := tx.QueryRow(ctx, "SELECT count(*) FROM ("+list+"\n) AS list", args...).Scan(&n)
	return n, err
}

// StreamNotes is ListNotes, row by row.
func (q *Queries) StreamNotes(ctx context.Context, tx DBTX, a ListNotesParams, each func(ListNotesRow) error) error {
	return stream(ctx, tx, each, listNotes, a.StoreIds, a.StoreExternalIds, a.EventIds, a.Kinds, a.Dispositions, a.FromTime, a.ToTime,
		a.AfterTime, a.AfterID, a.RowLimit)
}

func stream[T any](ctx context.Context, tx DBTX, each func(T) error, sql string, args ...any) error {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row, err := pgx.RowToStructByPos[T](rows)
		if err != nil {
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return rows.Err()
}
