package httpapi

import (
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"aifi-audit/store"
)

// hold is the JSON of a legal hold.
type hold struct {
	ID         string     `json:"id"`
	At         time.Time  `json:"at"`
	PlacedBy   string     `json:"placedBy"`
	Reason     string     `json:"reason"`
	StoreID    *int64     `json:"storeId"`
	SessionID  *string    `json:"sessionId"`
	CustomerID *string    `json:"customerId"`
	From       *time.Time `json:"from"`
	To         *time.Time `json:"to"`
	LiftedAt   *time.Time `json:"liftedAt"`
	LiftedBy   *string    `json:"liftedBy"`
	LiftReason *string    `json:"liftReason"`
}

func holdJSON(h store.Hold) hold {
	return hold{
		ID: h.ID.String(), At: h.At.UTC(), PlacedBy: h.PlacedBy, Reason: h.Reason, StoreID: h.StoreID, SessionID: h.SessionID,
		CustomerID: h.CustomerID, From: utc(h.From), To: utc(h.To), LiftedAt: utc(h.LiftedAt), LiftedBy: h.LiftedBy, LiftReason: h.LiftReason,
	}
}

func holds(s *store.Store) list[store.Hold] {
	return list[store.Hold]{
		filters: []string{"storeId", "sessionId", "customerId", "lifted"},
		page:    s.Holds,
		export:  s.ExportHolds,
		item:    func(h store.Hold) any { return holdJSON(h) },
		columns: []column[store.Hold]{
			{"id", func(c *cells, h *store.Hold) { c.id(h.ID) }},
			{"at", func(c *cells, h *store.Hold) { c.moment(h.At) }},
			{"placed_by", func(c *cells, h *store.Hold) { c.text(h.PlacedBy) }},
			{"reason", func(c *cells, h *store.Hold) { c.text(h.Reason) }},
			{"store_id", func(c *cells, h *store.Hold) { c.maybeInteger(h.StoreID) }},
			{"session_id", func(c *cells, h *store.Hold) { c.maybeText(h.SessionID) }},
			{"customer_id", func(c *cells, h *store.Hold) { c.maybeText(h.CustomerID) }},
			{"from", func(c *cells, h *store.Hold) { c.maybeMoment(h.From) }},
			{"to", func(c *cells, h *store.Hold) { c.maybeMoment(h.To) }},
			{"lifted_at", func(c *cells, h *store.Hold) { c.maybeMoment(h.LiftedAt) }},
			{"lifted_by", func(c *cells, h *store.Hold) { c.maybeText(h.LiftedBy) }},
			{"lift_reason", func(c *cells, h *store.Hold) { c.maybeText(h.LiftReason) }},
		},
	}
}

// placeHold places a legal hold.
func (a *API) placeHold(w http.ResponseWriter, r *http.Request, c caller) error {
	if _, err := parseParams(r, nil); err != nil {
		return err
	}
	n, err := readHold(r)
	if err != nil {
		return err
	}
	placed, err := a.store.PlaceHold(r.Context(), c.actor(r, http.StatusCreated), n)
	if errors.Is(err, store.ErrNotFound) {
		return problem(http.StatusForbidden, "store-not-allowed", "Store not allowed", "The token is limited to some stores. Its holds must name one of these.")
	}
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusCreated, holdJSON(placed))
	return nil
}

// actor is the caller as the one who does what admins do. The access log is written
// together with what he does.
func (c caller) actor(r *http.Request, status int) store.Actor {
	return store.Actor{Name: c.Name, Scope: c.Scope(), Access: c.access(r, status)}
}

func readHold(r *http.Request) (n store.NewHold, err error) {
	body, err := readObject(r, "storeId", "sessionId", "customerId", "from", "to", "reason")
	if err != nil {
		return n, err
	}
	if n.StoreID, err = body.integer("storeId"); err != nil {
		return n, err
	}
	for _, member := range []struct {
		name string
		to   *string
	}{{"sessionId", &n.SessionID}, {"customerId", &n.CustomerID}, {"reason", &n.Reason}} {
		value, err := body.text(member.name)
		if err != nil {
			return n, err
		}
		if value != nil && *value == "" {
			return n, badMember("/"+member.name, "It must not be empty; null, or leaving it out, names none.")
		}
		*member.to = text(value)
	}
	if n.From, err = body.moment("from"); err != nil {
		return n, err
	}
	n.To, err = body.moment("to")
	return n, err
}

// hold shows one legal hold.
func (a *API) hold(w http.ResponseWriter, r *http.Request, c caller) error {
	id, err := holdID(r)
	if err != nil {
		return err
	}
	found, err := a.store.Hold(r.Context(), c.Scope(), id)
	if err != nil {
		return err
	}
	if err := c.seesRows(r, 1); err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, holdJSON(found))
	return nil
}

// liftHold lifts a legal hold.
func (a *API) liftHold(w http.ResponseWriter, r *http.Request, c caller) error {
	id, err := holdID(r)
	if err != nil {
		return err
	}
	body, err := readObject(r, "reason")
	if err != nil {
		return err
	}
	reason, err := body.text("reason")
	if err != nil {
		return err
	}
	lifted, err := a.store.LiftHold(r.Context(), c.actor(r, http.StatusOK), id, text(reason))
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, holdJSON(lifted))
	return nil
}

func holdID(r *http.Request) (uuid.UUID, error) {
	if _, err := parseParams(r, nil); err != nil {
		return uuid.Nil, err
	}
	return parseUUID(mux.Vars(r)["holdId"])
}
