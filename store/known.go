package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
)

// had is what the database has of a batch, and then what the batch adds.
type had struct {
	deliveries map[uuid.UUID]bool
	events     map[eventKey]uuid.UUID // by which delivery each was stated first
}

// eventKey names an event. The same facts at another time are another event: one whose
// time of origin is not known stands at the time it was received.
type eventKey struct {
	id           uuid.UUID
	seconds      int64
	microseconds int // PostgreSQL knows no smaller time
}

func (p *pending) event() eventKey {
	return eventKeyOf(uuidOf(p.statement.Fingerprint), p.occurredAt())
}

func eventKeyOf(id uuid.UUID, at time.Time) eventKey {
	return eventKey{id, at.Unix(), at.Nanosecond() / 1000}
}

// known asks for the events of a batch, and for the deliveries that may have been kept
// before: all of them, or just those from the spool.
func (f *flusher) known(ctx context.Context, conn db.DBTX, batch []*pending, again bool) (had, error) {
	have := had{make(map[uuid.UUID]bool, len(batch)), make(map[eventKey]uuid.UUID, len(batch))}
	var events db.KnownEventsParams
	var deliveries db.KnownDeliveriesParams
	asked := make(map[uuid.UUID]eventKey, len(batch))
	var occurred, received span
	for _, p := range batch {
		if s := p.statement; s != nil {
			at := p.occurredAt()
			occurred = occurred.including(at)
			events.StoreID, events.Kind = append(events.StoreID, s.StoreID), append(events.Kind, string(kindOf(s.Webhook)))
			events.OccurredAt, events.ID = append(events.OccurredAt, at), append(events.ID, uuidOf(s.Fingerprint))
			events.AskedBy = append(events.AskedBy, p.delivery.ID)
			asked[p.delivery.ID] = p.event()
		}
		if p.replayed == nil && (again || p.fromSpool) {
			received = received.including(p.receivedAt)
			deliveries.StoreID, deliveries.ReceivedAt = append(deliveries.StoreID, p.storeID()), append(deliveries.ReceivedAt, p.receivedAt)
			deliveries.ID = append(deliveries.ID, p.delivery.ID)
		}
	}
	if len(deliveries.ID) > 0 {
		deliveries.Earliest, deliveries.Latest = received.first, received.last
		ids, err := f.store.queries.KnownDeliveries(ctx, conn, deliveries)
		if err != nil {
			return had{}, err
		}
		for _, id := range ids {
			have.deliveries[id] = true
		}
	}
	if len(events.ID) > 0 {
		events.Earliest, events.Latest = occurred.first, occurred.last
		stated, err := f.store.queries.KnownEvents(ctx, conn, events)
		if err != nil {
			return had{}, err
		}
		for _, e := range stated {
			have.events[asked[e.AskedBy]] = e.StatedBy
		}
	}
	return have, nil
}
