package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
)

// commit writes a batch in one transaction. Only new events have rows of their own: what
// may have been stated before is asked for first. Then all goes in one round trip. again
// says that any of its deliveries may have been kept before.
func (f *flusher) commit(ctx context.Context, batch []*pending, again bool) ([]Receipt, error) {
	conn, err := f.store.writes.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	if again {
		if err := identify(ctx, conn.Conn()); err != nil {
			return nil, err
		}
	}
	f.forget(databaseOf(conn))
	have, err := f.known(ctx, conn, batch, again)
	if err != nil {
		return nil, err
	}
	f.seen.begin()
	rows := newRows(f.seen)
	rows.expected = have.expected
	receipts := make([]Receipt, len(batch))
	for i, p := range batch {
		receipts[i] = Receipt{Status: rows.add(p, have), Problem: p.problem}
	}
	if err := rows.insert(ctx, f.store.queries, conn, f.in.tables); err != nil {
		return nil, err
	}
	f.seen.committed()
	f.seen.stated.remember(have.events)
	return receipts, nil
}

// forget forgets what was written, if that was elsewhere or long ago.
func (f *flusher) forget(in database) {
	now := f.store.now()
	switch {
	case in != f.in:
		f.seen = newSeen()
	case now.Sub(f.since) >= seenFor:
		stated := f.seen.stated // each transaction confirms it
		f.seen = newSeen()
		f.seen.stated = stated
	default:
		return
	}
	f.in, f.since = in, now
}

// add adds the rows of a delivery, and says what becomes of it. What it adds is had
// by those that follow it in the batch.
func (r *rows) add(p *pending, have had) Status {
	if p.wasRefused && !slices.Contains(r.refused.DeliveryID, p.delivery.ID) {
		r.refused.ReceivedAt, r.refused.DeliveryID = append(r.refused.ReceivedAt, p.receivedAt), append(r.refused.DeliveryID, p.delivery.ID)
	}
	if p.replayed == nil {
		if have.deliveries[p.delivery.ID] {
			return p.statusAgain(have)
		}
		have.deliveries[p.delivery.ID] = true
	}
	status := Quarantined
	if p.statement != nil {
		status = Duplicate
		if _, stated := have.events[p.event()]; !stated {
			have.events[p.event()] = p.delivery.ID
			status = Stored
			r.addEvent(p)
			r.addEventParts(p)
			r.countEvent(p)
		}
		r.addCatalogue(p)
	}
	if p.replayed == nil {
		r.addDelivery(p, status == Stored)
		r.countDelivery(p)
	} else {
		r.addReplay(p, status == Stored)
	}
	return status
}

// statusAgain is what became of a delivery that is kept already.
func (p *pending) statusAgain(have had) Status {
	switch {
	case p.statement == nil:
		return Quarantined
	case have.events[p.event()] == p.delivery.ID:
		return Stored
	}
	return Duplicate
}

func (p *pending) occurredAt() time.Time { return p.statement.OccurredAt(p.receivedAt) }

func (r *rows) addEvent(p *pending) {
	s, e := p.statement, &r.events
	e.StoreID = append(e.StoreID, s.StoreID)
	e.Kind = append(e.Kind, string(s.Webhook.Kind()))
	e.OccurredAt = append(e.OccurredAt, p.occurredAt())
	e.ID = append(e.ID, s.UUID())
	e.OccurredAtKnown = append(e.OccurredAtKnown, !s.TimeOfOrigin.IsZero())
	e.DeliveryID = append(e.DeliveryID, p.delivery.ID)
	e.ReceivedAt = append(e.ReceivedAt, p.receivedAt)
	e.IssuedAt = append(e.IssuedAt, s.TimeOfIssue)
	e.Webhook = append(e.Webhook, aifi.CleanText(string(s.Webhook)))
	e.EventID = append(e.EventID, s.EventID)
	e.SessionID = append(e.SessionID, s.SessionID)
	e.CustomerID = append(e.CustomerID, s.CustomerID())
	e.ShopperID = append(e.ShopperID, s.ShopperID)
	e.StoreExternalID = append(e.StoreExternalID, s.StoreExternalID)
	e.Flags = append(e.Flags, arrayLiteral(s.Flags()))
	e.ProductIds = append(e.ProductIds, arrayLiteral(s.ProductIDs))
	e.GondolaIds = append(e.GondolaIds, arrayLiteral(s.GondolaIDs))
	e.PaymentProvider = append(e.PaymentProvider, s.PaymentProvider)
	e.TokenType = append(e.TokenType, s.TokenType)
	e.CheckInDeviceID = append(e.CheckInDeviceID, s.CheckInDeviceID)
	e.Unreadable = append(e.Unreadable, arrayLiteral(s.Unreadable))
}

// addDelivery adds what was received, its leaf, and why it is not understood if so.
func (r *rows) addDelivery(p *pending, first bool) {
	d := &p.delivery
	var eventID uuid.UUID
	var kind, sessionID string
	var occurredAt, issuedAt time.Time
	if s := p.statement; s != nil {
		eventID, kind, occurredAt = s.UUID(), string(s.Webhook.Kind()), p.occurredAt()
		sessionID, issuedAt = s.SessionID, s.TimeOfIssue
	}
	webhook := string(d.Webhook)
	if r.seen.once(catalogueKey("webhook", p.storeID(), webhook)) {
		r.storeWebhooks[storeKey{p.storeID(), webhook}] = struct{}{}
	}
	a := &r.deliveries
	a.StoreID = append(a.StoreID, p.storeID())
	a.ReceivedAt = append(a.ReceivedAt, p.receivedAt)
	a.ID = append(a.ID, d.ID)
	a.Webhook = append(a.Webhook, webhook)
	a.SessionID = append(a.SessionID, sessionID)
	a.EventKind = append(a.EventKind, kind)
	a.EventOccurredAt = append(a.EventOccurredAt, occurredAt)
	a.EventID = append(a.EventID, eventID)
	a.IssuedAt = append(a.IssuedAt, issuedAt)
	a.TokenID = append(a.TokenID, d.TokenID)
	r.addHead(p)
	a.BodySize = append(a.BodySize, int64(len(d.Body)))
	a.BodySha256 = append(a.BodySha256, p.prepared.bodySHA256)
	a.Truncated = append(a.Truncated, d.Truncated)

	b := &r.bodies
	b.StoreID = append(b.StoreID, p.storeID())
	b.ReceivedAt = append(b.ReceivedAt, p.receivedAt)
	b.DeliveryID = append(b.DeliveryID, d.ID)
	b.Body = append(b.Body, p.stored)
	b.Encoding = append(b.Encoding, p.encoding)
	b.Secret = append(b.Secret, p.evidence.secret[:])
	r.leaves = append(r.leaves, p.leafBytes(first))

	if p.problem != nil {
		q := &r.quarantine
		q.StoreID = append(q.StoreID, p.storeID())
		q.ReceivedAt = append(q.ReceivedAt, p.receivedAt)
		q.DeliveryID = append(q.DeliveryID, d.ID)
		q.Webhook = append(q.Webhook, webhook)
		q.Reason = append(q.Reason, string(p.problem.Reason))
		q.Pointer = append(q.Pointer, p.problem.Pointer)
		q.Detail = append(q.Detail, p.problem.Detail)
	}
}

// addReplay says in quarantine, and in a leaf, what a replay came to.
func (r *rows) addReplay(p *pending, first bool) {
	q := p.replayed
	if s := p.statement; s != nil {
		kind, occurredAt, id := string(s.Webhook.Kind()), p.occurredAt(), s.UUID()
		var leaf []byte
		if p.evidence != nil {
			leaf = p.leafBytes(first)
		}
		r.resolved = append(r.resolved, db.ResolveQuarantineParams{
			StoreID: q.storeID, ReceivedAt: q.receivedAt, DeliveryID: q.deliveryID,
			EventStoreID: &s.StoreID, EventKind: &kind, EventOccurredAt: &occurredAt, EventID: &id, Leaf: leaf,
		})
		return
	}
	r.unresolved = append(r.unresolved, db.UpdateQuarantineReasonParams{
		StoreID: q.storeID, ReceivedAt: q.receivedAt, DeliveryID: q.deliveryID,
		Reason: string(p.problem.Reason), Pointer: p.problem.Pointer, Detail: p.problem.Detail,
	})
}
