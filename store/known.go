package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
)

// waryFor is for how many batches a flusher asks for all events, after it began or met one
// that it did not remember: who sends something again may go on to do so.
const waryFor = 100

// had is what the database has of a batch, and then what the batch adds.
type had struct {
	deliveries map[uuid.UUID]bool
	events     map[eventKey]uuid.UUID // by which delivery each was stated first
	expected   db.ExpectEventsParams  // those of events that were not asked for
}

// expect has the transaction confirm that a delivery's event is there.
func (h *had) expect(p *pending, stater uuid.UUID) {
	a, at := &h.expected, p.occurredAt()
	a.StoreID, a.Kind = append(a.StoreID, p.statement.StoreID), append(a.Kind, string(kindOf(p.statement.Webhook)))
	a.OccurredAt, a.ID, a.StatedBy = append(a.OccurredAt, at), append(a.ID, uuidOf(p.statement.Fingerprint)), append(a.StatedBy, stater)
	all := span{a.Earliest, a.Latest}.including(at)
	a.Earliest, a.Latest = all.first, all.last
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

// known says what the database has of a batch. It asks for what may be there: the
// deliveries that come from the spool, the events of all of them if this flusher is wary,
// and everything if again is set. Of the others it takes those events for stated that it
// remembers, which the transaction confirms, and all else for new, which keys confirm.
func (f *flusher) known(ctx context.Context, conn db.DBTX, batch []*pending, again bool) (had, error) {
	have := had{deliveries: make(map[uuid.UUID]bool, len(batch)), events: make(map[eventKey]uuid.UUID, len(batch))}
	var events db.KnownEventsParams
	var deliveries db.KnownDeliveriesParams
	asked := make(map[uuid.UUID]eventKey, len(batch))
	var occurred, received span
	for _, p := range batch {
		kept := again || p.fromSpool
		if s := p.statement; s != nil {
			at, event := p.occurredAt(), p.event()
			stater, remembered := f.seen.stated.by(event)
			switch {
			case kept || f.wary > 0 || p.replayed != nil:
				occurred = occurred.including(at)
				events.StoreID, events.Kind = append(events.StoreID, s.StoreID), append(events.Kind, string(kindOf(s.Webhook)))
				events.OccurredAt, events.ID = append(events.OccurredAt, at), append(events.ID, event.id)
				events.AskedBy = append(events.AskedBy, p.delivery.ID)
				asked[p.delivery.ID] = event
			case remembered:
				have.events[event] = stater
				have.expect(p, stater)
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
		events.Earliest, events.Latest = occurred.first, occurred.last
		stated, err := f.store.queries.KnownEvents(ctx, conn, events)
		if err != nil {
			return had{}, err
		}
		for _, e := range stated {
			event := asked[e.AskedBy]
			if _, remembered := f.seen.stated.by(event); !remembered {
				f.wary = waryFor
			}
			have.events[event] = e.StatedBy
		}
	}
	return have, nil
}
