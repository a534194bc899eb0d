package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/bodycodec"
	"aifi-audit/store/internal/db"
)

// What a delivery became, and what stands beside it.

// EventOf is the event that a delivery states, or that a replay made of it.
// ErrNotFound if there is none, or it lies outside of the scope.
func (s *Store) EventOf(ctx context.Context, scope Scope, deliveryID uuid.UUID) (Event, error) {
	row, err := read(ctx, s, s.queries.DeliveryEvent, db.DeliveryEventParams{
		ReceivedAt: ReceivedAt(deliveryID), ID: deliveryID, StoreIds: scope.restrict(nil),
	})
	if err != nil {
		return Event{}, known(err)
	}
	return eventOf(db.ListEventsRow(row)), nil
}

// QuarantinedOf is a delivery's entry in quarantine, or ErrNotFound.
func (s *Store) QuarantinedOf(ctx context.Context, scope Scope, deliveryID uuid.UUID) (QuarantinedDelivery, error) {
	q, err := read(ctx, s, s.queries.GetQuarantined, db.GetQuarantinedParams{
		ReceivedAt: ReceivedAt(deliveryID), DeliveryID: deliveryID, StoreIds: scope.restrict(nil),
	})
	return q, known(err)
}

// RepeatWindow is how far from the first one the deliveries of an event without a
// session are looked for: those have no index of their own.
const RepeatWindow = time.Hour

// Repeat is one of the deliveries that state the same event.
type Repeat = db.EventDeliveriesRow

// Repeats are the deliveries that state an event, oldest first, at most limit.
func (s *Store) Repeats(ctx context.Context, scope Scope, e Event, limit int) ([]Repeat, error) {
	if !scope.Allows(e.StoreID) {
		return nil, ErrNotFound
	}
	args := db.EventDeliveriesParams{StoreID: e.StoreID, EventID: e.ID, SessionID: e.SessionID, RowLimit: int32(min(limit, 10_000))} //nolint:gosec // bounded
	if e.SessionID == nil {
		from, to := e.ReceivedAt.Add(-RepeatWindow), e.ReceivedAt.Add(RepeatWindow)
		args.FromTime, args.ToTime = &from, &to
	}
	rows, err := read(ctx, s, s.queries.EventDeliveries, args)
	return rows, known(err)
}

// KeptBody is a verbatim body; Altered says that it is not what was received.
type KeptBody struct {
	Bytes   []byte
	Altered bool
}

// Bodies are the bodies of some deliveries, without those of more than maxSize
// bytes and those outside of the scope.
func (s *Store) Bodies(ctx context.Context, scope Scope, ids []uuid.UUID, maxSize int64) (map[uuid.UUID]KeptBody, error) {
	args := db.ListBodiesParams{Ids: ids, MaxSize: maxSize, StoreIds: scope.restrict(nil)}
	for _, id := range ids {
		args.ReceivedAts = append(args.ReceivedAts, ReceivedAt(id))
	}
	rows, err := read(ctx, s, s.queries.ListBodies, args)
	if err != nil {
		return nil, known(err)
	}
	bodies := make(map[uuid.UUID]KeptBody, len(rows))
	for _, r := range rows {
		body, err := bodycodec.Decode(nil, r.Encoding, r.Body, r.BodySize)
		sum := sha256.Sum256(body)
		bodies[r.ID] = KeptBody{Bytes: body, Altered: err != nil || !bytes.Equal(sum[:], r.BodySha256)}
	}
	return bodies, nil
}
