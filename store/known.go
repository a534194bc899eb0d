package store

import (
	"context"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
)

// had is what the database has of a batch, and then what the batch adds.
type had struct {
	deliveries map[uuid.UUID]bool
	events     map[logrows.EventKey]uuid.UUID // by which delivery each was stated first
	expected   db.KnownEventsParams           // events that were not asked for, which the transaction confirms
}

// addEventOf adds the event of a pending delivery, with the delivery that is asked about.
func addEventOf(a *db.KnownEventsParams, p *pending, deliveryID uuid.UUID) {
	s, at := p.statement, p.occurredAt()
	a.StoreID, a.Kind = append(a.StoreID, s.StoreID), append(a.Kind, string(s.Webhook.Kind()))
	a.OccurredAt, a.ID, a.DeliveryID = append(a.OccurredAt, at), append(a.ID, s.UUID()), append(a.DeliveryID, deliveryID)
	all := span{a.Earliest, a.Latest}.including(at)
	a.Earliest, a.Latest = all.first, all.last
}

func (p *pending) event() logrows.EventKey {
	return logrows.EventKeyOf(p.statement.UUID(), p.occurredAt())
}

// known says what the database has of a batch. It asks for what may be there: the
// deliveries that come from the spool, the events of all deliveries if the flusher is
// wary, and everything if again is set. Of what it does not ask for, it takes for stated
// what it remembers, which the transaction confirms, and all else for new, which keys
// confirm.
func (f *flusher) known(ctx context.Context, conn db.DBTX, batch []*pending, again bool) (had, error) {
	have := had{deliveries: make(map[uuid.UUID]bool, len(batch)), events: make(map[logrows.EventKey]uuid.UUID, len(batch))}
	var events db.KnownEventsParams
	var deliveries db.KnownDeliveriesParams
	asked := make(map[uuid.UUID]logrows.EventKey, len(batch))
	var received span
	for _, p := range batch {
		kept := again || p.fromSpool
		if p.statement != nil {
			event := p.event()
			if kept || p.replayed != nil || f.seen.stated.wary > 0 {
				addEventOf(&events, p, p.delivery.ID)
				asked[p.delivery.ID] = event
			} else if stater, ok := f.seen.stated.by(event); ok {
				addEventOf(&have.expected, p, stater)
				have.events[event] = stater
			}
		}
		if p.replayed == nil && kept {
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
		stated, err := f.store.queries.KnownEvents(ctx, conn, events)
		if err != nil {
			return had{}, err
		}
		for _, e := range stated {
			event := asked[e.AskedBy]
			if _, ok := f.seen.stated.by(event); !ok {
				f.seen.stated.wary = waryFor
			}
			have.events[event] = e.StatedBy
		}
	}
	return have, nil
}
