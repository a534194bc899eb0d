package httpapi

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
	"aifi-audit/store/aifi"
)

const (
	storySteps    = 40        // on a page
	comparedBytes = 256 << 10 // longer bodies are not compared
)

// sessionPage tells a session's story.
func (a *API) sessionPage(w http.ResponseWriter, r *http.Request, v visitor) error {
	r, unsaid := takeUnsaid(r)
	id, p, err := sessionAsked(r, "cursor")
	if err != nil {
		return err
	}
	found, err := a.findSession(r.Context(), v.caller, p, id)
	var several *Problem
	if errors.As(err, &several) && len(several.StoreIDs) > 0 {
		return a.chooseStore(w, r, v, id, several.StoreIDs)
	}
	if err != nil {
		return err
	}
	page, err := p.page("session " + id)
	if err != nil {
		return err
	}
	page.Limit = storySteps
	timeline, next, err := a.store.Timeline(r.Context(), v.Scope(), found.StoreID, found.SessionID, page)
	if err != nil {
		return err
	}
	c, err := v.context(r, r.URL.EscapedPath(), nil)
	if err != nil {
		return err
	}
	c.unsaid = unsaid
	s := storyteller{c: c, v: v, session: found, zone: c.zones.of(found.StoreID)}
	view, err := s.story(r.Context(), timeline)
	if err != nil {
		return err
	}
	if page.After != nil && len(view.Steps) > 0 && view.Steps[0].Silent == "" {
		view.Steps[0].Silent = "What it changed cannot be told here: the webhook before it is on the page before."
	}
	held, err := a.store.HoldsOfSession(r.Context(), found.StoreID, found.SessionID)
	if err != nil {
		return err
	}
	view.Held = c.heldView(held)
	if v.May(store.MayAdminister) {
		view.Held.Action, view.Held.FormToken = "/sessions/"+url.PathEscape(found.SessionID)+"/hold?storeId="+strconv.FormatInt(found.StoreID, 10), formToken(v.secret)
	}
	view.Lookers = v.lookers("sessionId", found.SessionID)
	base := sessionPath(found.SessionID, found.StoreID, "")
	if page.After != nil {
		view.Older = base
	}
	if next != nil {
		// The position is bound to the address that it will be used in.
		values := params{url.Values{"storeId": {strconv.FormatInt(found.StoreID, 10)}}}
		view.Newer = base + "&cursor=" + cursor(*next, values.asked("session "+id))
	}
	return v.show(w, r, "session", ui.View{Title: "Session " + found.SessionID, Section: "/sessions", Main: view})
}

func (a *API) chooseStore(w http.ResponseWriter, r *http.Request, v visitor, id string, stores []int64) error {
	c, err := v.context(r, r.URL.EscapedPath(), nil)
	if err != nil {
		return err
	}
	view := ui.Ambiguous{SessionID: id}
	for _, storeID := range stores {
		view.Choices = append(view.Choices, ui.Link{Text: c.storeText(storeID), Href: sessionPath(id, storeID, "")})
	}
	return v.show(w, r, "choose", ui.View{Title: "Which store?", Section: "/sessions", Main: view})
}

// storyteller puts what is known of a session into the order in which it happened.
type storyteller struct {
	c       *pageContext
	v       visitor
	session store.Session
	zone    *time.Location
}

func (s storyteller) story(ctx context.Context, timeline []store.Event) (ui.Story, error) {
	x := s.session
	view := ui.Story{
		SessionID: x.SessionID, StoreText: s.c.storeText(x.StoreID), Status: text(x.Status), Zone: s.zone.String(),
		Facts: s.state(),
	}
	if x.SuspectedFraud != nil && *x.SuspectedFraud {
		view.Alerts = append(view.Alerts, ui.Tag{Text: "Suspected fraud", Class: "bad"})
	}
	view.Alerts = append(view.Alerts, flagTags(x.Flags)...)
	if s.v.May(store.MayExport) {
		only := url.Values{"sessionId": {x.SessionID}, "storeId": {strconv.FormatInt(x.StoreID, 10)}}
		view.Export = []ui.Link{{Text: "Evidence pack", Href: sessionPath(x.SessionID, x.StoreID, "/evidence")}, {Text: "Interactions as CSV", Href: "/alcohol-interactions.csv" + query(only)}, {Text: "Alerts as CSV", Href: "/fraud-alerts.csv" + query(only)}}
	}
	deliveries, _, err := s.v.api.store.Deliveries(ctx, s.v.Scope(), store.Filter{StoreIDs: []int64{x.StoreID}, SessionIDs: []string{x.SessionID}}, store.Page{Limit: maxLimit})
	if err != nil {
		return view, err
	}
	times, kept := map[uuid.UUID]int64{}, map[uuid.UUID]store.KeptDelivery{}
	for _, d := range deliveries {
		kept[d.ID] = d
		if d.EventID != nil {
			times[*d.EventID]++
		}
	}
	ids := make([]uuid.UUID, len(timeline))
	for i, e := range timeline {
		ids[i] = e.DeliveryID
	}
	bodies, err := s.v.api.store.Bodies(ctx, s.v.Scope(), ids, comparedBytes)
	if err != nil {
		return view, err
	}
	notes, err := s.v.notesOf(ctx, timeline)
	if err != nil {
		return view, err
	}
	back := sessionPath(x.SessionID, x.StoreID, "")
	if at := s.c.query.Get("cursor"); at != "" {
		back += "&cursor=" + url.QueryEscape(at)
	}
	day, shopper := "", ""
	said := make([]*aifi.Statement, len(timeline))
	for i, e := range timeline {
		step := s.step(e, shopper)
		if e.ShopperID != nil {
			shopper = *e.ShopperID
		}
		step.Times = times[e.ID]
		step.Marks = s.v.marks(s.c, e, notes[notedEventOf(e.ID, e.OccurredAt)], back)
		if d := step.Time.Day(); d != day {
			step.Day, day = d, d
		}
		said[i], step.Silent = statementOf(e, bodies)
		view.Steps = append(view.Steps, step)
		if d, ok := kept[e.DeliveryID]; ok {
			view.Sources = append(view.Sources, ui.Source{
				ID: d.ID.String(), Href: deliveryPath(d.ID.String()), Webhook: d.Webhook, Hash: hex.EncodeToString(d.BodySHA256), Received: ui.In(s.zone, d.ReceivedAt),
			})
		}
	}
	for i, before := range statesBefore(said) {
		if before >= 0 {
			view.Steps[i].Changes = s.changes(aifi.Changes(said[before], said[i]))
		}
	}
	return view, nil
}

// statesBefore gives, for each statement, the one that tells the state of the session
// before it; -1 if there is none. AiFi's session.updatedAt decides, and not the order
// of the events: a webhook that comes late tells an old event with a new state.
func statesBefore(said []*aifi.Statement) []int {
	before := make([]int, len(said))
	var told []int
	for i, st := range said {
		before[i] = -1
		if st != nil && st.Session != nil {
			told = append(told, i)
		}
	}
	slices.SortStableFunc(told, func(a, b int) int {
		x, y := said[a].Session.UpdatedAt, said[b].Session.UpdatedAt
		if x.IsZero() || y.IsZero() {
			return cmp.Compare(a, b)
		}
		return x.Compare(y)
	})
	for n := 1; n < len(told); n++ {
		before[told[n]] = told[n-1]
	}
	return before
}

// statementOf decodes the body that stated an event first, or says why not.
func statementOf(e store.Event, bodies map[uuid.UUID]store.KeptBody) (said *aifi.Statement, silent string) {
	body, ok := bodies[e.DeliveryID]
	switch {
	case !ok:
		return nil, "The body is too long to be compared, or is not kept with this store."
	case body.Altered:
		return nil, "The kept body does not match the SHA-256 taken when it was received. It is not compared."
	}
	said, _ = aifi.Decode(aifi.Webhook(e.Webhook), body.Bytes)
	return said, ""
}

func (s storyteller) changes(changes []aifi.Change) []ui.Change {
	out := make([]ui.Change, len(changes))
	for i, c := range changes {
		out[i] = ui.Change{Member: c.Member, Before: s.value(c.Before), After: s.value(c.After)}
	}
	return out
}

// value shows times in the zone of the store.
func (s storyteller) value(v string) string {
	if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
		return ui.In(s.zone, t).Full()
	}
	return v
}

// titles say in plain words what a webhook tells.
var titles = map[aifi.Webhook]string{
	aifi.RestrictedProductsInteractions: "Handled a restricted product",
	aifi.SuspectedFraud:                 "Fraud suspected",
	aifi.RemoteRegister:                 "Registration at the checkout",
	aifi.Tracking:                       "Tracking event",
	aifi.TransitionEntered:              "Entered the store",
	aifi.TransitionLeft:                 "Left the store",
	aifi.CheckoutZoneEntered:            "Entered the checkout zone",
	aifi.CheckoutZoneLeft:               "Left the checkout zone",
	aifi.CustomerCreated:                "Customer created or updated",
	aifi.EntryCodeNotify:                "Entry code failed",
	aifi.PlanogramError:                 "Planogram error",
	aifi.IdentityMatching:               "Matched to a registered session",
}

func titleOf(webhook string) string {
	if t, ok := titles[aifi.Webhook(webhook)]; ok {
		return t
	}
	return "Webhook " + webhook
}

// step is one event. The shopper is named where it is not the one of the step before.
func (s storyteller) step(e store.Event, shopper string) ui.Step {
	step := ui.Step{
		Title: titleOf(e.Webhook), Kind: strings.ReplaceAll(string(e.Kind), "_", "-"), Time: ui.In(s.zone, e.OccurredAt), Doubtful: !e.OccurredAtKnown,
		Anchor: "d-" + e.DeliveryID.String(), Delivery: deliveryPath(e.DeliveryID.String()),
	}
	fact := func(name string, c ui.Cell) {
		if c.Text != "" || len(c.Links) > 0 || len(c.Tags) > 0 {
			step.Facts = append(step.Facts, ui.Fact{Name: name, Cell: c})
		}
	}
	fact("Products", ui.Cell{Class: "mono", Links: found("/alcohol-interactions", "productId", e.StoreID, e.ProductIDs)})
	fact("Gondola", ui.Cell{Class: "mono", Links: found("/alcohol-interactions", "gondolaId", e.StoreID, e.GondolaIDs)})
	fact("Flags", ui.Cell{Tags: flagTags(e.Flags)})
	fact("Payment", ui.Cell{Text: ui.Human(text(e.PaymentProvider))})
	if text(e.ShopperID) != shopper {
		fact("Shopper", ui.Cell{Class: "mono", Text: text(e.ShopperID)})
	}
	fact("Name", ui.Cell{Text: joinWords(e.PersonalInfo.FirstName, e.PersonalInfo.LastName)})
	fact("E-mail", ui.Cell{Text: text(e.PersonalInfo.Email)})
	fact("Phone", ui.Cell{Text: firstText(e.PersonalInfo.PhoneNumber, e.PersonalInfo.Phone)})
	fact("Device", ui.Cell{Text: text(e.CheckInDeviceID)})
	fact("Unreadable", ui.Cell{Class: "mono", Text: strings.Join(e.Unreadable, " ")})
	return step
}

// found are links to what else a list has of some values.
func found(path, name string, storeID int64, values []string) []ui.Link {
	const most = 200
	links := make([]ui.Link, 0, min(len(values), most+1))
	for i, v := range values {
		if i == most {
			return append(links, ui.Link{Text: andMore(len(values) - most)})
		}
		links = append(links, ui.Link{Text: v, Href: path + query(url.Values{name: {v}, "storeId": {strconv.FormatInt(storeID, 10)}})})
	}
	return links
}

// state is the newest state of the session.
func (s storyteller) state() []ui.Fact {
	x := s.session
	var facts []ui.Fact
	add := func(name string, c ui.Cell) {
		if c.Text != "" || c.Time != nil {
			facts = append(facts, ui.Fact{Name: name, Cell: c})
		}
	}
	add("Customer", ui.Cell{Class: "mono", Text: text(x.CustomerID), Href: customerPath(x.CustomerID)})
	add("Status", ui.Cell{Text: text(x.Status)})
	add("Group size", ui.Cell{Text: maybeInteger(x.GroupSize)})
	add("Visitors in the store", ui.Cell{Text: maybeInteger(x.Visitors)})
	add("Entered first", ui.Cell{Time: ui.Maybe(s.zone, x.CustomerFirstEnteredAt)})
	add("Entered last", ui.Cell{Time: ui.Maybe(s.zone, x.CustomerLastEnteredAt)})
	add("Left first", ui.Cell{Time: ui.Maybe(s.zone, x.CustomerFirstExitedAt)})
	add("Left last", ui.Cell{Time: ui.Maybe(s.zone, x.CustomerLastExitedAt)})
	add("Created", ui.Cell{Time: ui.Maybe(s.zone, x.CreatedAt)})
	add("Updated", ui.Cell{Time: ui.Maybe(s.zone, x.UpdatedAt)})
	add("Expires", ui.Cell{Time: ui.Maybe(s.zone, x.ExpiresAt)})
	add("AiFi's number", ui.Cell{Class: "mono", Text: text(x.AifiID)})
	add("Code", ui.Cell{Class: "mono", Text: text(x.Code)})
	add("Location", ui.Cell{Text: text(x.LocationID)})
	add("Refers to session", ui.Cell{Class: "mono", Text: text(x.ReferencedSessionID)})
	add("Payment instrument", ui.Cell{Class: "mono", Text: text(x.CustomerPaymentInstrumentID)})
	add("Satisfaction", ui.Cell{Text: maybeInteger(x.CustomerSatisfaction)})
	return facts
}

func customerPath(id *string) string {
	if id == nil {
		return ""
	}
	return "/sessions" + query(url.Values{"customerId": {*id}})
}
