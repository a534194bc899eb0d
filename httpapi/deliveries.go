package httpapi

import (
	"context"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"aifi-audit/store"
)

// delivery is a delivery's JSON.
type delivery struct {
	ID         string            `json:"id"`
	StoreID    int64             `json:"storeId"`
	Webhook    string            `json:"webhook"`
	Status     store.Status      `json:"status"`
	SessionID  *string           `json:"sessionId"`
	EventID    *string           `json:"event"`
	ReceivedAt time.Time         `json:"receivedAt"`
	IssuedAt   *time.Time        `json:"issuedAt"`
	TokenName  *string           `json:"tokenName"`
	RemoteAddr string            `json:"remoteAddr"`
	Path       string            `json:"path"`
	Headers    map[string]string `json:"headers"`
	BodySize   int64             `json:"bodySize"`
	BodySHA256 string            `json:"bodySha256"`
	Truncated  bool              `json:"truncated"`
}

// viewedDelivery is the JSON of one delivery alone.
type viewedDelivery struct {
	delivery
	Erasure *deliveryErasure `json:"erasure"`
}

// deliveryErasure is the JSON of the erasure of a body.
type deliveryErasure struct {
	At        time.Time `json:"at"`
	Actor     string    `json:"actor"`
	Reason    string    `json:"reason"`
	RequestID *string   `json:"requestId"`
}

func erasedJSON(e *store.DeliveryErasure) *deliveryErasure {
	if e == nil {
		return nil
	}
	out := &deliveryErasure{At: e.ErasedAt.UTC(), Actor: e.Actor, Reason: e.Reason}
	if e.RequestID != nil {
		id := e.RequestID.String()
		out.RequestID = &id
	}
	return out
}

func deliveryJSON(d store.KeptDelivery) any { return deliveryOf(d) }

func deliveryOf(d store.KeptDelivery) delivery {
	out := delivery{
		ID: d.ID.String(), StoreID: d.StoreID, Webhook: d.Webhook, Status: d.Status, SessionID: d.SessionID,
		ReceivedAt: d.ReceivedAt.UTC(), IssuedAt: utc(d.IssuedAt), TokenName: d.TokenName, RemoteAddr: d.RemoteAddr,
		Path: d.Path, Headers: d.Headers, BodySize: d.BodySize, BodySHA256: hex.EncodeToString(d.BodySHA256), Truncated: d.Truncated,
	}
	if d.EventID != nil {
		id := d.EventID.String()
		out.EventID = &id
	}
	return out
}

func deliveries(s *store.Store) list[store.KeptDelivery] {
	return list[store.KeptDelivery]{
		filters: []string{"storeId", "storeExternalId", "sessionId", "webhook", "from", "to"},
		page:    s.Deliveries,
		export:  s.ExportDeliveries,
		turns:   true,
		item:    deliveryJSON,
		columns: []column[store.KeptDelivery]{
			{"id", func(c *cells, d *store.KeptDelivery) { c.id(d.ID) }},
			{"store_id", func(c *cells, d *store.KeptDelivery) { c.integer(d.StoreID) }},
			{"webhook", func(c *cells, d *store.KeptDelivery) { c.text(d.Webhook) }},
			{"status", func(c *cells, d *store.KeptDelivery) { c.text(string(d.Status)) }},
			{"session_id", func(c *cells, d *store.KeptDelivery) { c.maybeText(d.SessionID) }},
			{"event", func(c *cells, d *store.KeptDelivery) { c.maybeID(d.EventID) }},
			{"received_at", func(c *cells, d *store.KeptDelivery) { c.moment(d.ReceivedAt) }},
			{"issued_at", func(c *cells, d *store.KeptDelivery) { c.maybeMoment(d.IssuedAt) }},
			{"token_name", func(c *cells, d *store.KeptDelivery) { c.maybeText(d.TokenName) }},
			{"remote_addr", func(c *cells, d *store.KeptDelivery) { c.text(d.RemoteAddr) }},
			{"path", func(c *cells, d *store.KeptDelivery) { c.text(d.Path) }},
			{"body_size", func(c *cells, d *store.KeptDelivery) { c.integer(d.BodySize) }},
			{"body_sha256", func(c *cells, d *store.KeptDelivery) { c.hex(d.BodySHA256) }},
			{"truncated", func(c *cells, d *store.KeptDelivery) { c.boolean(d.Truncated) }},
		},
	}
}

func (a *API) delivery(w http.ResponseWriter, r *http.Request, c caller) error {
	if _, err := parseParams(r, nil); err != nil {
		return err
	}
	id, err := parseUUID(mux.Vars(r)["deliveryId"])
	if err != nil {
		return err
	}
	d, err := a.store.Delivery(r.Context(), c.Scope(), id)
	if err != nil {
		return err
	}
	if err := c.seesRows(r, 1); err != nil {
		return err
	}
	erased, err := a.store.ErasureOf(r.Context(), d)
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, viewedDelivery{deliveryOf(d), erasedJSON(erased)})
	return nil
}

// body answers with the verbatim bytes, in a form that no browser runs.
func (a *API) body(w http.ResponseWriter, r *http.Request, c caller) error {
	if _, err := parseParams(r, nil); err != nil {
		return err
	}
	id, err := parseUUID(mux.Vars(r)["deliveryId"])
	if err != nil {
		return err
	}
	body, err := a.store.Body(r.Context(), c.Scope(), id)
	if err != nil {
		return err
	}
	if err := c.seesRows(r, 1); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+id.String()+`"`)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone if this fails
	}
	return nil
}

// quarantinedDelivery is the JSON of a delivery in quarantine.
type quarantinedDelivery struct {
	DeliveryID    string     `json:"deliveryId"`
	StoreID       int64      `json:"storeId"`
	Webhook       string     `json:"webhook"`
	Reason        string     `json:"reason"`
	Pointer       string     `json:"pointer"`
	Detail        string     `json:"detail"`
	ReceivedAt    time.Time  `json:"receivedAt"`
	QuarantinedAt time.Time  `json:"quarantinedAt"`
	ReplayedAt    *time.Time `json:"replayedAt"`
	EventStoreID  *int64     `json:"eventStoreId"`
	EventID       *string    `json:"event"`
}

func quarantinedJSON(q store.QuarantinedDelivery) any {
	out := quarantinedDelivery{
		DeliveryID: q.DeliveryID.String(), StoreID: q.StoreID, Webhook: q.Webhook, Reason: q.Reason, Pointer: q.Pointer,
		Detail: q.Detail, ReceivedAt: q.ReceivedAt.UTC(), QuarantinedAt: q.QuarantinedAt.UTC(), ReplayedAt: utc(q.ReplayedAt),
		EventStoreID: q.EventStoreID,
	}
	if q.EventID != nil {
		id := q.EventID.String()
		out.EventID = &id
	}
	return out
}

func quarantine(s *store.Store) list[store.QuarantinedDelivery] {
	return list[store.QuarantinedDelivery]{
		filters: []string{"storeId", "webhook", "replayed", "from", "to"},
		page:    s.Quarantine,
		export:  s.ExportQuarantine,
		count:   s.CountQuarantine,
		at:      store.QuarantinePosition,
		turns:   true,
		item:    quarantinedJSON,
		columns: []column[store.QuarantinedDelivery]{
			{"delivery_id", func(c *cells, q *store.QuarantinedDelivery) { c.id(q.DeliveryID) }},
			{"store_id", func(c *cells, q *store.QuarantinedDelivery) { c.integer(q.StoreID) }},
			{"webhook", func(c *cells, q *store.QuarantinedDelivery) { c.text(q.Webhook) }},
			{"reason", func(c *cells, q *store.QuarantinedDelivery) { c.text(q.Reason) }},
			{"pointer", func(c *cells, q *store.QuarantinedDelivery) { c.text(q.Pointer) }},
			{"detail", func(c *cells, q *store.QuarantinedDelivery) { c.text(q.Detail) }},
			{"received_at", func(c *cells, q *store.QuarantinedDelivery) { c.moment(q.ReceivedAt) }},
			{"quarantined_at", func(c *cells, q *store.QuarantinedDelivery) { c.moment(q.QuarantinedAt) }},
			{"replayed_at", func(c *cells, q *store.QuarantinedDelivery) { c.maybeMoment(q.ReplayedAt) }},
			{"event_store_id", func(c *cells, q *store.QuarantinedDelivery) { c.maybeInteger(q.EventStoreID) }},
			{"event", func(c *cells, q *store.QuarantinedDelivery) { c.maybeID(q.EventID) }},
		},
	}
}

// replay tries again to understand a delivery in quarantine.
func (a *API) replay(w http.ResponseWriter, r *http.Request, c caller) error {
	return a.replayBy(a.store.Replay, "stays", w, r, c)
}

// replayBy replays the delivery of the path. What is still not understood stays in
// quarantine, or was put there: verb says which.
func (a *API) replayBy(again func(context.Context, store.Scope, uuid.UUID) (store.Receipt, error), verb string, w http.ResponseWriter, r *http.Request, c caller) error {
	if _, err := parseParams(r, nil); err != nil {
		return err
	}
	id, err := parseUUID(mux.Vars(r)["deliveryId"])
	if err != nil {
		return err
	}
	if err := c.sees(r); err != nil {
		return err
	}
	receipt, err := again(r.Context(), c.Scope(), id)
	if err != nil {
		return err
	}
	if fault := receipt.Problem; fault != nil {
		p := problem(http.StatusUnprocessableEntity, "not-understood", "Not understood", "The webhook "+verb+" in quarantine: "+fault.Detail+".")
		p.Pointer, p.DeliveryID = fault.Pointer, id.String()
		return p
	}
	writeJSON(w, r, http.StatusOK, received{id.String(), receipt.Status})
	return nil
}
