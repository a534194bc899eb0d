package httpapi

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"aifi-audit/store"
)

// erasure is the JSON of the request to erase a customer.
type erasure struct {
	ID          string             `json:"id"`
	State       store.ErasureState `json:"state"`
	RequestedAt time.Time          `json:"requestedAt"`
	ExpiresAt   time.Time          `json:"expiresAt"`
	RequestedBy string             `json:"requestedBy"`
	ByCommand   bool               `json:"byCommand"`
	Reason      string             `json:"reason"`
	CustomerID  *string            `json:"customerId"` // null when it is closed, or not known
	store.Identifiers
	Found      store.Found      `json:"found"`
	Digest     string           `json:"digest"`
	Decision   *erasureDecision `json:"decision"`
	ExecutedAt *time.Time       `json:"executedAt"`
	Erased     *store.Found     `json:"erased"`
}

type erasureDecision struct {
	At       time.Time      `json:"at"`
	By       string         `json:"by"`
	Decision store.Decision `json:"decision"`
}

func erasureJSON(e store.Erasure) any {
	out := erasure{
		ID: e.ID.String(), State: e.State, RequestedAt: e.RequestedAt, ExpiresAt: e.ExpiresAt, RequestedBy: e.RequestedBy, ByCommand: e.ByCommand,
		Reason: e.Reason, CustomerID: e.CustomerID, Identifiers: e.Identifiers, Found: e.Found, Digest: hex.EncodeToString(e.Digest[:]), ExecutedAt: utc(e.ExecutedAt), Erased: e.Erased,
	}
	if d := e.Decision; d != nil {
		out.Decision = &erasureDecision{d.At, d.By, d.Decision}
	}
	return out
}

// unlimited refuses tokens that are limited to some stores: a person belongs to none.
func (c caller) unlimited() error {
	if c.StoreIDs != nil {
		return problem(http.StatusForbidden, "all-stores-needed", "All stores needed", "The token is limited to some stores, and a person is not.")
	}
	return nil
}

// erasures answers with a page of requests.
func (a *API) erasures(w http.ResponseWriter, r *http.Request, c caller) error {
	const path = "/api/v1/erasures"
	p, err := parseParams(r, []string{"limit", "cursor"})
	if err != nil {
		return err
	}
	if err := c.unlimited(); err != nil {
		return err
	}
	page, err := p.page(path)
	if err != nil {
		return err
	}
	items, next, err := a.store.Erasures(r.Context(), c.Scope(), page)
	if err != nil {
		return err
	}
	if err := c.seesRows(r, len(items)); err != nil {
		return err
	}
	body := listPage{Items: make([]any, len(items))}
	for i, e := range items {
		body.Items[i] = erasureJSON(e)
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

// erasure answers with one request.
func (a *API) erasure(w http.ResponseWriter, r *http.Request, c caller) error {
	id, err := erasureID(r, c)
	if err != nil {
		return err
	}
	e, err := a.store.Erasure(r.Context(), c.Scope(), id)
	if err != nil {
		return err
	}
	if err := c.seesRows(r, 1); err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, erasureJSON(e))
	return nil
}

// erasureID is the id in the path of a request that has no parameters.
func erasureID(r *http.Request, c caller) (uuid.UUID, error) {
	if _, err := parseParams(r, nil); err != nil {
		return uuid.UUID{}, err
	}
	if err := c.unlimited(); err != nil {
		return uuid.UUID{}, err
	}
	return parseUUID(mux.Vars(r)["erasureId"])
}

// whomMembers are those that say whom something is about.
var whomMembers = []string{"customerId", "emails", "phones", "names"}

func (o object) whom() (w store.Whom, err error) {
	customer, err := o.text("customerId")
	if err != nil {
		return w, err
	}
	w.CustomerID = text(customer)
	if w.Emails, err = o.texts("emails"); err != nil {
		return w, err
	}
	if w.Phones, err = o.texts("phones"); err != nil {
		return w, err
	}
	w.Names, err = o.texts("names")
	return w, err
}

// requestErasure files a request.
func (a *API) requestErasure(w http.ResponseWriter, r *http.Request, c caller) error {
	if _, err := parseParams(r, nil); err != nil {
		return err
	}
	if err := c.unlimited(); err != nil {
		return err
	}
	body, err := readObject(r, append(whomMembers, "reason")...)
	if err != nil {
		return err
	}
	whom, err := body.whom()
	if err != nil {
		return err
	}
	reason, err := body.text("reason")
	if err != nil {
		return err
	}
	if err := c.sees(r); err != nil {
		return err
	}
	e, err := a.store.RequestErasure(r.Context(), store.NewErasure{Whom: whom, Reason: text(reason), Token: &c.Token})
	if err != nil {
		return erasureProblem(err)
	}
	w.Header().Set("Location", "/api/v1/erasures/"+e.ID.String())
	writeJSON(w, r, http.StatusCreated, erasureJSON(e))
	return nil
}

// decideErasure approves, rejects or withdraws a request.
func (a *API) decideErasure(d store.Decision) staffHandler {
	return func(w http.ResponseWriter, r *http.Request, c caller) error {
		id, err := erasureID(r, c)
		if err != nil {
			return err
		}
		var digest []byte
		if d == store.Approve {
			body, err := readObject(r, "digest")
			if err != nil {
				return err
			}
			said, err := body.text("digest")
			if err != nil {
				return err
			}
			if digest, err = hex.DecodeString(text(said)); err != nil || len(digest) == 0 {
				return badMember("/digest", "It must be the digest of the request: 64 hexadecimal digits.")
			}
		}
		if err := c.sees(r); err != nil {
			return err
		}
		e, err := a.store.DecideErasure(r.Context(), c.Token, id, d, digest)
		if err != nil {
			return erasureProblem(err)
		}
		writeJSON(w, r, http.StatusOK, erasureJSON(e))
		return nil
	}
}

func erasureProblem(err error) error {
	var state *store.ErasureStateError
	switch {
	case errors.Is(err, store.ErrSecondPerson):
		return problem(http.StatusForbidden, "second-person-needed", "A second person is needed", "An erasure is approved by another administrator than the one who asked for it, with a token that is good and sees all stores.")
	case errors.Is(err, store.ErrOtherDigest):
		return problem(http.StatusConflict, "other-digest", "Another digest", "It is not that of the request: look at what you approve.")
	case errors.As(err, &state):
		return problem(http.StatusConflict, "erasure-state", "Not possible any more", state.Detail)
	}
	return err
}

// erasureCertificate answers with the certificate, as JSON or, for Accept: text/plain,
// as the signed note.
func (a *API) erasureCertificate(w http.ResponseWriter, r *http.Request, c caller) error {
	id, err := erasureID(r, c)
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	return c.writeCertificate(w, r, id, prefers(r, "text/plain"))
}

func (c caller) writeCertificate(w http.ResponseWriter, r *http.Request, id uuid.UUID, asText bool) error {
	note, asJSON, err := Certificate(r.Context(), c.api.store, c.Scope(), id)
	if errors.Is(err, store.ErrNotErased) {
		return problem(http.StatusConflict, "not-erased", "Not erased", "The request was not carried out.")
	}
	if err != nil {
		return err
	}
	if err := c.seesRows(r, 1); err != nil {
		return err
	}
	answer, contentType := asJSON, "application/json"
	if asText {
		answer, contentType = note, "text/plain; charset=utf-8"
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", contentType)
	if r.Method != http.MethodHead {
		_, _ = w.Write(answer) // the client is gone if this fails
	}
	return nil
}
