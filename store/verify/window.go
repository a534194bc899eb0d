package verify

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/bodycodec"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// window holds what the tables have for a stretch of the log. Deliveries lie in the log
// nearly in the order in which they were received, so their rows, bodies and events lie
// together in time too, and are read by ranges in place of a search for each. One
// goroutine owns it, and uses its memory again for the next stretch.
type window struct {
	byID       map[uuid.UUID]int        // where the leaf of a delivery is in deliveries
	deliveries []windowDelivery         // one for each leaf
	byKey      map[logrows.EventKey]int // where an event is in events
	events     []windowEvent
	headers    map[string]map[string]string // as parsed, by their JSON: most deliveries have the same
	evidence   logrows.Row                  // scratch
	room       logrows.Room                 // scratch
	body       bodycodec.Room               // scratch
}

// windowDelivery is a leaf of a window, and its delivery.
type windowDelivery struct {
	db.WindowDeliveriesRow
	leaf    *storedLeaf
	headers map[string]string
	rows    int // how many have its id: one, if all is well
}

// windowEvent is an event of a window, and whom it is about.
type windowEvent struct {
	db.Event
	person *db.EventPersonalInfo // nil: nobody whom an event names by more than an id
	twice  bool                  // there is another of its key, or two persons are
}

// mostHeaders bounds how many different headers are remembered.
const mostHeaders = 1024

// affirm finds the leaves of deliveries whose rows make them again, and calls right
// with each and its row, which is valid until the next. It tells nothing of the others:
// they may be wrong, erased, or far from where the window looks.
func (w *window) affirm(ctx context.Context, log logrows.Reader, leaves []*storedLeaf, right func(*storedLeaf, *logrows.Row)) error {
	full, from, to, err := w.read(ctx, log, leaves)
	if err != nil || full {
		return err
	}
	return w.eachBody(ctx, log, from, to, func(d *windowDelivery, body, secret []byte) {
		if w.makes(d, body, secret) {
			right(d.leaf, &w.evidence)
		}
	})
}

// read reads all but the bodies, which are those of a time. It gives up, and gives full,
// if there are far more rows than leaves.
func (w *window) read(ctx context.Context, log logrows.Reader, leaves []*storedLeaf) (full bool, from, to time.Time, err error) {
	times := make([]time.Time, len(leaves))
	for i, l := range leaves {
		times[i] = logrows.ReceivedAt(l.id)
	}
	from, to = together(times)
	if full, err = w.readDeliveries(ctx, log, leaves, from, to); err != nil || full {
		return full, from, to, err
	}
	p, some := w.stated()
	if !some {
		return false, from, to, nil
	}
	if full, err = w.readEvents(ctx, log, p); err != nil || full {
		return full, from, to, err
	}
	full, err = w.readPersons(ctx, log, db.WindowPersonsParams(p))
	return full, from, to, err
}

// readDeliveries reads the deliveries of a time.
func (w *window) readDeliveries(ctx context.Context, log logrows.Reader, leaves []*storedLeaf, from, to time.Time) (full bool, err error) {
	w.begin(leaves)
	limit, rows := rowLimit(len(leaves)), int32(0)
	p := db.WindowDeliveriesParams{FromTime: from, ToTime: to, RowLimit: limit}
	err = log.Queries.EachWindowDelivery(ctx, log.Conn, p, func(r *db.RawRow) error {
		rows++
		row := r.WindowDelivery()
		i, known := w.byID[row.ID]
		if !known {
			return nil
		}
		d := &w.deliveries[i]
		if d.rows++; r.Bad() {
			d.rows++ // it is to be looked at
		}
		headers, known := w.headers[string(row.Headers)]
		if !known {
			headers = logrows.HeadersOf(row.Headers)
			w.headers[string(row.Headers)] = headers
		}
		row.Headers = nil
		d.WindowDeliveriesRow, d.headers = row, headers
		return nil
	})
	return rows == limit, err
}

// begin makes room for other leaves.
func (w *window) begin(leaves []*storedLeaf) {
	if w.byID == nil {
		w.byID, w.byKey = make(map[uuid.UUID]int, len(leaves)), make(map[logrows.EventKey]int, len(leaves))
	}
	clear(w.byID)
	clear(w.byKey)
	w.deliveries, w.events = slices.Grow(w.deliveries[:0], len(leaves)), w.events[:0]
	for i, l := range leaves {
		w.byID[l.id] = i
		w.deliveries = append(w.deliveries, windowDelivery{leaf: l})
	}
	if w.headers == nil || len(w.headers) > mostHeaders {
		w.headers = map[string]map[string]string{}
	}
}

// readEvents reads the events that the window's deliveries state.
func (w *window) readEvents(ctx context.Context, log logrows.Reader, p db.WindowEventsParams) (full bool, err error) {
	rows := int32(0)
	err = log.Queries.EachWindowEvent(ctx, log.Conn, p, func(r *db.RawRow) error {
		rows++
		w.events = append(w.events, windowEvent{Event: r.WindowEvent()})
		e := &w.events[len(w.events)-1]
		e.twice = r.Bad()
		key := logrows.EventKeyOf(e.ID, e.OccurredAt)
		if before, ok := w.byKey[key]; ok {
			w.events[before].twice = true
		} else {
			w.byKey[key] = len(w.events) - 1
		}
		return nil
	})
	return rows == p.RowLimit, err
}

// readPersons reads whom the window's events are about.
func (w *window) readPersons(ctx context.Context, log logrows.Reader, p db.WindowPersonsParams) (full bool, err error) {
	rows := int32(0)
	err = log.Queries.EachWindowPerson(ctx, log.Conn, p, func(r *db.RawRow) error {
		rows++
		row := r.WindowPerson()
		if i, ok := w.byKey[logrows.EventKeyOf(row.EventID, row.OccurredAt)]; ok {
			e := &w.events[i]
			e.twice = e.twice || e.person != nil || r.Bad() || row.StoreID != e.StoreID || row.Kind != e.Kind
			e.person = &row
		}
		return nil
	})
	return rows == p.RowLimit, err
}

// stated is what finds the events that the window's deliveries state, if any, but for
// those that happened long before or after the others.
func (w *window) stated() (p db.WindowEventsParams, some bool) {
	times := make([]time.Time, 0, len(w.deliveries))
	kinds := map[string]struct{}{}
	for i := range w.deliveries {
		if d := &w.deliveries[i]; d.EventID != nil && d.EventOccurredAt != nil {
			times = append(times, *d.EventOccurredAt)
			kinds[db.OrEmpty(d.EventKind)] = struct{}{}
		}
	}
	if len(times) == 0 {
		return p, false
	}
	p = db.WindowEventsParams{StoreIds: w.stores(), Kinds: slices.Collect(maps.Keys(kinds)), RowLimit: rowLimit(len(times))}
	p.FromTime, p.ToTime = together(times)
	return p, true
}

// stores are those of the window's deliveries.
func (w *window) stores() []int64 {
	stores := map[int64]struct{}{}
	for i := range w.deliveries {
		if d := &w.deliveries[i]; d.rows > 0 {
			stores[d.StoreID] = struct{}{}
		}
	}
	return slices.Collect(maps.Keys(stores))
}

// eachBody reads the bodies of the window's deliveries, with their secrets, but for
// those that cannot be decompressed. Both are valid until the next.
func (w *window) eachBody(ctx context.Context, log logrows.Reader, from, to time.Time, each func(d *windowDelivery, body, secret []byte)) error {
	p := db.WindowBodiesParams{StoreIds: w.stores(), FromTime: from, ToTime: to}
	return log.Queries.EachWindowBody(ctx, log.Conn, p, func(r *db.RawRow) error {
		receivedAt, id, stored, encoding, secret := r.Time(), r.UUID(), r.Bytes(), r.Int16(), r.Bytes()
		i, ok := w.byID[id]
		if !ok {
			return nil
		}
		d := &w.deliveries[i]
		if d.rows != 1 || !d.ReceivedAt.Equal(receivedAt) {
			return nil
		}
		if body, err := w.body.Decode(encoding, stored, d.BodySize); err == nil {
			each(d, body, secret)
		}
		return nil
	})
}

// makes reports whether the rows of a delivery make its leaf, and name whom the body
// names.
func (w *window) makes(d *windowDelivery, body, secret []byte) bool {
	if len(secret) != len(translog.Secret{}) {
		return false
	}
	r := &w.evidence
	*r = logrows.Row{
		StoreID: d.StoreID, ReceivedAt: d.ReceivedAt, ID: d.ID, Webhook: d.Webhook, SessionID: d.SessionID, IssuedAt: d.IssuedAt, TokenID: d.TokenID,
		RemoteAddr: d.RemoteAddr, Path: d.Path, BodySize: d.BodySize, Truncated: d.Truncated, StatedEventID: d.EventID, Body: body, Secret: secret,
	}
	if d.EventID != nil {
		i, ok := w.byKey[logrows.EventKeyOf(*d.EventID, db.OrZero(d.EventOccurredAt))]
		if !ok {
			return false
		}
		e := &w.events[i]
		if e.twice || e.StoreID != d.StoreID || e.Kind != db.OrEmpty(d.EventKind) {
			return false
		}
		e.addColumns(r)
	}
	o, err := logrows.OpenInto(&w.room, translog.Delivery, r, body, d.headers)
	return err == nil && o.Leaf.Hash() == d.leaf.hash && personal(r, body) == ""
}

// addColumns adds an event to the row of a delivery, as DeliveryEvidence would.
func (e *windowEvent) addColumns(r *logrows.Row) {
	r.EventStoreID, r.EventKind, r.OccurredAt, r.EventID, r.OccurredAtKnown = &e.StoreID, &e.Kind, &e.OccurredAt, &e.ID, &e.OccurredAtKnown
	r.FirstDeliveryID, r.EventReceivedAt, r.EventIssuedAt = &e.DeliveryID, &e.ReceivedAt, e.IssuedAt
	r.EventWebhook, r.AifiEventID, r.EventSessionID, r.CustomerID, r.ShopperID = &e.Webhook, e.EventID, e.SessionID, e.CustomerID, e.ShopperID
	r.StoreExternalID, r.Flags, r.ProductIds, r.GondolaIds = e.StoreExternalID, e.Flags, e.ProductIds, e.GondolaIds
	r.PaymentProvider, r.TokenType, r.CheckInDeviceID, r.Unreadable = e.PaymentProvider, e.TokenType, e.CheckInDeviceID, e.Unreadable
	if p := e.person; p != nil {
		r.Email, r.FirstName, r.LastName, r.Phone, r.PhoneNumber, r.PersonalCustomerID = p.Email, p.FirstName, p.LastName, p.Phone, p.PhoneNumber, p.CustomerID
	}
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
