package httpapi

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

const (
	pickMost   = 200    // stores that the form offers to choose from
	storesMost = 10_000 // stores whose names and zones are known to a page
)

// pageContext is what the parts of a page need to know of its request.
type pageContext struct {
	path   string
	query  url.Values
	known  []string // the filters of the page
	stores []store.Shop
	zones  zones
	zone   *time.Location // of the store chosen, or else of the installation
	now    time.Time
	unsaid string // the delivery to which a note was sent that says nothing
}

func (v visitor) context(r *http.Request, path string, filters []string) (*pageContext, error) {
	shops, _, err := v.api.store.Stores(r.Context(), v.Scope(), store.Filter{}, store.Page{Limit: storesMost})
	if err != nil {
		return nil, err
	}
	zones := v.api.zones(shops)
	c := &pageContext{path: path, query: r.URL.Query(), known: filters, stores: shops, zones: zones, zone: zones.home, now: time.Now()}
	if chosen := c.query["storeId"]; len(chosen) == 1 {
		if id, err := strconv.ParseInt(chosen[0], 10, 64); err == nil {
			c.zone = zones.of(id)
		}
	} else if len(shops) == 1 {
		c.zone = zones.of(shops[0].StoreID)
	}
	return c, nil
}

// leaveStores is for what belongs to no store: there is none to choose, and times are those
// of the installation.
func (c *pageContext) leaveStores() {
	c.stores, c.zones, c.zone = nil, zones{home: c.zones.home}, c.zones.home
}

// localTimes are what a form field of times sends.
var localTimes = []string{"2006-01-02T15:04", "2006-01-02T15:04:05"}

// tidied makes of what a form sends what the API understands: no empty fields, no
// value twice, and times with the zone in which they were typed. Of a time that the
// clock shows twice, when it is set back, a period has both. The result is an address
// that means the same to everybody.
func tidied(q url.Values, zone *time.Location) (tidy url.Values, changed bool) {
	tidy = url.Values{}
	for name, values := range q {
		for _, v := range values {
			v = strings.TrimSpace(v)
			if v == "" || slices.Contains(tidy[name], v) {
				continue
			}
			if name == "from" || name == "to" {
				for _, layout := range localTimes {
					if t, err := time.Parse(layout, v); err == nil {
						first, last := ui.OnClock(t, zone)
						v = stamp(map[string]time.Time{"from": first, "to": last}[name])
						break
					}
				}
			}
			tidy.Add(name, v)
		}
		changed = changed || !slices.Equal(values, tidy[name])
	}
	return tidy, changed
}

// stamp is a time as it stands in an address.
func stamp(t time.Time) string { return t.Format(time.RFC3339Nano) }

func (c *pageContext) address(q url.Values) string { return c.path + query(q) }

// filtersOnly is the query without what turns pages.
func (c *pageContext) filtersOnly() url.Values {
	q := url.Values{}
	for name, values := range c.query {
		if slices.Contains(c.known, name) {
			q[name] = values
		}
	}
	return q
}

// narrow is the address of the page with one more filter.
func (c *pageContext) narrow(name, value string) string {
	q := c.filtersOnly()
	if slices.Contains(q[name], value) {
		return c.address(q)
	}
	q[name] = append(slices.Clone(q[name]), value)
	return c.address(q)
}

var filterNames = map[string]string{
	"storeId": "Store", "storeExternalId": "Retailer's store id", "sessionId": "Session", "customerId": "Customer", "productId": "Product",
	"gondolaId": "Gondola", "flag": "Flag", "webhook": "Webhook", "replayed": "State", "disposition": "Review",
	"token": "Token", "action": "Action", "denied": "Outcome", "counts": "Counts of what is new", "deliveryId": "Delivery",
	"from": "From", "to": "Until",
}

// activeFilters are links to the page without one of its filters. The period is not
// among them: it is shown in full.
func (c *pageContext) activeFilters() []ui.Link {
	var links []ui.Link
	for _, name := range c.known {
		if name == "from" || name == "to" {
			continue
		}
		for _, value := range c.query[name] {
			q := c.filtersOnly()
			q[name] = slices.DeleteFunc(slices.Clone(q[name]), func(v string) bool { return v == value })
			if len(q[name]) == 0 {
				delete(q, name)
			}
			links = append(links, ui.Link{Text: filterNames[name] + " " + c.valueText(name, value), Href: c.address(q)})
		}
	}
	return links
}

func (c *pageContext) valueText(name, value string) string {
	for _, o := range optionsOf[name] {
		if o.Value == value {
			return o.Text
		}
	}
	if name == "flag" {
		return ui.Human(value)
	}
	return value
}

// optionsOf are the filters that have few values.
var optionsOf = map[string][]ui.Choice{
	"disposition": {
		{Value: "", Text: "Any"},
		{Value: string(store.Unmarked), Text: "Not reviewed"},
		{Value: string(store.UnderReview), Text: "Under review"},
		{Value: string(store.Confirmed), Text: "Confirmed"},
		{Value: string(store.FalseAlarm), Text: "False alarm"},
	},
	"replayed": {{Value: "", Text: "Any"}, {Value: "false", Text: "Waiting"}, {Value: "true", Text: "Understood later"}},
	"action":   append([]ui.Choice{{Value: "", Text: "Any"}}, actions...),
	"denied":   {{Value: "", Text: "Any"}, {Value: "true", Text: "Denied"}, {Value: "false", Text: "Not denied"}},
	"counts":   {{Value: "", Text: "Shown"}, {Value: "false", Text: "Left out"}, {Value: "true", Text: "Alone"}},
}

func (c *pageContext) filtersView(f store.Filter) ui.Filters {
	view := ui.Filters{
		StoreLabel: "All stores", From: fieldTime(f.From, c.zone), To: fieldTime(f.To, c.zone), RangeLabel: c.rangeLabel(f.From, f.To),
		Active: c.activeFilters(), Zone: c.zoneLabel(),
	}
	switch {
	case !slices.Contains(c.known, "storeId"):
		view.StoreLabel = ""
	case len(c.stores) <= pickMost:
		view.Stores, view.StoreLabel = c.choices(f)
	default:
		if view.StoreIDs = c.query["storeId"]; len(view.StoreIDs) == 0 {
			view.StoreIDs = []string{""}
		}
	}
	for _, name := range c.known {
		if name == "from" || name == "to" || name == "storeId" {
			continue
		}
		field := ui.Field{Name: name, Label: filterNames[name], Values: c.query[name]}
		field.Options = slices.Clone(optionsOf[name])
		for _, value := range field.Values {
			if field.Options != nil && !slices.ContainsFunc(field.Options, func(o ui.Choice) bool { return o.Value == value }) {
				field.Options = append(field.Options, ui.Choice{Value: value, Text: value})
			}
		}
		if len(field.Values) == 0 {
			field.Values = []string{""}
		}
		view.Fields = append(view.Fields, field)
	}
	view.Ranges = c.ranges(f.From, f.To)
	named := slices.ContainsFunc(view.Ranges, func(l ui.Link) bool { return l.Current })
	view.More = !named || slices.ContainsFunc(c.known, func(name string) bool {
		return name != "storeId" && name != "from" && name != "to" && c.query.Has(name)
	})
	view.Seconds = len(view.From) > len(localTimes[0]) || len(view.To) > len(localTimes[0])
	if order := c.query.Get("order"); order != "" {
		view.Keep = append(view.Keep, ui.Field{Name: "order", Values: []string{order}})
	}
	if len(c.filtersOnly()) > 0 {
		view.Clear = c.path
	}
	return view
}

// fault tells whether an error is that of a filter of the form, and which.
func (c *pageContext) fault(err error) (ui.Fault, bool) {
	var p *Problem
	if !errors.As(err, &p) || p.Status != http.StatusBadRequest || !slices.Contains(c.known, p.Parameter) {
		return ui.Fault{}, false
	}
	return ui.Fault{Field: p.Parameter, Text: filterNames[p.Parameter] + ": " + p.Detail}, true
}

// readable is a filter of which something is wrong with the times that can be read.
func (c *pageContext) readable(f store.Filter) store.Filter {
	asked := params{c.query}
	if f.From == nil {
		f.From, _ = asked.moment("from")
	}
	if f.To == nil {
		f.To, _ = asked.moment("to")
	}
	return f
}

// mixed reports whether stores of several zones may be shown.
func (c *pageContext) mixed() bool {
	return len(c.zones.own) > 0 && len(c.query["storeId"]) != 1 && len(c.stores) != 1
}

// zoneLabel says in which zone the times are.
func (c *pageContext) zoneLabel() string {
	if c.mixed() {
		return "Each store's own time; filters in " + c.zone.String()
	}
	return "Times in " + c.zone.String()
}

// choices are the stores to tick, and what to call those that are.
func (c *pageContext) choices(f store.Filter) (choices []ui.Choice, label string) {
	label = "All stores"
	chosen := 0
	for _, s := range c.stores {
		choice := ui.Choice{Value: strconv.FormatInt(s.StoreID, 10), Text: storeName(s), Chosen: slices.Contains(f.StoreIDs, s.StoreID)}
		if choice.Chosen {
			chosen++
			label = choice.Text
		}
		choices = append(choices, choice)
	}
	if chosen > 1 {
		label = strconv.Itoa(chosen) + " stores"
	}
	return choices, label
}

func storeName(s store.Shop) string {
	name := "Store " + strconv.FormatInt(s.StoreID, 10)
	if s.StoreID == 0 {
		name = "Unknown store"
	}
	if s.ExternalID != nil && *s.ExternalID != "" {
		name += " · " + *s.ExternalID
	}
	return name
}

func (c *pageContext) storeText(id int64) string {
	// They are in order, and some pages name each of them.
	if i, ok := slices.BinarySearchFunc(c.stores, id, func(s store.Shop, id int64) int { return cmp.Compare(s.StoreID, id) }); ok {
		return storeName(c.stores[i])
	}
	return storeName(store.Shop{StoreID: id})
}

func fieldTime(t *time.Time, zone *time.Location) string {
	if t == nil {
		return ""
	}
	if t.Second() == 0 {
		return t.In(zone).Format(localTimes[0])
	}
	return t.In(zone).Format(localTimes[1])
}
