package db

import (
	"context"
	"reflect"
)

// The streams are the list statements without their slices: sqlc has no way to hand
// out rows one by one, and an export must not hold all of them. A nil row limit
// means all rows.

// StreamEvents is ListEvents, row by row.
func (q *Queries) StreamEvents(ctx context.Context, tx DBTX, a ListEventsParams, each func(ListEventsRow) error) error {
	return stream(ctx, tx, each, listEvents, a.Kind, a.StoreIds, a.StoreExternalIds, a.SessionIds, a.CustomerIds, a.ProductIds,
		a.GondolaIds, a.Flags, a.Dispositions, a.Unmarked, a.FromTime, a.ToTime, a.AfterTime, a.AfterID, a.RowLimit)
}

// StreamSessions is ListSessions, row by row.
func (q *Queries) StreamSessions(ctx context.Context, tx DBTX, a ListSessionsParams, each func(ListSessionsRow) error) error {
	return stream(ctx, tx, each, listSessions, a.StoreIds, a.SessionIds, a.CustomerIds, a.Flags, a.FromTime, a.ToTime, a.AfterTime,
		a.AfterStoreID, a.AfterSessionID, a.RowLimit)
}

// StreamDeliveries is ListDeliveries, row by row.
func (q *Queries) StreamDeliveries(ctx context.Context, tx DBTX, a ListDeliveriesParams, each func(ListDeliveriesRow) error) error {
	return stream(ctx, tx, each, listDeliveries, a.StoreIds, a.Webhooks, a.SessionIds, a.FromTime, a.ToTime, a.AfterTime, a.AfterID, a.RowLimit)
}

// StreamQuarantine is ListQuarantine, row by row.
func (q *Queries) StreamQuarantine(ctx context.Context, tx DBTX, a ListQuarantineParams, each func(Quarantine) error) error {
	return stream(ctx, tx, each, listQuarantine, a.StoreIds, a.Webhooks, a.Replayed, a.FromTime, a.ToTime, a.AfterTime, a.AfterID, a.RowLimit)
}

// StreamNotes is ListNotes, row by row.
func (q *Queries) StreamNotes(ctx context.Context, tx DBTX, a ListNotesParams, each func(ListNotesRow) error) error {
	return stream(ctx, tx, each, listNotes, a.StoreIds, a.StoreExternalIds, a.EventIds, a.Kinds, a.Dispositions, a.FromTime, a.ToTime,
		a.AfterTime, a.AfterID, a.RowLimit)
}

// StreamRefused is ListRefused, row by row.
func (q *Queries) StreamRefused(ctx context.Context, tx DBTX, a ListRefusedParams, each func(ListRefusedRow) error) error {
	return stream(ctx, tx, each, listRefused, a.Webhooks, a.Fingerprints, a.Replayed, a.FromTime, a.ToTime, a.AfterTime, a.AfterID, a.RowLimit)
}

// StreamAccess is ListAccess, row by row.
func (q *Queries) StreamAccess(ctx context.Context, tx DBTX, a ListAccessParams, each func(ListAccessRow) error) error {
	return stream(ctx, tx, each, listAccess, a.TokenNames, a.Actions, a.FromTime, a.ToTime, a.AfterTime, a.AfterID, a.RowLimit)
}

func stream[T any](ctx context.Context, tx DBTX, each func(T) error, sql string, args ...any) error {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	// All rows are read into one, field by field in the order of the columns.
	var row T
	fields := reflect.ValueOf(&row).Elem()
	targets := make([]any, fields.NumField())
	for i := range targets {
		targets[i] = fields.Field(i).Addr().Interface()
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return rows.Err()
}
