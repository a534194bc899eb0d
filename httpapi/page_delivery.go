package httpapi

import (
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
	"aifi-audit/store/aifi"
)

const repeatsMost = 100 // on a page

// deliveryPage shows one delivery: what came, and what was made of it.
func (a *API) deliveryPage(w http.ResponseWriter, r *http.Request, v visitor) error {
	r, said := takeNotice(r)
	r, unsaid := takeUnsaid(r)
	p, err := parseParams(r, []string{"view"})
	if err != nil {
		return err
	}
	form, err := p.one("view")
	if err != nil {
		return err
	}
	if form != "" && form != "raw" {
		return badParameter("view", "It must be raw, or be left out.")
	}
	id, err := parseUUID(mux.Vars(r)["deliveryId"])
	if err != nil {
		return err
	}
	d, err := a.store.Delivery(r.Context(), v.Scope(), id)
	if err != nil {
		return err
	}
	c, err := v.context(r, r.URL.EscapedPath(), nil)
	if err != nil {
		return err
	}
	c.unsaid = unsaid
	here := deliveryPath(id.String())
	view := ui.Delivery{
		ID: id.String(), Webhook: d.Webhook, Size: d.BodySize, PrettyHref: here, RawHref: here + "?view=raw", Download: here + "/body", Notice: said,
		Lookers: v.lookers("deliveryId", id.String()),
	}
	held, err := a.store.HoldsOfDeliveries(r.Context(), []uuid.UUID{id})
	if err != nil {
		return err
	}
	view.Held = c.heldView(held[id])
	zone, err := c.drawEvent(r, v, &view, d)
	if err != nil {
		return err
	}
	if err := a.drawQuarantine(r, v, &view, id, zone); err != nil {
		return err
	}
	view.Status = statusTag(d.Status, view.Quarantine)
	view.Facts = receivedFacts(d, zone)
	for _, name := range slices.Sorted(maps.Keys(d.Headers)) {
		view.Headers = append(view.Headers, ui.Fact{Name: name, Cell: ui.Cell{Class: "mono", Text: d.Headers[name]}})
	}
	body, err := a.store.Body(r.Context(), v.Scope(), id)
	switch {
	case err == nil:
		view.Body, view.NotJSON = drawBody(body, form == "raw", view.Quarantine)
	case errors.Is(err, store.ErrAltered), errors.Is(err, store.ErrTampered):
		view.Altered = true
	case errors.Is(err, store.ErrErased):
		view.Erased = true
	default:
		return err
	}
	return v.show(w, r, "delivery", ui.View{Title: "Delivery " + id.String(), Section: section(view.Quarantine), Main: view})
}

// drawEvent draws what a delivery states, if anything, and what else states it. It gives
// the zone on whose clock the page's times are.
func (c *pageContext) drawEvent(r *http.Request, v visitor, view *ui.Delivery, d store.KeptDelivery) (*time.Location, error) {
	e, err := v.api.store.EventOf(r.Context(), v.Scope(), d.ID)
	if errors.Is(err, store.ErrNotFound) {
		return c.zones.of(d.StoreID), nil
	}
	if err != nil {
		return nil, err
	}
	zone := c.zones.of(e.StoreID)
	view.Made = madeFacts(c, e)
	notes, err := v.notesOf(r.Context(), []store.Event{e})
	if err != nil {
		return nil, err
	}
	view.Marks = v.marks(c, e, notes[notedEventOf(e.ID, e.OccurredAt)], deliveryPath(d.ID.String()))
	view.Anchor = "d-" + e.DeliveryID.String()
	repeats, err := v.api.store.Repeats(r.Context(), v.Scope(), e, repeatsMost)
	if err != nil {
		return nil, err
	}
	for _, x := range repeats {
		view.Repeats = append(view.Repeats, ui.Repeat{ID: x.ID.String(), Href: deliveryPath(x.ID.String()), This: x.ID == d.ID, Received: ui.In(zone, x.ReceivedAt)})
	}
	view.RepeatNote = "These state the same facts. They are one event."
	if e.SessionID == nil {
		view.RepeatNote += " Looked for within an hour of the first, since the event names no session."
	}
	return zone, nil
}

// drawQuarantine draws why a delivery was not understood, if so.
func (a *API) drawQuarantine(r *http.Request, v visitor, view *ui.Delivery, id uuid.UUID, zone *time.Location) error {
	q, err := a.store.QuarantinedOf(r.Context(), v.Scope(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	view.Quarantine = &ui.Quarantined{Reason: q.Reason, Detail: sentence(q.Detail), Pointer: q.Pointer, At: ui.In(zone, q.QuarantinedAt), Replayed: ui.Maybe(zone, q.ReplayedAt)}
	if q.ReplayedAt == nil && v.May(store.MayAdminister) {
		view.Quarantine.Replay = &ui.Replay{Action: deliveryPath(id.String()) + "/replay", FormToken: formToken(v.secret)}
	}
	return nil
}

func section(q *ui.Quarantined) string {
	if q != nil {
		return "/quarantine"
	}
	return ""
}

// byteAtFault finds the place in the detail of a body that is not JSON.
var byteAtFault = regexp.MustCompile(`not JSON from byte (\d+) on`)

// drawBody lays a body out, with the fault of a quarantined one marked.
func drawBody(body []byte, raw bool, q *ui.Quarantined) (drawn ui.Body, notJSON bool) {
	pretty, ok := ui.Pretty(body, pointerOf(q), q != nil)
	if ok && !raw {
		return pretty, false
	}
	at := -1
	if q != nil && !ok {
		if m := byteAtFault.FindStringSubmatch(q.Detail); m != nil {
			at, _ = strconv.Atoi(m[1]) // digits
		}
	}
	return ui.Raw(body, at), !ok
}

func pointerOf(q *ui.Quarantined) string {
	if q == nil {
		return ""
	}
	return q.Pointer
}

func statusTag(s store.Status, q *ui.Quarantined) ui.Tag {
	switch {
	case q != nil && q.Replayed != nil:
		return ui.Tag{Text: "Understood later", Class: "good"}
	case s == store.Quarantined:
		return ui.Tag{Text: "In quarantine", Class: "warn"}
	case s == store.Duplicate:
		return ui.Tag{Text: "Repeats an earlier delivery"}
	}
	return ui.Tag{Text: "Stored", Class: "good"}
}

func receivedFacts(d store.KeptDelivery, zone *time.Location) []ui.Fact {
	facts := []ui.Fact{
		{Name: "Received", Cell: ui.Cell{Time: ui.Maybe(zone, &d.ReceivedAt), Note: ui.In(zone, d.ReceivedAt).UTC()}},
	}
	if d.IssuedAt != nil {
		facts = append(facts,
			ui.Fact{Name: "Issued by AiFi", Cell: ui.Cell{Time: ui.Maybe(zone, d.IssuedAt), Note: ui.In(zone, *d.IssuedAt).UTC()}},
			ui.Fact{Name: "On its way for", Cell: ui.Cell{Text: ui.Lag(*d.IssuedAt, d.ReceivedAt)}})
	}
	facts = append(facts,
		ui.Fact{Name: "Path", Cell: ui.Cell{Class: "mono", Text: d.Path}},
		ui.Fact{Name: "From", Cell: ui.Cell{Class: "mono", Text: d.RemoteAddr}},
		ui.Fact{Name: "With the token", Cell: ui.Cell{Text: text(d.TokenName)}},
		ui.Fact{Name: "SHA-256", Cell: ui.Cell{Class: "mono hash", Text: hex.EncodeToString(d.BodySHA256)}})
	if d.Truncated {
		facts = append(facts, ui.Fact{Name: "Truncated", Cell: ui.Cell{Text: "The body is not whole: it was longer than the limit, or ended early; its first part was kept."}})
	}
	return facts
}

// kindPaths are the lists that events of a kind stand in.
var kindPaths = map[store.Kind]string{
	store.AlcoholInteraction: "/alcohol-interactions", store.FraudAlert: "/fraud-alerts", store.Registration: "/registrations",
}

// madeFacts are the rows that a delivery made, or that it states again.
func madeFacts(c *pageContext, e store.Event) []ui.Fact {
	at := ui.In(c.zones.of(e.StoreID), e.OccurredAt)
	facts := []ui.Fact{{Name: "Event", Cell: ui.Cell{Text: titleOf(e.Webhook)}}, {Name: "Happened", Cell: ui.Cell{Time: &at, Note: at.UTC()}}}
	if !e.OccurredAtKnown {
		facts[1].Name = "Happened (time of receipt)"
	}
	add := func(name string, cell ui.Cell) {
		if cell.Text != "" || len(cell.Links) > 0 || len(cell.Tags) > 0 {
			facts = append(facts, ui.Fact{Name: name, Cell: cell})
		}
	}
	add("Event id", ui.Cell{Class: "mono", Text: e.ID.String()})
	add("AiFi's event id", ui.Cell{Class: "mono", Text: text(e.EventID)})
	add("Store", ui.Cell{Text: c.storeText(e.StoreID)})
	if e.SessionID != nil {
		add("Session", ui.Cell{Class: "mono", Text: *e.SessionID, Href: sessionPath(*e.SessionID, e.StoreID, "")})
	}
	add("Customer", ui.Cell{Class: "mono", Text: text(e.CustomerID), Href: customerPath(e.CustomerID)})
	add("Shopper", ui.Cell{Class: "mono", Text: text(e.ShopperID)})
	if path := kindPaths[e.Kind]; path != "" {
		add("Products", ui.Cell{Class: "mono", Links: found(path, "productId", e.StoreID, e.ProductIDs)})
		add("Gondolas", ui.Cell{Class: "mono", Links: found(path, "gondolaId", e.StoreID, e.GondolaIDs)})
	}
	add("Flags", ui.Cell{Tags: flagTags(e.Flags)})
	add("Payment", ui.Cell{Text: text(e.PaymentProvider)})
	add("Documented", ui.Cell{Text: map[bool]string{false: "AiFi does not document this webhook."}[aifi.Webhook(e.Webhook).Documented()]})
	return facts
}

// bodyPage is the download of the verbatim bytes.
func (a *API) bodyPage(w http.ResponseWriter, r *http.Request, v visitor) error {
	return a.body(w, r, v.caller)
}
