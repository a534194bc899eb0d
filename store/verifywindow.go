package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/bodycodec"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// window holds what the tables have for a stretch of the log. Deliveries lie in the log
// nearly in the order in which they were received, so their rows, bodies and events lie
// together in time too, and are read by three ranges in place of a search for each. One
// goroutine owns it.
type window struct {
	deliveries map[uuid.UUID]*windowDelivery
	events     map[eventKey]*db.WindowEventsRow
	headers    map[string]map[string]string // as parsed, by their JSON: most deliveries have the same
	evidence   evidenceRow                  // scratch
	room       []byte                       // scratch, of a body
}

// windowDelivery is a delivery of a window, and its leaf.
type windowDelivery struct {
	db.WindowDeliveriesRow
	headers map[string]string
	leaf    *storedLeaf // nil: it has no leaf in this stretch of the log
	twice   bool        // there is another of its id
}

// mostHeaders bounds how many different headers are remembered.
const mostHeaders = 1024

// affirm finds the leaves of deliveries whose rows make them again, and calls right
// with each and its row, which is valid until the next. It tells nothing of the others:
// they may be wrong, erased, or far from where the window looks.
func (w *window) affirm(ctx context.Context, log logReader, leaves []*storedLeaf, right func(*storedLeaf, *evidenceRow)) error {
	times := make([]time.Time, len(leaves))
	for i, l := range leaves {
		times[i] = ReceivedAt(l.id)
	}
	from, to := together(times)
	full, err := w.readDeliveries(ctx, log, leaves, from, to)
	if err != nil || full {
		return err
	}
	if err := w.readEvents(ctx, log); err != nil {
		return err
	}
	return log.queries.EachWindowBody(ctx, log.conn, w.bodies(from, to), func(r *db.RawRow) error {
		receivedAt, id, stored, encoding, secret := r.Time(), r.UUID(), r.Bytes(), r.Int16(), r.Bytes()
		if d := w.deliveries[id]; d != nil && d.leaf != nil && !d.twice && d.ReceivedAt.Equal(receivedAt) && w.makes(d, stored, encoding, secret) {
			right(d.leaf, &w.evidence)
		}
		return nil
	})
}

// bodies is what finds the bodies of the window's deliveries.
func (w *window) bodies(from, to time.Time) db.WindowBodiesParams {
	stores := map[int64]struct{}{}
	for _, d := range w.deliveries {
		stores[d.StoreID] = struct{}{}
	}
	return db.WindowBodiesParams{StoreIds: keysOf(stores), FromTime: from, ToTime: to}
}

// readDeliveries reads the deliveries of a time. It gives up, and gives full, if there
// are far more than leaves.
func (w *window) readDeliveries(ctx context.Context, log logReader, leaves []*storedLeaf, from, to time.Time) (full bool, err error) {
	byID := make(map[uuid.UUID]*storedLeaf, len(leaves))
	for _, l := range leaves {
		byID[l.id] = l
	}
	w.deliveries = make(map[uuid.UUID]*windowDelivery, len(leaves))
	if w.headers == nil || len(w.headers) > mostHeaders {
		w.headers = map[string]map[string]string{}
	}
	limit, rows := rowLimit(len(leaves)), int32(0)
	p := db.WindowDeliveriesParams{FromTime: from, ToTime: to, RowLimit: limit}
	err = log.queries.EachWindowDelivery(ctx, log.conn, p, func(r *db.RawRow) error {
		rows++
		d := &windowDelivery{WindowDeliveriesRow: r.WindowDelivery()}
		if r.Bad() {
			return nil
		}
		if before := w.deliveries[d.ID]; before != nil {
			before.twice = true
			return nil
		}
		headers, known := w.headers[string(d.Headers)]
		if !known {
			headers = headersOf(d.Headers)
			w.headers[string(d.Headers)] = headers
		}
		d.headers, d.Headers, d.leaf = headers, nil, byID[d.ID]
		w.deliveries[d.ID] = d
		return nil
	})
	return rows == limit, err
}

// readEvents reads the events that the window's deliveries state.
func (w *window) readEvents(ctx context.Context, log logReader) error {
	w.events = make(map[eventKey]*db.WindowEventsRow, len(w.deliveries))
	p, some := w.stated()
	if !some {
		return nil
	}
	return log.queries.EachWindowEvent(ctx, log.conn, p, func(r *db.RawRow) error {
		e := r.WindowEvent()
		key := eventKeyOf(e.ID, e.OccurredAt)
		_, twice := w.events[key]
		switch {
		case r.Bad():
		case twice:
			w.events[key] = nil
		default:
			w.events[key] = &e
		}
		return nil
	})
}

// stated is what finds the events that the window's deliveries state, if any, but for
// those that happened long before or after the others.
func (w *window) stated() (p db.WindowEventsParams, some bool) {
	var times []time.Time
	stores, kinds := map[int64]struct{}{}, map[string]struct{}{}
	for _, d := range w.deliveries {
		if d.leaf != nil && d.EventID != nil && d.EventOccurredAt != nil {
			times = append(times, *d.EventOccurredAt)
			stores[d.StoreID], kinds[orEmpty(d.EventKind)] = struct{}{}, struct{}{}
		}
	}
	if len(times) == 0 {
		return p, false
	}
	p = db.WindowEventsParams{StoreIds: keysOf(stores), Kinds: keysOf(kinds), RowLimit: rowLimit(len(times))}
	p.FromTime, p.ToTime = together(times)
	return p, true
}

// makes reports whether the rows of a delivery make its leaf, and name whom the body
// names.
func (w *window) makes(d *windowDelivery, stored []byte, encoding bodycodec.Encoding, secret []byte) bool {
	if len(secret) != len(translog.Secret{}) {
		return false
	}
	body, err := bodycodec.Decode(w.room[:0], encoding, stored, d.BodySize)
	if err != nil {
		return false
	}
	if encoding != bodycodec.Verbatim {
		w.room = body
	}
	r := &w.evidence
	*r = evidenceRow{
		StoreID: d.StoreID, ReceivedAt: d.ReceivedAt, ID: d.ID, Webhook: d.Webhook, SessionID: d.SessionID, IssuedAt: d.IssuedAt, TokenID: d.TokenID,
		RemoteAddr: d.RemoteAddr, Path: d.Path, BodySize: d.BodySize, Truncated: d.Truncated, StatedEventID: d.EventID, Body: stored, Encoding: encoding, Secret: secret,
	}
	if d.EventID != nil {
		e := w.events[eventKeyOf(*d.EventID, orZero(d.EventOccurredAt))]
		if e == nil || e.StoreID != d.StoreID || e.Kind != orEmpty(d.EventKind) {
			return false
		}
		addEventColumns(r, e)
	}
	o, err := openParsed(translog.Delivery, r, body, d.headers)
	return err == nil && o.Leaf.Hash() == d.leaf.hash && personal(r, body) == ""
}

// addEventColumns adds an event to the row of a delivery, as DeliveryEvidence would.
func addEventColumns(r *evidenceRow, e *db.WindowEventsRow) {
	r.EventStoreID, r.EventKind, r.OccurredAt, r.EventID, r.OccurredAtKnown = &e.StoreID, &e.Kind, &e.OccurredAt, &e.ID, &e.OccurredAtKnown
	r.FirstDeliveryID, r.EventReceivedAt, r.EventIssuedAt = &e.DeliveryID, &e.ReceivedAt, e.IssuedAt
	r.EventWebhook, r.AifiEventID, r.EventSessionID, r.CustomerID, r.ShopperID = &e.Webhook, e.EventID, e.SessionID, e.CustomerID, e.ShopperID
	r.StoreExternalID, r.Flags, r.ProductIds, r.GondolaIds = e.StoreExternalID, e.Flags, e.ProductIds, e.GondolaIds
	r.PaymentProvider, r.TokenType, r.CheckInDeviceID, r.Unreadable = e.PaymentProvider, e.TokenType, e.CheckInDeviceID, e.Unreadable
	r.Email, r.FirstName, r.LastName, r.Phone, r.PhoneNumber, r.PersonalCustomerID = e.Email, e.FirstName, e.LastName, e.Phone, e.PhoneNumber, e.PersonalCustomerID
}

// together gives the time in which nearly all of some times lie: without the sixteenth
// at each end, where these lie far off.
func together(times []time.Time) (from, to time.Time) {
	slices.SortFunc(times, time.Time.Compare)
	last := len(times) - 1
	from, to = times[0], times[last]
	margin := len(times) / 16
	near, far := times[margin], times[last-margin]
	if span := far.Sub(near); to.Sub(from) > 2*span && margin > 0 {
		from, to = later(from, near.Add(-span/8)), earlier(to, far.Add(span/8))
	}
	return from, to
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// rowLimit is how many rows are read to find n of them: others may lie between.
func rowLimit(n int) int32 { return int32(2*n + 1000) } //nolint:gosec // n is a few thousand
