package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"aifi-audit/store"
)

const (
	defaultLimit = 50
	maxLimit     = 1000
	maxValues    = 100  // of one parameter
	maxValueSize = 4096 // bytes: no index of PostgreSQL holds a longer id that does not compress
	// maxCursorSize is that of a cursor at such an id, of which JSON makes six bytes of
	// each, and base64 four of three; with room for longer ones that compress.
	maxCursorSize = 48 << 10
)

// params are the query parameters of a request, checked against those that its
// resource knows: what is not understood is an error, never ignored.
type params struct{ url.Values }

func parseParams(r *http.Request, allowed []string) (params, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if _, nameless := values[""]; err != nil || nameless {
		return params{}, problem(http.StatusBadRequest, "invalid-query", "Invalid query", "The query string is not well-formed.")
	}
	for _, name := range sortedNames(values) {
		if !slices.Contains(allowed, name) {
			return params{}, badParameter(cut(strings.ToValidUTF8(name, "\ufffd"), 100), "This resource does not know the parameter; it knows %s.", strings.Join(allowed, ", "))
		}
		if len(values[name]) > maxValues {
			return params{}, badParameter(name, "At most %d values are allowed.", maxValues)
		}
		most := maxValueSize
		if name == "cursor" || name == "before" {
			most = maxCursorSize
		}
		for _, v := range values[name] {
			if len(v) > most || !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return params{}, badParameter(name, "A value must be UTF-8 without NUL, of at most %d bytes.", most)
			}
			if v == "" {
				return params{}, badParameter(name, "The value is empty.")
			}
		}
	}
	return params{values}, nil
}

func sortedNames(v url.Values) []string {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// one is the value of a parameter that may stand only once; "" if absent.
func (p params) one(name string) (string, error) {
	switch values := p.Values[name]; len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", badParameter(name, "The parameter may be given only once.")
}

// moment reads an RFC 3339 time, or a date, which is its first instant in UTC.
func (p params) moment(name string) (*time.Time, error) {
	v, err := p.one(name)
	if err != nil || v == "" {
		return nil, err
	}
	if t, ok := parseMoment(v); ok {
		return &t, nil
	}
	return nil, badParameter(name, "It must be a date, as 2026-01-31, or a time of RFC 3339, as 2026-01-31T18:00:00Z (a + must be written %%2B), and in UTC of the years 1 to 9999.")
}

// parseMoment reads a time that can also be written, in UTC.
func parseMoment(v string) (t time.Time, ok bool) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, v); err == nil {
			t = t.UTC()
			return t, store.Writable(t)
		}
	}
	return t, false
}

func (p params) boolean(name string) (*bool, error) {
	v, err := p.one(name)
	if err != nil || v == "" {
		return nil, err
	}
	if v != "true" && v != "false" {
		return nil, badParameter(name, "It must be true or false.")
	}
	b := v == "true"
	return &b, nil
}

// filter reads all filters; which of them may be there was checked before.
func (p params) filter() (f store.Filter, err error) {
	for _, v := range p.Values["storeId"] {
		id, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return f, badParameter("storeId", "It must be an integer.")
		}
		f.StoreIDs = append(f.StoreIDs, id)
	}
	f.StoreExternalIDs, f.SessionIDs, f.CustomerIDs = p.Values["storeExternalId"], p.Values["sessionId"], p.Values["customerId"]
	f.ProductIDs, f.GondolaIDs, f.Flags = p.Values["productId"], p.Values["gondolaId"], p.Values["flag"]
	f.Webhooks, f.TokenFingerprints = p.Values["webhook"], p.Values["tokenFingerprint"]
	f.Tokens, f.Actions = p.Values["token"], p.Values["action"]
	for _, v := range p.Values["disposition"] {
		d := store.Disposition(v)
		if d != store.Unmarked && !slices.Contains(store.Dispositions, d) {
			return f, badParameter("disposition", "It must be confirmed, false_alarm, under_review or none.")
		}
		f.Dispositions = append(f.Dispositions, d)
	}
	for _, v := range p.Values["kind"] {
		k := store.Kind(v)
		if !slices.Contains([]store.Kind{store.AlcoholInteraction, store.FraudAlert, store.Registration}, k) {
			return f, badParameter("kind", "It must be alcohol_interaction, fraud_alert or registration.")
		}
		f.Kinds = append(f.Kinds, k)
	}
	for _, v := range p.Values["deliveryId"] {
		id, err := parseUUID(v)
		if err != nil {
			return f, badParameter("deliveryId", "It must be a UUID.")
		}
		f.DeliveryIDs = append(f.DeliveryIDs, id)
	}
	if f.From, err = p.moment("from"); err != nil {
		return f, err
	}
	if f.To, err = p.moment("to"); err != nil {
		return f, err
	}
	if f.From != nil && f.To != nil && !f.From.Before(*f.To) {
		return f, badParameter("to", "It must be later than from: the range is from inclusive to exclusive.")
	}
	if f.OldestFirst, err = p.oldestFirst(); err != nil {
		return f, err
	}
	for _, b := range []struct {
		name string
		to   **bool
	}{{"lifted", &f.Lifted}, {"denied", &f.Denied}, {"counts", &f.Counts}, {"replayed", &f.Replayed}} {
		if *b.to, err = p.boolean(b.name); err != nil {
			return f, err
		}
	}
	return f, nil
}

// oldestFirst reads order.
func (p params) oldestFirst() (bool, error) {
	order, err := p.one("order")
	if err != nil || order == "" {
		return false, err
	}
	if order != "newest" && order != "oldest" {
		return false, badParameter("order", "It must be newest or oldest.")
	}
	return order == "oldest", nil
}

// page reads limit, order and cursor, and before, which only the staff page knows: a
// cursor to what precedes it.
func (p params) page(list string) (store.Page, error) {
	page := store.Page{Limit: defaultLimit}
	limit, err := p.one("limit")
	if err != nil {
		return page, err
	}
	if limit != "" {
		n, err := strconv.Atoi(limit)
		if err != nil || n < 1 || n > maxLimit {
			return page, badParameter("limit", "It must be an integer from 1 to %d.", maxLimit)
		}
		page.Limit = n
	}
	if page.OldestFirst, err = p.oldestFirst(); err != nil {
		return page, err
	}
	if page.After, err = p.position("cursor", list); err != nil {
		return page, err
	}
	if page.Before, err = p.position("before", list); err != nil {
		return page, err
	}
	if page.After != nil && page.Before != nil {
		return page, badParameter("before", "It does not go together with cursor.")
	}
	return page, nil
}

func (p params) position(name, list string) (*store.Position, error) {
	token, err := p.one(name)
	if err != nil || token == "" {
		return nil, err
	}
	return parseCursor(name, token, p.asked(list))
}

// asked is what a cursor belongs to: the list and its filters.
func (p params) asked(list string) string {
	filters := url.Values{}
	for name, values := range p.Values {
		if !slices.Contains([]string{"limit", "cursor", "before", "of", "all"}, name) {
			filters[name] = values
		}
	}
	return list + "?" + filters.Encode()
}

// parseUUID reads an id in its usual form. What has another is found nowhere.
func parseUUID(s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil || len(s) != 36 {
		return uuid.UUID{}, store.ErrNotFound
	}
	return id, nil
}
