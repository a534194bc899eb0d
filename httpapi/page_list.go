package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

// shelf is a list as staff see it: a page, its CSV, and a count of what is new.
type shelf[T any] struct {
	list[T]
	heading, intro string
	one, noun      string // what is found, once and often
	columns        []ui.Column
	cells          func(c *pageContext, item T) []ui.Cell // one for each column
	when           func(T) (time.Time, int64)             // and in which store
	extend         func(c *pageContext, v visitor, s *ui.Search)
	packs          store.Kind // of events whose evidence is given as a pack; "" if it is not
	ofNoStore      bool       // what is listed is of no store, and only for those who see all
	still          bool       // nothing is counted on top
	none           string     // says that there is nothing yet; "" asks whether the webhook is set up
}

const (
	countMost = 10_000         // so far matches are counted, where there are no sums of them
	newMost   = 100            // so far what is new is counted
	lateness  = 24 * time.Hour // so late a webhook may still come
)

// mountShelf serves a list at path, its CSV at path.csv, a count at path.count, and
// perhaps an evidence pack at path/evidence.
func mountShelf[T any](a *API, r *mux.Router, path string, s shelf[T]) {
	get := func(path string, right store.Right, action string, h pageHandler) {
		if s.ofNoStore {
			h = unlimitedOnly(h)
		}
		r.Handle(path, a.page(right, action, h)).Methods(http.MethodGet, http.MethodHead)
	}
	get(path, cmp.Or(s.right, store.MayRead), "search", func(w http.ResponseWriter, r *http.Request, v visitor) error {
		return s.serve(w, r, v, path)
	})
	get(path+".csv", cmp.Or(s.exportRight, store.MayExport), "export", asPage(s.serveCSV))
	get(path+".count", cmp.Or(s.right, store.MayRead), "count", func(w http.ResponseWriter, r *http.Request, v visitor) error {
		return s.serveCount(w, r, v, path)
	})
	if s.packs != "" {
		get(path+"/evidence", store.MayExport, "evidence", asPage(a.searchEvidence(s.packs)))
	}
}

// unlimitedOnly keeps a page from those who are limited to some stores.
func unlimitedOnly(h pageHandler) pageHandler {
	return func(w http.ResponseWriter, r *http.Request, v visitor) error {
		if err := v.seesAll(); err != nil {
			return err
		}
		return h(w, r, v)
	}
}

func (s shelf[T]) serve(w http.ResponseWriter, r *http.Request, v visitor, path string) error {
	r, said := takeNotice(r)
	c, err := v.context(r, path, s.filters)
	if err != nil {
		return err
	}
	if s.ofNoStore {
		c.leaveStores()
	}
	if tidy, changed := tidied(r.URL.Query(), c.zone); changed {
		http.Redirect(w, r, c.address(tidy), http.StatusSeeOther)
		return nil
	}
	p, f, err := s.asked(r, "limit", "cursor", "before")
	if fault, ok := c.fault(err); ok {
		return s.serveFault(w, r, v, c, f, fault)
	}
	if err != nil {
		return err
	}
	page, err := p.page(path)
	if err != nil {
		return err
	}
	items, onward, err := s.page(r.Context(), v.Scope(), f, page)
	if err != nil {
		return err
	}
	view := ui.Search{
		Heading: s.heading, Intro: s.intro, Noun: s.noun, Columns: slices.Clone(s.columns),
		Filters: c.filtersView(f), Oldest: page.OldestFirst, Notice: said,
	}
	if view.Total, err = s.sized(r.Context(), v, f, page, len(items), onward); err != nil {
		return err
	}
	s.turn(&view, p, path, items, onward, page)
	s.watch(&view, p, path, items, page, f)
	if view.Total == (ui.Total{Count: 1}) {
		view.Noun = s.one
	}
	for i := range view.Columns {
		if i == 0 {
			view.Columns[i].Sort = c.address(with(c.filtersOnly(), "order", map[bool]string{false: "oldest"}[page.OldestFirst]))
		}
	}
	for _, item := range items {
		at, storeID := s.when(item)
		day := ui.In(c.zones.of(storeID), at).Day()
		if n := len(view.Groups); n == 0 || view.Groups[n-1].Day != day {
			view.Groups = append(view.Groups, ui.Group{Day: day})
		}
		g := &view.Groups[len(view.Groups)-1]
		g.Rows = append(g.Rows, ui.Row{Cells: s.labelled(s.cells(c, item))})
	}
	if v.May(cmp.Or(s.exportRight, store.MayExport)) {
		view.Export = path + ".csv" + query(with(c.filtersOnly(), "order", p.Get("order")))
		if view.Total.More {
			view.ExportCount = path + ".count" + query(with(c.filtersOnly(), "all", "true"))
		}
		if s.packs != "" && !view.Total.More && view.Total.Count <= packLimit {
			view.Pack = path + "/evidence" + query(c.filtersOnly())
		}
	}
	if len(items) == 0 {
		if view.Empty, err = s.explain(r.Context(), c, v, f); err != nil {
			return err
		}
	}
	if s.extend != nil {
		s.extend(c, v, &view)
	}
	if err := v.seesRows(r, len(items)); err != nil {
		return err
	}
	return v.draw(w, r, http.StatusOK, "search", ui.View{Title: s.heading, Section: path, Main: view})
}

// serveFault shows the form again, with what is wrong with a field of it.
func (s shelf[T]) serveFault(w http.ResponseWriter, r *http.Request, v visitor, c *pageContext, f store.Filter, fault ui.Fault) error {
	view := ui.Search{Heading: s.heading, Intro: s.intro, Noun: s.noun, Filters: c.filtersView(c.readable(f)), Empty: &ui.Empty{Why: "One of the filters cannot be right."}}
	view.Filters.Fault, view.Filters.More = fault, true
	if err := v.sees(r); err != nil {
		return err
	}
	return v.draw(w, r, http.StatusBadRequest, "search", ui.View{Title: s.heading, Section: c.path, Main: view})
}

// turn fills in where the other pages are.
func (s shelf[T]) turn(view *ui.Search, p params, path string, items []T, onward *store.Position, page store.Page) {
	asked, kept := p.asked(path), without(p.Values, "cursor", "before")
	to := func(name string, at store.Position) string { return path + query(with(kept, name, cursor(at, asked))) }
	if len(items) > 0 {
		first, last := s.at(items[0]), s.at(items[len(items)-1])
		// Behind a cursor there is the item that it was made of.
		if page.Before == nil && page.After != nil || page.Before != nil && onward != nil {
			view.Newer = to("before", first)
		}
		if page.Before != nil || onward != nil {
			view.Older = to("cursor", last)
		}
	}
}

// labelled gives each cell the name of its column, for screens on which a row is a card.
func (s shelf[T]) labelled(cells []ui.Cell) []ui.Cell {
	for i := range cells {
		cells[i].Label, cells[i].Class = s.columns[i].Name, s.columns[i].Class
	}
	return cells
}

// explain says why nothing was found, and what would find something.
func (s shelf[T]) explain(ctx context.Context, c *pageContext, v visitor, f store.Filter) (*ui.Empty, error) {
	e := &ui.Empty{Why: "No " + s.noun + " match these filters."}
	narrowed := len(c.filtersOnly()) > 0
	switch {
	case !narrowed && s.none != "":
		e.Why = s.none
	case !narrowed && v.StoreIDs != nil:
		e.Why = "The stores that your token sees have no " + s.noun + " yet."
	case !narrowed:
		e.Why = "There are no " + s.noun + " yet. Is the webhook set up in AiFi's console?"
	}
	if f.From != nil || f.To != nil {
		open := f
		open.From, open.To = nil, nil
		found, _, err := s.page(ctx, v.Scope(), open, store.Page{Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			e.Why = "No " + s.noun + " match these filters at any time."
		} else {
			at, storeID := s.when(found[0])
			zone := c.zones.of(storeID)
			from, to := dayOf(at, zone)
			e.Why = "No " + s.noun + " match these filters in this period."
			e.Tips = append(e.Tips, ui.Link{
				Text: "The day of the latest one, " + ui.In(zone, at).Day(),
				Href: c.address(with(with(c.filtersOnly(), "from", stamp(from)), "to", stamp(to))),
			})
		}
	}
	for _, l := range c.activeFilters() {
		e.Tips = append(e.Tips, ui.Link{Text: "Without " + l.Text, Href: l.Href})
	}
	if len(e.Tips) > 8 {
		e.Tips = e.Tips[:8]
	}
	return e, nil
}

// with is a copy of q in which name has one value, or none if it is "".
func with(q url.Values, name, value string) url.Values {
	out := url.Values{}
	for n, values := range q {
		if n != name {
			out[n] = values
		}
	}
	if value != "" {
		out.Set(name, value)
	}
	return out
}

// without is a copy of q without some names.
func without(q url.Values, names ...string) url.Values {
	out := url.Values{}
	for name, values := range q {
		if !slices.Contains(names, name) {
			out[name] = values
		}
	}
	return out
}

// query is q as it stands in an address.
func query(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	// Colons are allowed there, and times can then be read.
	return "?" + strings.ReplaceAll(q.Encode(), "%3A", ":")
}
