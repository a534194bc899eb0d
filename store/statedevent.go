package store

import (
	"time"

	"aifi-audit/store/aifi"
	"aifi-audit/store/translog"
)

// EventOf makes the event that a delivery was the first to state from what its leaf
// committed to: the facts, and the body for what of it is personal. body is nil if it
// was erased, and the personal parts with it. ok is false if the facts tell of no
// event, or another delivery stated it first.
func EventOf(l translog.Leaf, facts *translog.Facts, body []byte) (e Event, ok bool) {
	if facts == nil || facts.Event == nil || !facts.Event.First {
		return e, false
	}
	f := facts.Event
	e = Event{
		ID: f.ID, Kind: Kind(f.Kind), Webhook: f.Webhook, DeliveryID: l.ID, EventID: orNil(f.EventID), StoreID: f.StoreID,
		StoreExternalID: orNil(f.StoreExternalID), SessionID: orNil(f.SessionID), ShopperID: orNil(f.ShopperID), OccurredAt: f.OccurredAt,
		OccurredAtKnown: f.OccurredAtKnown, IssuedAt: orNilTime(f.IssuedAt), ReceivedAt: f.ReceivedAt, Flags: f.Flags, ProductIDs: f.ProductIDs,
		GondolaIDs: f.GondolaIDs, PaymentProvider: orNil(f.PaymentProvider), TokenType: orNil(f.TokenType),
		CheckInDeviceID: orNil(f.CheckInDeviceID), Unreadable: f.Unreadable,
	}
	s, problem := aifi.Decode(aifi.Webhook(l.Webhook), body)
	if problem != nil {
		return e, true
	}
	e.CustomerID = orNil(s.CustomerID())
	if p := s.PersonalInfo; p != nil {
		e.PersonalInfo = PersonalInfo{orNil(p.Email), orNil(p.FirstName), orNil(p.LastName), orNil(p.Phone), orNil(p.PhoneNumber)}
	}
	return e, true
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orNilTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
