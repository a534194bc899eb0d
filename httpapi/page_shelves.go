package httpapi

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

// The lists that staff see, column by column.

func when(e store.Event) (time.Time, int64) { return e.OccurredAt, e.StoreID }

// clock is the time of a day on a store's clock, with its zone where stores of several
// zones are listed.
func (c *pageContext) clock(storeID int64, at time.Time) ui.Cell {
	moment := ui.In(c.zones.of(storeID), at)
	cell := ui.Cell{Time: &moment}
	if c.mixed() && !moment.Twice() {
		cell.Note = moment.Abbreviation()
	}
	return cell
}

// eventCells are those that all kinds of event begin with: time, store, session.
func eventCells(c *pageContext, e store.Event) []ui.Cell {
	at := c.clock(e.StoreID, e.OccurredAt)
	if !e.OccurredAtKnown {
		at.Note = strings.TrimSpace("received " + at.Note)
	}
	cells := []ui.Cell{at, {Text: c.storeText(e.StoreID)}}
	if e.SessionID == nil {
		return append(cells, ui.Cell{Text: "none", Href: deliveryPath(e.DeliveryID.String())})
	}
	return append(cells, ui.Cell{Text: *e.SessionID, Href: sessionPath(*e.SessionID, e.StoreID, "")})
}

func (c *pageContext) narrowing(name string, values []string) []ui.Link {
	const most = 4 // in a cell
	var links []ui.Link
	for i, v := range values {
		if i == most {
			links = append(links, ui.Link{Text: "…", Href: c.narrow(name, v)})
			break
		}
		links = append(links, ui.Link{Text: v, Href: c.narrow(name, v)})
	}
	return links
}

// alcoholFlag is the one flag that AiFi's documentation shows. It stands in nearly
// every line, so that its name is shortened; the full one is on hover and in the CSV.
const alcoholFlag = "POTENTIALLY_INTERACTED_WITH_ALCOHOL"

// andMore stands for what is left out of a long list.
func andMore(n int) string { return "and " + ui.Number(int64(n)) + " more" }

func flagTags(flags []string) []ui.Tag {
	const most = 20
	var tags []ui.Tag
	for i, f := range flags {
		if i == most {
			return append(tags, ui.Tag{Text: andMore(len(flags) - most)})
		}
		tag := ui.Tag{Text: ui.Human(f), Title: f}
		if f == alcoholFlag {
			tag.Text = "Potential alcohol"
		}
		tags = append(tags, tag)
	}
	return tags
}

func (c *pageContext) customer(id *string) ui.Cell {
	if id == nil {
		return ui.Cell{}
	}
	return ui.Cell{Text: *id, Href: c.narrow("customerId", *id)}
}

func alcoholShelf(s *store.Store) shelf[store.Event] {
	return shelf[store.Event]{
		list: events(s, store.AlcoholInteraction), heading: "Alcohol interactions", one: "alcohol interaction", noun: "alcohol interactions", when: when, packs: store.AlcoholInteraction,
		intro:   "A shopper handled a restricted product at a gondola.",
		columns: []ui.Column{{Name: "Time", Class: "t"}, {Name: "Store", Class: "store"}, {Name: "Session", Class: "id"}, {Name: "Products", Class: "mono"}, {Name: "Gondola", Class: "mono"}, {Name: "Customer", Class: "mono"}, {Name: "Flags"}, {Name: "Review"}},
		cells: func(c *pageContext, e store.Event) []ui.Cell {
			return append(eventCells(c, e), ui.Cell{Links: c.narrowing("productId", e.ProductIDs)}, ui.Cell{Links: c.narrowing("gondolaId", e.GondolaIDs)},
				c.customer(e.CustomerID), ui.Cell{Tags: flagTags(e.Flags)}, reviewCell(e.Review))
		},
	}
}

func fraudShelf(s *store.Store) shelf[store.Event] {
	return shelf[store.Event]{
		list: events(s, store.FraudAlert), heading: "Fraud alerts", one: "fraud alert", noun: "fraud alerts", when: when, packs: store.FraudAlert,
		intro:   "AiFi suspects fraud, or saw strange behaviour.",
		columns: []ui.Column{{Name: "Time", Class: "t"}, {Name: "Store", Class: "store"}, {Name: "Session", Class: "id"}, {Name: "Customer", Class: "mono"}, {Name: "Payment"}, {Name: "Flags"}, {Name: "Review"}},
		cells: func(c *pageContext, e store.Event) []ui.Cell {
			return append(eventCells(c, e), c.customer(e.CustomerID), ui.Cell{Text: ui.Human(text(e.PaymentProvider))}, ui.Cell{Tags: flagTags(e.Flags)}, reviewCell(e.Review))
		},
	}
}

func registrationShelf(s *store.Store) shelf[store.Event] {
	return shelf[store.Event]{
		list: events(s, store.Registration), heading: "Registrations", one: "registration", noun: "registrations", when: when,
		intro:   "A customer was to be registered for a session at the checkout.",
		columns: []ui.Column{{Name: "Time", Class: "t"}, {Name: "Store", Class: "store"}, {Name: "Session", Class: "id"}, {Name: "Customer", Class: "mono"}, {Name: "Name"}, {Name: "E-mail"}, {Name: "Phone", Class: "mono"}, {Name: "Device", Class: "mono"}},
		cells: func(c *pageContext, e store.Event) []ui.Cell {
			p := e.PersonalInfo
			return append(eventCells(c, e), c.customer(e.CustomerID), ui.Cell{Text: joinWords(p.FirstName, p.LastName)}, ui.Cell{Text: text(p.Email)},
				ui.Cell{Text: firstText(p.PhoneNumber, p.Phone)}, ui.Cell{Text: text(e.CheckInDeviceID)})
		},
	}
}

func sessionShelf(s *store.Store) shelf[store.Session] {
	return shelf[store.Session]{
		list: sessions(s), heading: "Sessions", one: "session", noun: "sessions", intro: "The newest state of each shopping session, by the time it was first seen.",
		when:    func(s store.Session) (time.Time, int64) { return s.FirstSeenAt, s.StoreID },
		columns: []ui.Column{{Name: "First seen", Class: "t"}, {Name: "Store", Class: "store"}, {Name: "Session", Class: "id"}, {Name: "Status"}, {Name: "Customer", Class: "mono"}, {Name: "People", Class: "n"}, {Name: "Last seen", Class: "t"}, {Name: "Flags"}},
		cells: func(c *pageContext, s store.Session) []ui.Cell {
			last := c.clock(s.StoreID, s.LastSeenAt)
			// The heading above is the day on which it began.
			if day := last.Time.Date(); day != ui.In(c.zones.of(s.StoreID), s.FirstSeenAt).Date() {
				last.Note = strings.TrimSpace(last.Note + " " + day)
			}
			tags := flagTags(s.Flags)
			if s.SuspectedFraud != nil && *s.SuspectedFraud {
				tags = append(tags, ui.Tag{Text: "Suspected fraud", Class: "bad"})
			}
			return []ui.Cell{
				c.clock(s.StoreID, s.FirstSeenAt),
				{Text: c.storeText(s.StoreID)},
				{Text: s.SessionID, Href: sessionPath(s.SessionID, s.StoreID, "")},
				{Text: text(s.Status)},
				c.customer(s.CustomerID),
				{Text: maybeInteger(s.GroupSize)},
				last,
				{Tags: tags},
			}
		},
	}
}

func quarantineShelf(s *store.Store) shelf[store.QuarantinedDelivery] {
	return shelf[store.QuarantinedDelivery]{
		list: quarantine(s), heading: "Quarantine", one: "delivery", noun: "deliveries", intro: "What was kept, but not understood, and why. After an update that understands more, try it again.",
		when:    func(q store.QuarantinedDelivery) (time.Time, int64) { return q.ReceivedAt, q.StoreID },
		columns: []ui.Column{{Name: "Received", Class: "t"}, {Name: "Delivery", Class: "id"}, {Name: "Webhook", Class: "mono"}, {Name: "Why"}, {Name: "Where", Class: "mono"}, {Name: "State"}},
		cells: func(c *pageContext, q store.QuarantinedDelivery) []ui.Cell {
			state := ui.Tag{Text: "Waiting", Class: "warn"}
			if q.ReplayedAt != nil {
				state = ui.Tag{Text: "Understood later", Class: "good"}
			}
			return []ui.Cell{
				c.clock(q.StoreID, q.ReceivedAt),
				{Text: q.DeliveryID.String(), Href: deliveryPath(q.DeliveryID.String())},
				{Text: q.Webhook},
				{Text: sentence(q.Detail), Tags: []ui.Tag{{Text: q.Reason}}},
				{Text: q.Pointer},
				{Tags: []ui.Tag{state}},
			}
		},
		extend: func(c *pageContext, v visitor, s *ui.Search) {
			if v.May(store.MayAdminister) && s.Empty == nil {
				s.Replay = &ui.Replay{Action: "/quarantine" + query(c.filtersOnly()), FormToken: formToken(v.secret), Count: s.Total}
			}
		},
	}
}

// pathSafe are the ids that every browser and proxy leaves alone in a path.
var pathSafe = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// sessionPath is the address of a session's story, or of what is below it.
func sessionPath(id string, storeID int64, below string) string {
	of := url.Values{"storeId": {strconv.FormatInt(storeID, 10)}}
	if pathSafe.MatchString(id) {
		return "/sessions/" + id + below + query(of)
	}
	return "/session" + below + query(with(of, "sessionId", id))
}

func deliveryPath(id string) string { return "/deliveries/" + id }

func joinWords(words ...*string) string {
	out := ""
	for _, w := range words {
		if w != nil && *w != "" {
			if out != "" {
				out += " "
			}
			out += *w
		}
	}
	return out
}

func firstText(texts ...*string) string {
	for _, t := range texts {
		if t != nil && *t != "" {
			return *t
		}
	}
	return ""
}

// sentence makes the detail of a problem begin like one.
func sentence(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}
