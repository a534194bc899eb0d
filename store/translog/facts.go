package translog

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Facts are what a delivery's rows say without personal data: what search serves,
// but for the customer and his personal info. The customer's id is left out because
// it names a person, and must be erasable while the facts stay provable; sessions
// and shoppers are AiFi's names for one visit. (That the rows name the customer whom
// the body names is checked as long as there is a body.)
type Facts struct {
	SessionID  string            `json:"sessionId,omitempty"`
	IssuedAt   time.Time         `json:"issuedAt,omitzero"`
	TokenID    int64             `json:"tokenId"`
	RemoteAddr string            `json:"remoteAddr"`
	Path       string            `json:"path"`
	Headers    map[string]string `json:"headers"`
	BodySize   int64             `json:"bodySize"`
	Truncated  bool              `json:"truncated"`
	Event      *EventFacts       `json:"event,omitempty"` // nil: not understood
}

// EventFacts are the facts of the event that a delivery states. Of the delivery that
// stated it first they are the event's row to the letter. A later delivery stated the
// same facts, but perhaps with its lists in another order: its lists are sets.
type EventFacts struct {
	First           bool      `json:"first"`
	ID              uuid.UUID `json:"id"`
	StoreID         int64     `json:"storeId"`
	Kind            string    `json:"kind"`
	Webhook         string    `json:"webhook"`
	OccurredAt      time.Time `json:"occurredAt"`
	OccurredAtKnown bool      `json:"occurredAtKnown"`
	ReceivedAt      time.Time `json:"receivedAt,omitzero"` // of the first
	IssuedAt        time.Time `json:"issuedAt,omitzero"`   // of the first
	EventID         string    `json:"eventId,omitempty"`
	SessionID       string    `json:"sessionId,omitempty"`
	ShopperID       string    `json:"shopperId,omitempty"`
	StoreExternalID string    `json:"storeExternalId,omitempty"`
	Flags           []string  `json:"flags"`
	ProductIDs      []string  `json:"productIds"`
	GondolaIDs      []string  `json:"gondolaIds"`
	PaymentProvider string    `json:"paymentProvider,omitempty"`
	TokenType       string    `json:"tokenType,omitempty"`
	CheckInDeviceID string    `json:"checkInDeviceId,omitempty"`
	Unreadable      []string  `json:"unreadable"`
}

// factsVersion is that of the projection: which facts there are, and how they are
// encoded.
const factsVersion = 1

// Append encodes the facts, each behind its length, in the order of the fields.
func (f *Facts) Append(b []byte) []byte {
	const usual = 512 // bytes at most
	b = append(slices.Grow(b, usual), factsVersion)
	b = appendText(b, f.SessionID)
	b = appendTime(b, f.IssuedAt)
	b = binary.AppendVarint(b, f.TokenID)
	b = appendText(b, f.RemoteAddr)
	b = appendText(b, f.Path)
	b = appendNamed(b, f.Headers)
	b = binary.AppendVarint(b, f.BodySize)
	b = appendBool(b, f.Truncated)
	b = appendBool(b, f.Event != nil)
	if f.Event != nil {
		b = f.Event.append(b)
	}
	return b
}

func (e *EventFacts) append(b []byte) []byte {
	list := appendSet
	b = appendBool(b, e.First)
	b = append(b, e.ID[:]...)
	b = binary.AppendVarint(b, e.StoreID)
	b = appendText(b, e.Kind)
	b = appendText(b, e.Webhook)
	b = appendTime(b, e.OccurredAt)
	b = appendBool(b, e.OccurredAtKnown)
	if e.First {
		b = appendTime(b, e.ReceivedAt)
		b = appendTime(b, e.IssuedAt)
		list = appendList
	}
	b = appendText(b, e.EventID)
	b = appendText(b, e.SessionID)
	b = appendText(b, e.ShopperID)
	b = appendText(b, e.StoreExternalID)
	b = list(b, e.Flags)
	b = list(b, e.ProductIDs)
	b = list(b, e.GondolaIDs)
	b = appendText(b, e.PaymentProvider)
	b = appendText(b, e.TokenType)
	b = appendText(b, e.CheckInDeviceID)
	return list(b, e.Unreadable)
}

func appendNamed(b []byte, named map[string]string) []byte {
	const usual = 8 // at most, so that their names need no memory of their own
	names := make([]string, 0, usual)
	for name := range named {
		names = append(names, name)
	}
	slices.Sort(names)
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, name := range names {
		b = appendText(appendText(b, name), named[name])
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// appendTime marks the zero time apart: microsecond 0 is a time.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.AppendVarint(append(b, 1), t.UnixMicro())
}

func appendList(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

func appendSet(b []byte, list []string) []byte {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			return appendList(b, slices.Compact(slices.Sorted(slices.Values(list))))
		}
	}
	return appendList(b, list)
}

// AccessFacts are what an entry of the access log says, beside its time.
type AccessFacts struct {
	TokenID                         int64
	Action, Path, Query, RemoteAddr string
	Status                          int64
	Rows                            *int64
	Detail                          string
}

// Append encodes the facts, each behind its length, in the order of the fields.
func (f *AccessFacts) Append(b []byte) []byte {
	b = append(b, factsVersion)
	b = binary.AppendVarint(b, f.TokenID)
	for _, text := range []string{f.Action, f.Path, f.Query, f.RemoteAddr} {
		b = appendText(b, text)
	}
	b = binary.AppendVarint(b, f.Status)
	b = appendBool(b, f.Rows != nil)
	if f.Rows != nil {
		b = binary.AppendVarint(b, *f.Rows)
	}
	return appendText(b, f.Detail)
}

// ErasureFacts say who erased a body, and why.
type ErasureFacts struct {
	Actor  string `json:"actor"`
	Reason string `json:"reason"`
}

// Append encodes the fields, each behind its length.
func (e *ErasureFacts) Append(b []byte) []byte {
	return appendText(appendText(append(b, factsVersion), e.Actor), e.Reason)
}

// RetirementFacts say which deliveries were removed, by whom, and why.
type RetirementFacts struct {
	From, To      time.Time   // when they were received; half-open
	DeliveryIDs   []uuid.UUID // nil: all that were received then and have a leaf before this one
	Deliveries    int64
	Leaves        int64 // how many of them have a leaf
	Actor, Reason string
}

// Append encodes the facts, in the order of the fields.
func (f *RetirementFacts) Append(b []byte) []byte {
	b = appendTime(appendTime(append(b, factsVersion), f.From), f.To)
	b = appendBool(b, f.DeliveryIDs != nil)
	b = binary.AppendUvarint(b, uint64(len(f.DeliveryIDs)))
	for _, id := range f.DeliveryIDs {
		b = append(b, id[:]...)
	}
	b = binary.AppendVarint(binary.AppendVarint(b, f.Deliveries), f.Leaves)
	return appendText(appendText(b, f.Actor), f.Reason)
}

// ActFacts are what the row of an act of staff says, as texts by their names.
type ActFacts map[string]string

// Append encodes the facts, each behind its length, in the order of their names.
func (f ActFacts) Append(b []byte) []byte { return appendNamed(append(b, factsVersion), f) }
