package logrows

import (
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/aifi"
	"aifi-audit/store/translog"
)

// EventKey names an event. The same facts at another time are another event: one whose
// time of origin is not known stands at the time it was received.
type EventKey struct {
	id           uuid.UUID
	seconds      int64
	microseconds int // PostgreSQL knows no smaller time
}

// EventKeyOf is the key of an event.
func EventKeyOf(id uuid.UUID, at time.Time) EventKey {
	return EventKey{id, at.Unix(), at.Nanosecond() / 1000}
}

// EventFacts are the facts of a statement's event.
func EventFacts(s *aifi.Statement, occurredAt time.Time) *translog.EventFacts {
	return &translog.EventFacts{
		ID: s.UUID(), StoreID: s.StoreID, Kind: string(s.Webhook.Kind()), Webhook: aifi.CleanText(string(s.Webhook)),
		OccurredAt: occurredAt, OccurredAtKnown: !s.TimeOfOrigin.IsZero(), EventID: s.EventID, SessionID: s.SessionID,
		ShopperID: s.ShopperID, StoreExternalID: s.StoreExternalID,
		Flags: s.Flags(), ProductIDs: s.ProductIDs, GondolaIDs: s.GondolaIDs, PaymentProvider: s.PaymentProvider, TokenType: s.TokenType,
		CheckInDeviceID: s.CheckInDeviceID, Unreadable: s.Unreadable,
	}
}
