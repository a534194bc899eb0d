package httpapi

import (
	"cmp"
	"context"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"aifi-audit/store"
)

// list is a resource that is paged as JSON and exported as CSV.
type list[T any] struct {
	filters []string // the query parameters that narrow it
	page    func(context.Context, store.Scope, store.Filter, store.Page) ([]T, *store.Position, error)
	export  func(context.Context, store.Scope, store.Filter, func(T) error) error
	count   func(context.Context, store.Scope, store.Filter, store.Page) (int64, error)            // at most the page's limit; nil: not needed
	total   func(context.Context, store.Scope, store.Filter, int) (n int64, exact bool, err error) // nil: counted, up to what the int says
	at      func(T) store.Position                                                                 // with count
	item    func(T) any                                                                            // its JSON
	columns []column[T]                                                                            // its CSV

	turns bool // it may be asked for oldest first

	right, exportRight store.Right // needed to see it, and its CSV; MayRead and MayExport unless given
}

type listPage struct {
	Items      []any  `json:"items"`
	NextCursor string `json:"nextCursor,omitempty"`
}

// mount serves a list at path, and its CSV at path.csv or for Accept: text/csv.
func mount[T any](a *API, r *mux.Router, path string, l list[T]) {
	name := path[strings.LastIndexByte(path, '/')+1:]
	asJSON := a.metrics.timed(name, "json", a.staff(cmp.Or(l.right, store.MayRead), "search", func(w http.ResponseWriter, r *http.Request, c caller) error {
		return l.servePage(w, r, c, path)
	}))
	asCSV := a.metrics.timed(name, "csv", a.staff(cmp.Or(l.exportRight, store.MayExport), "export", l.serveCSV))
	mountBoth(r, path, asJSON, asCSV)
}

// mountBoth serves a resource as JSON at path, and as CSV at path.csv or for Accept:
// text/csv.
func mountBoth(r *mux.Router, path string, asJSON, asCSV http.Handler) {
	r.Handle(path+".csv", asCSV).Methods(http.MethodGet, http.MethodHead)
	r.Handle(path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		if acceptsCSV(r) {
			asCSV.ServeHTTP(w, r)
			return
		}
		asJSON.ServeHTTP(w, r)
	})).Methods(http.MethodGet, http.MethodHead)
}

func acceptsCSV(r *http.Request) bool { return prefers(r, "text/csv") }

// prefers reports whether the Accept headers of a request name a media type, and would
// rather have it than JSON: of two that are wanted as much, the one that is named first.
func prefers(r *http.Request, wanted string) bool {
	first, most := "", 0.0
	for named := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		mediaType, parameters, err := mime.ParseMediaType(named)
		if err != nil || mediaType != wanted && mediaType != "application/json" {
			continue
		}
		quality := 1.0
		if q, ok := parameters["q"]; ok {
			quality, _ = strconv.ParseFloat(q, 64) // what is no number is not wanted
		}
		if quality > most {
			first, most = mediaType, quality
		}
	}
	return first == wanted
}

// asked reads the filters of a request; more are the other parameters that it may have.
func (l list[T]) asked(r *http.Request, more ...string) (params, store.Filter, error) {
	if l.turns {
		more = append(more, "order")
	}
	p, err := parseParams(r, append(slices.Clone(l.filters), more...))
	if err != nil {
		return p, store.Filter{}, err
	}
	f, err := p.filter()
	return p, f, err
}

func (l list[T]) servePage(w http.ResponseWriter, r *http.Request, c caller, path string) error {
	p, f, err := l.asked(r, "limit", "cursor")
	if err != nil {
		return err
	}
	page, err := p.page(path)
	if err != nil {
		return err
	}
	items, next, err := l.page(r.Context(), c.Scope(), f, page)
	if err != nil {
		return err
	}
	if err := c.seesRows(r, len(items)); err != nil {
		return err
	}
	body := listPage{Items: make([]any, len(items))}
	for i, item := range items {
		body.Items[i] = l.item(item)
	}
	if next != nil {
		body.NextCursor = cursor(*next, p.asked(path))
		query := r.URL.Query()
		query.Set("cursor", body.NextCursor)
		w.Header().Set("Link", "<"+(&url.URL{Path: path, RawQuery: query.Encode()}).String()+`>; rel="next"`)
	}
	writeJSON(w, r, http.StatusOK, body)
	return nil
}

func (l list[T]) serveCSV(w http.ResponseWriter, r *http.Request, c caller) error {
	p, f, err := l.asked(r, "raw")
	if err != nil {
		return err
	}
	raw, err := p.boolean("raw")
	if err != nil {
		return err
	}
	if err := c.sees(r); err != nil {
		return err
	}
	name := strings.TrimSuffix(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], ".csv")
	return streamCSV(w, r, c, name, l.columns, raw != nil && *raw, func(each func(T) error) error {
		return l.export(r.Context(), c.Scope(), f, each)
	})
}

// streamCSV answers with all rows.
func streamCSV[T any](w http.ResponseWriter, r *http.Request, c caller, name string, columns []column[T], raw bool, rows func(func(T) error) error) error {
	out := c.download(w, r, name+".csv", "text/csv; charset=utf-8; header=present")
	if r.Method == http.MethodHead {
		return out.head()
	}
	enc := NewCSV(out, columns, raw)
	n := int64(0)
	err := rows(func(item T) error {
		n++
		return enc.Write(item)
	})
	if err == nil {
		err = enc.Flush()
	}
	return out.finish(r, c, n, "", err)
}
