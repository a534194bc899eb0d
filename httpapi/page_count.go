package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

// How many there are: of a list as it is shown, of what has come since, and of a CSV
// before it begins.

// sized tells how many items match: exactly where there are sums, or few items.
func (s shelf[T]) sized(ctx context.Context, v visitor, f store.Filter, page store.Page, shown int, onward *store.Position) (ui.Total, error) {
	if page.After == nil && page.Before == nil && onward == nil {
		return ui.Total{Count: int64(shown)}, nil
	}
	n, exact, err := s.totalOf(ctx, v.Scope(), f, countMost)
	return ui.Total{Count: n, More: !exact}, err
}

// totalOf tells how many items match; if that is not exact, there are more. With most
// 0, all are counted.
func (l list[T]) totalOf(ctx context.Context, scope store.Scope, f store.Filter, most int) (n int64, exact bool, err error) {
	if l.total != nil {
		return l.total(ctx, scope, f, most)
	}
	return store.UpTo(most, func(p store.Page) (int64, error) { return l.count(ctx, scope, f, p) })
}

// watch has the script ask for what comes, unless it would stand on another page or
// lies in the past.
func (s shelf[T]) watch(view *ui.Search, p params, path string, items []T, page store.Page, f store.Filter) {
	if s.still || f.To != nil && f.To.Before(time.Now().Add(-lateness)) || page.OldestFirst || view.Newer != "" {
		return
	}
	kept := without(p.Values, "cursor", "before")
	asked := without(kept, "limit")
	if len(items) > 0 {
		asked.Set("before", cursor(s.at(items[0]), p.asked(path)))
	}
	if s.total != nil && !view.Total.More {
		asked.Set("of", strconv.FormatInt(view.Total.Count, 10))
	}
	view.Live = &ui.Live{First: path + query(kept), Count: path + ".count" + query(asked), Late: asked.Has("of")}
}

// arrived is what came since a page was drawn.
type arrived struct {
	Count int64 `json:"count"` // newer than its first item, up to newMost
	// Late are those that stand further down, since they happened earlier; null if that
	// is not known.
	Late *int64 `json:"late,omitempty"`
}

// serveCount counts what precedes the position before; given of how many items the
// page was, also what came since and does not. With all=true it counts all that match,
// however many: the rows of a CSV.
func (s shelf[T]) serveCount(w http.ResponseWriter, r *http.Request, v visitor, path string) error {
	p, f, err := s.asked(r, "before", "of", "all")
	if err != nil {
		return err
	}
	page, err := p.page(path)
	if err != nil {
		return err
	}
	of, err := p.number("of")
	if err != nil {
		return err
	}
	all, err := p.boolean("all")
	if err != nil {
		return err
	}
	// All are counted before those that are new: the other way round, what is new and comes
	// in between would be called late.
	var total int64
	exact := false
	if of != nil {
		if total, exact, err = s.totalOf(r.Context(), v.Scope(), f, countMost); err != nil {
			return err
		}
	}
	var out arrived
	if all != nil && *all {
		out.Count, _, err = s.totalOf(r.Context(), v.Scope(), f, 0)
	} else {
		page.Limit = newMost
		out.Count, err = s.count(r.Context(), v.Scope(), f, page)
	}
	if err != nil {
		return err
	}
	if exact && out.Count < newMost {
		late := max(0, total-*of-out.Count)
		out.Late = &late
	}
	if err := v.sees(r); err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, out)
	return nil
}

// number reads a number that is not negative; nil if absent.
func (p params) number(name string) (*int64, error) {
	v, err := p.one(name)
	if err != nil || v == "" {
		return nil, err
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		return nil, badParameter(name, "It must be a number from 0.")
	}
	return &n, nil
}
