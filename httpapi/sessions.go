package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
)

// session is a session's JSON, in AiFi's words and spelling.
type session struct {
	SessionID                     string          `json:"sessionId"`
	StoreID                       int64           `json:"storeId"`
	FirstSeenAt                   time.Time       `json:"firstSeenAt"`
	LastSeenAt                    time.Time       `json:"lastSeenAt"`
	Status                        *string         `json:"status"`
	CustomerID                    *string         `json:"customerId"`
	SuspectedFraud                *bool           `json:"suspectedFraud"`
	Flags                         []string        `json:"shoppingSessionFlags"`
	GroupSize                     *int64          `json:"groupSize"`
	Visitors                      *int64          `json:"visitors"`
	CreatedAt                     *time.Time      `json:"createdAt"`
	UpdatedAt                     *time.Time      `json:"updatedAt"`
	ExpiresAt                     *time.Time      `json:"expiresAt"`
	CodeFirstScannedAt            *time.Time      `json:"codeFirstSuccesfullyScannedAt"`
	CodeLastScannedAt             *time.Time      `json:"codeLastSuccesfullyScannedAt"`
	CustomerFirstEnteredAt        *time.Time      `json:"customerFirstEnteredAt"`
	CustomerLastEnteredAt         *time.Time      `json:"customerLastEnteredAt"`
	CustomerFirstExitedAt         *time.Time      `json:"customerFirstExitedAt"`
	CustomerLastExitedAt          *time.Time      `json:"customerLastExitedAt"`
	ID                            *string         `json:"id"`
	Code                          *string         `json:"code"`
	LocationID                    *string         `json:"locationId"`
	Priority                      *int64          `json:"priority"`
	SessionToken                  *string         `json:"sessionToken"`
	ReferencedSessionID           *string         `json:"referencedSessionId"`
	StoreIDScannableAt            *string         `json:"storeIdScannableAt"`
	CustomerPaymentInstrumentID   *string         `json:"customerPaymentInstrumentId"`
	CustomerSatisfaction          *int64          `json:"customerSatisfaction"`
	CustomerSatisfactionSubmitted *bool           `json:"customerSatisfactionSubmitted"`
	Metadata                      json.RawMessage `json:"metadata"`
}

func sessionJSON(s store.Session) session {
	metadata := json.RawMessage(s.Metadata)
	if metadata == nil {
		metadata = json.RawMessage("null")
	}
	return session{
		SessionID: s.SessionID, StoreID: s.StoreID, FirstSeenAt: s.FirstSeenAt.UTC(), LastSeenAt: s.LastSeenAt.UTC(), Status: s.Status,
		CustomerID: s.CustomerID, SuspectedFraud: s.SuspectedFraud, Flags: s.Flags, GroupSize: s.GroupSize, Visitors: s.Visitors,
		CreatedAt: utc(s.CreatedAt), UpdatedAt: utc(s.UpdatedAt), ExpiresAt: utc(s.ExpiresAt),
		CodeFirstScannedAt: utc(s.CodeFirstSuccessfullyScannedAt), CodeLastScannedAt: utc(s.CodeLastSuccessfullyScannedAt),
		CustomerFirstEnteredAt: utc(s.CustomerFirstEnteredAt), CustomerLastEnteredAt: utc(s.CustomerLastEnteredAt),
		CustomerFirstExitedAt: utc(s.CustomerFirstExitedAt), CustomerLastExitedAt: utc(s.CustomerLastExitedAt),
		ID: s.AifiID, Code: s.Code, LocationID: s.LocationID, Priority: s.Priority, SessionToken: s.SessionToken,
		ReferencedSessionID: s.ReferencedSessionID, StoreIDScannableAt: s.StoreIDScannableAt,
		CustomerPaymentInstrumentID: s.CustomerPaymentInstrumentID, CustomerSatisfaction: s.CustomerSatisfaction,
		CustomerSatisfactionSubmitted: s.CustomerSatisfactionSubmitted, Metadata: metadata,
	}
}

var sessionColumns = []column[store.Session]{
	{"session_id", func(c *cells, s *store.Session) { c.text(s.SessionID) }},
	{"store_id", func(c *cells, s *store.Session) { c.integer(s.StoreID) }},
	{"first_seen_at", func(c *cells, s *store.Session) { c.moment(s.FirstSeenAt) }},
	{"last_seen_at", func(c *cells, s *store.Session) { c.moment(s.LastSeenAt) }},
	{"status", func(c *cells, s *store.Session) { c.maybeText(s.Status) }},
	{"customer_id", func(c *cells, s *store.Session) { c.maybeText(s.CustomerID) }},
	{"suspected_fraud", func(c *cells, s *store.Session) { c.maybeBoolean(s.SuspectedFraud) }},
	{"shopping_session_flags", func(c *cells, s *store.Session) { c.list(s.Flags) }},
	{"group_size", func(c *cells, s *store.Session) { c.maybeInteger(s.GroupSize) }},
	{"visitors", func(c *cells, s *store.Session) { c.maybeInteger(s.Visitors) }},
	{"created_at", func(c *cells, s *store.Session) { c.maybeMoment(s.CreatedAt) }},
	{"updated_at", func(c *cells, s *store.Session) { c.maybeMoment(s.UpdatedAt) }},
	{"expires_at", func(c *cells, s *store.Session) { c.maybeMoment(s.ExpiresAt) }},
	{"code_first_successfully_scanned_at", func(c *cells, s *store.Session) { c.maybeMoment(s.CodeFirstSuccessfullyScannedAt) }},
	{"code_last_successfully_scanned_at", func(c *cells, s *store.Session) { c.maybeMoment(s.CodeLastSuccessfullyScannedAt) }},
	{"customer_first_entered_at", func(c *cells, s *store.Session) { c.maybeMoment(s.CustomerFirstEnteredAt) }},
	{"customer_last_entered_at", func(c *cells, s *store.Session) { c.maybeMoment(s.CustomerLastEnteredAt) }},
	{"customer_first_exited_at", func(c *cells, s *store.Session) { c.maybeMoment(s.CustomerFirstExitedAt) }},
	{"customer_last_exited_at", func(c *cells, s *store.Session) { c.maybeMoment(s.CustomerLastExitedAt) }},
	{"id", func(c *cells, s *store.Session) { c.maybeText(s.AifiID) }},
	{"code", func(c *cells, s *store.Session) { c.maybeText(s.Code) }},
	{"location_id", func(c *cells, s *store.Session) { c.maybeText(s.LocationID) }},
	{"priority", func(c *cells, s *store.Session) { c.maybeInteger(s.Priority) }},
	{"session_token", func(c *cells, s *store.Session) { c.maybeText(s.SessionToken) }},
	{"referenced_session_id", func(c *cells, s *store.Session) { c.maybeText(s.ReferencedSessionID) }},
	{"store_id_scannable_at", func(c *cells, s *store.Session) { c.maybeText(s.StoreIDScannableAt) }},
	{"customer_payment_instrument_id", func(c *cells, s *store.Session) { c.maybeText(s.CustomerPaymentInstrumentID) }},
	{"customer_satisfaction", func(c *cells, s *store.Session) { c.maybeInteger(s.CustomerSatisfaction) }},
	{"customer_satisfaction_submitted", func(c *cells, s *store.Session) { c.maybeBoolean(s.CustomerSatisfactionSubmitted) }},
	{"metadata", func(c *cells, s *store.Session) { c.text(string(s.Metadata)) }},
}

func sessions(s *store.Store) list[store.Session] {
	return list[store.Session]{
		filters: []string{"storeId", "storeExternalId", "sessionId", "customerId", "flag", "from", "to"},
		page:    s.Sessions,
		export:  s.ExportSessions,
		count:   s.CountSessions,
		at:      store.SessionPosition,
		turns:   true,
		item:    func(x store.Session) any { return sessionJSON(x) },
		columns: sessionColumns,
	}
}

// session answers with one session and its timeline.
func (a *API) session(w http.ResponseWriter, r *http.Request, c caller) error {
	id, p, err := sessionAsked(r, "limit", "cursor")
	if err != nil {
		return err
	}
	page, err := p.page("session " + id)
	if err != nil {
		return err
	}
	found, err := a.findSession(r.Context(), c, p, id)
	if err != nil {
		return err
	}
	timeline, next, err := a.store.Timeline(r.Context(), c.Scope(), found.StoreID, found.SessionID, page)
	if err != nil {
		return err
	}
	if err := c.seesRows(r, 1+len(timeline)); err != nil {
		return err
	}
	out := struct {
		session
		Timeline listPage `json:"timeline"`
	}{sessionJSON(found), listPage{Items: make([]any, len(timeline))}}
	for i, e := range timeline {
		out.Timeline.Items[i] = eventJSON(e)
	}
	if next != nil {
		out.Timeline.NextCursor = cursor(*next, p.asked("session "+id))
	}
	writeJSON(w, r, http.StatusOK, out)
	return nil
}

// sessionAsked reads which session a request is about, and its other parameters. The
// id stands in the path, or in the parameter sessionId: AiFi makes the ids, and a path
// cannot hold each of them. A browser takes the segments . and .. away, however they
// are escaped, and proxies decode %2F.
func sessionAsked(r *http.Request, more ...string) (id string, p params, err error) {
	allowed := append([]string{"storeId"}, more...)
	escaped, inPath := mux.Vars(r)["sessionId"]
	if !inPath {
		allowed = append(allowed, "sessionId")
	}
	if p, err = parseParams(r, allowed); err != nil {
		return "", p, err
	}
	if inPath {
		if id, err = url.PathUnescape(escaped); err != nil {
			err = store.ErrNotFound
		}
		return id, p, err
	}
	if id, err = p.one("sessionId"); err == nil && id == "" {
		err = badParameter("sessionId", "It must say which session.")
	}
	p.Del("sessionId") // so that a cursor does not depend on where the id stands
	return id, p, err
}

// findSession is the one session of an id, in the store of the parameter storeId if
// that is given. If several stores have it, the problem names them.
func (a *API) findSession(ctx context.Context, c caller, p params, id string) (store.Session, error) {
	if _, err := p.one("storeId"); err != nil {
		return store.Session{}, err
	}
	f, err := p.filter()
	if err != nil {
		return store.Session{}, err
	}
	f.SessionIDs = []string{aifi.CleanText(id)}
	found, _, err := a.store.Sessions(ctx, c.Scope(), f, store.Page{Limit: maxLimit})
	switch {
	case err != nil:
		return store.Session{}, err
	case len(found) == 0:
		return store.Session{}, store.ErrNotFound
	case len(found) > 1:
		p := problem(http.StatusConflict, "ambiguous-session", "Ambiguous session", "Several stores have a session of this id. Say which with storeId.")
		for _, s := range found {
			p.StoreIDs = append(p.StoreIDs, s.StoreID)
		}
		return store.Session{}, p
	}
	return found[0], nil
}
