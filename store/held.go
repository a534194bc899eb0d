package store

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
)

// What is on legal hold. Whoever sees a thing may know that it is held and why, also if
// the hold names more than he sees.

// HoldsOfDeliveries are the holds in force on some deliveries, by delivery, the newest
// first. A delivery without any is not in the map. A delivery is held by what it says,
// and by what the event says that it states.
func (s *Store) HoldsOfDeliveries(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID][]Hold, error) {
	return s.holdsOfDeliveries(ctx, s.reads, ids)
}

func (s *Store) holdsOfDeliveries(ctx context.Context, conn db.DBTX, ids []uuid.UUID) (map[uuid.UUID][]Hold, error) {
	args := db.HoldsOfDeliveriesParams{ID: ids}
	for _, id := range ids {
		args.ReceivedAt = append(args.ReceivedAt, ReceivedAt(id))
	}
	found, err := s.queries.HoldsOfDeliveries(ctx, conn, args)
	if err != nil {
		return nil, known(err)
	}
	covered := map[uuid.UUID][]uuid.UUID{} // by hold
	for _, f := range found {
		covered[f.HoldID] = append(covered[f.HoldID], f.DeliveryID)
	}
	holds, err := s.holdsByID(ctx, conn, slices.Collect(maps.Keys(covered)))
	held := map[uuid.UUID][]Hold{}
	for _, h := range holds {
		for _, delivery := range covered[h.ID] {
			held[delivery] = append(held[delivery], h)
		}
	}
	return held, err
}

// HoldsOfSession are the holds in force on a session or any delivery or event of it, the
// newest first.
func (s *Store) HoldsOfSession(ctx context.Context, storeID int64, sessionID string) ([]Hold, error) {
	ids, err := s.queries.HoldsOfSession(ctx, s.reads, db.HoldsOfSessionParams{StoreID: storeID, SessionID: sessionID})
	if err != nil {
		return nil, known(err)
	}
	return s.holdsByID(ctx, s.reads, ids)
}

func (s *Store) holdsByID(ctx context.Context, conn db.DBTX, ids []uuid.UUID) ([]Hold, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := s.queries.ListHolds(ctx, conn, db.ListHoldsParams{Ids: ids})
	if err != nil {
		return nil, known(err)
	}
	holds := make([]Hold, len(rows))
	for i, r := range rows {
		holds[i] = holdOfRow(r)
	}
	return holds, nil
}
