package httpapi

import (
	"errors"
	"net/http"
	"time"

	"aifi-audit/store"
)

// note is a note's JSON.
type note struct {
	ID          string             `json:"id"`
	StoreID     int64              `json:"storeId"`
	Kind        store.Kind         `json:"kind"`
	EventID     string             `json:"event"`
	DeliveryID  string             `json:"deliveryId"`
	SessionID   *string            `json:"sessionId"`
	OccurredAt  time.Time          `json:"occurredAt"`
	At          time.Time          `json:"at"`
	TokenName   string             `json:"tokenName"`
	Disposition *store.Disposition `json:"disposition"`
	Comment     *string            `json:"comment"`
}

func noteJSON(n store.Note) any {
	return note{
		ID: n.ID.String(), StoreID: n.StoreID, Kind: n.Kind, EventID: n.EventID.String(), DeliveryID: n.DeliveryID.String(),
		SessionID: n.SessionID, OccurredAt: n.OccurredAt.UTC(), At: n.At.UTC(), TokenName: n.TokenName,
		Disposition: n.Disposition, Comment: n.Comment,
	}
}

func notes(s *store.Store) list[store.Note] {
	return list[store.Note]{
		filters: []string{"storeId", "storeExternalId", "deliveryId", "kind", "disposition", "from", "to"},
		page:    s.Notes,
		export:  s.ExportNotes,
		item:    noteJSON,
		columns: []column[store.Note]{
			{"id", func(c *cells, n *store.Note) { c.id(n.ID) }},
			{"store_id", func(c *cells, n *store.Note) { c.integer(n.StoreID) }},
			{"kind", func(c *cells, n *store.Note) { c.text(string(n.Kind)) }},
			{"event", func(c *cells, n *store.Note) { c.id(n.EventID) }},
			{"delivery_id", func(c *cells, n *store.Note) { c.id(n.DeliveryID) }},
			{"session_id", func(c *cells, n *store.Note) { c.maybeText(n.SessionID) }},
			{"occurred_at", func(c *cells, n *store.Note) { c.moment(n.OccurredAt) }},
			{"at", func(c *cells, n *store.Note) { c.moment(n.At) }},
			{"token_name", func(c *cells, n *store.Note) { c.text(n.TokenName) }},
			{"disposition", func(c *cells, n *store.Note) { c.maybeText((*string)(n.Disposition)) }},
			{"comment", func(c *cells, n *store.Note) { c.maybeText(n.Comment) }},
		},
	}
}

// addNote marks the event that a delivery states, comments on it, or both.
func (a *API) addNote(w http.ResponseWriter, r *http.Request, c caller) error {
	if _, err := parseParams(r, nil); err != nil {
		return err
	}
	n, err := readNote(r)
	if err != nil {
		return err
	}
	made, err := a.note(r, c, n)
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusCreated, noteJSON(made))
	return nil
}

// note logs and adds a note.
func (a *API) note(r *http.Request, c caller, n store.NewNote) (store.Note, error) {
	if err := c.sees(r); err != nil {
		return store.Note{}, err
	}
	made, err := a.store.AddNote(r.Context(), c.Token, n)
	if errors.Is(err, store.ErrNoEvent) {
		p := problem(http.StatusUnprocessableEntity, "no-event", "No event", "The delivery states no alcohol interaction, fraud alert or registration.")
		p.Pointer, p.DeliveryID = "/deliveryId", n.DeliveryID.String()
		return made, p
	}
	return made, err
}

func readNote(r *http.Request) (n store.NewNote, err error) {
	body, err := readObject(r, "deliveryId", "disposition", "comment")
	if err != nil {
		return n, err
	}
	id, err := body.text("deliveryId")
	if err != nil {
		return n, err
	}
	if n.DeliveryID, err = parseUUID(text(id)); err != nil {
		return n, badMember("/deliveryId", "It must be the id of a delivery, a UUID.")
	}
	disposition, err := body.text("disposition")
	if err != nil {
		return n, err
	}
	if disposition != nil && *disposition == "" {
		return n, badMember("/disposition", "It must be confirmed, false_alarm or under_review.")
	}
	comment, err := body.text("comment")
	n.Disposition, n.Comment = store.Disposition(text(disposition)), text(comment)
	return n, err
}
