package logrows

import (
	"encoding/json"
	"fmt"

	"aifi-audit/store/bodycodec"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// HeadersOf reads headers as they are kept. What cannot be read breaks the commitment.
func HeadersOf(kept []byte) (headers map[string]string) {
	_ = json.Unmarshal(kept, &headers)
	return headers
}

// Row is all that the leaves of a delivery are made from.
type Row = db.DeliveryEvidenceRow

// Opened is a leaf made from what the database holds, with what opens its
// commitments.
type Opened struct {
	Leaf      translog.Leaf
	Facts     *translog.Facts        // nil of an erasure
	FactsSalt translog.Salt          // of Facts, or of the reason of an erasure
	BodySalt  *translog.Salt         // nil: erased
	Body      []byte                 // nil: erased
	Erasure   *translog.ErasureFacts // of an erasure
}

// Room is memory for what is opened. It can be used again for the next.
type Room struct {
	bodySalt translog.Salt
	facts    translog.Facts
	event    translog.EventFacts
	encoded  []byte // facts
}

// Open makes a leaf of a delivery from its rows.
func Open(kind translog.Kind, r *Row) (Opened, error) {
	body := r.Body
	if body != nil {
		var err error
		if body, err = bodycodec.Decode(nil, r.Encoding, r.Body, bodycodec.MaxSize); err != nil {
			return Opened{}, fmt.Errorf("the body of %s: %w: %w", r.ID, ErrTampered, err)
		}
	}
	return OpenInto(new(Room), kind, r, body, HeadersOf(r.Headers))
}

// OpenInto is Open for a row whose body and headers were read already. What it gives
// lies in room.
func OpenInto(room *Room, kind translog.Kind, r *Row, body []byte, headers map[string]string) (Opened, error) {
	o := Opened{Leaf: translog.Leaf{Kind: kind, ID: r.ID, At: r.ReceivedAt, StoreID: r.StoreID, Webhook: r.Webhook}, Body: body}
	if kind == translog.Replay && r.EventStoreID != nil {
		o.Leaf.StoreID = *r.EventStoreID
	}
	switch {
	case body != nil && len(r.Secret) == len(translog.Secret{}):
		secret := translog.Secret(r.Secret)
		room.bodySalt = secret.Body()
		o.BodySalt, o.FactsSalt, o.Leaf.Body = &room.bodySalt, secret.Facts(), room.bodySalt.Commit(body)
	case body != nil && r.Secret == nil:
		return o, ErrUnsequenced // it came before there was a log, or its secret is gone
	case body == nil && len(r.BodyCommitment) == translog.CommitmentSize && len(r.FactsSalt) == len(translog.Salt{}):
		o.FactsSalt, o.Leaf.Body = translog.Salt(r.FactsSalt), translog.Commitment(r.BodyCommitment)
	default:
		return o, fmt.Errorf("the body of %s, or its secret: %w", r.ID, ErrTampered)
	}
	if kind == translog.Erasure {
		return o.erasure(r)
	}
	o.Facts = room.factsOf(r, headers)
	room.encoded = o.Facts.Append(room.encoded[:0])
	o.Leaf.Facts = o.FactsSalt.Commit(room.encoded)
	return o, nil
}

// factsOf are the facts as they are kept.
func (room *Room) factsOf(r *Row, headers map[string]string) *translog.Facts {
	f := &room.facts
	*f = translog.Facts{
		SessionID: db.OrEmpty(r.SessionID), IssuedAt: db.OrZero(r.IssuedAt), TokenID: r.TokenID, RemoteAddr: r.RemoteAddr, Path: r.Path,
		Headers: headers, BodySize: r.BodySize, Truncated: r.Truncated,
	}
	if r.EventID == nil {
		return f
	}
	f.Event = &room.event
	room.event = translog.EventFacts{
		ID: *r.EventID, StoreID: db.OrZero(r.EventStoreID), Kind: db.OrEmpty(r.EventKind), Webhook: db.OrEmpty(r.EventWebhook),
		OccurredAt: db.OrZero(r.OccurredAt), OccurredAtKnown: db.OrZero(r.OccurredAtKnown), EventID: db.OrEmpty(r.AifiEventID),
		SessionID: db.OrEmpty(r.EventSessionID), ShopperID: db.OrEmpty(r.ShopperID), StoreExternalID: db.OrEmpty(r.StoreExternalID),
		Flags: r.Flags, ProductIDs: r.ProductIds, GondolaIDs: r.GondolaIds, PaymentProvider: db.OrEmpty(r.PaymentProvider),
		TokenType: db.OrEmpty(r.TokenType), CheckInDeviceID: db.OrEmpty(r.CheckInDeviceID), Unreadable: r.Unreadable,
	}
	if r.FirstDeliveryID != nil && *r.FirstDeliveryID == r.ID {
		f.Event.First, f.Event.ReceivedAt, f.Event.IssuedAt = true, db.OrZero(r.EventReceivedAt), db.OrZero(r.EventIssuedAt)
	}
	return f
}

// erasure makes o the leaf of the delivery's erasure.
func (o Opened) erasure(r *Row) (Opened, error) {
	if r.ErasedAt == nil || len(r.ErasureSecret) != len(translog.Secret{}) {
		return o, fmt.Errorf("the erasure of %s: %w", r.ID, ErrTampered)
	}
	o.Erasure = &translog.ErasureFacts{Actor: db.OrEmpty(r.Actor), Reason: db.OrEmpty(r.Reason)}
	o.FactsSalt = translog.Secret(r.ErasureSecret).Facts()
	o.Leaf.At, o.Leaf.Facts = *r.ErasedAt, o.FactsSalt.Commit(o.Erasure.Append(nil))
	return o, nil
}
