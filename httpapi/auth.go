package httpapi

import (
	"net"
	"net/http"
	"strings"
	"time"

	"aifi-audit/store"
)

// authenticate finds the token of a request, checks its right, and whether its turn
// has come. The answer does not tell what is wrong with a token; the metrics do.
func (a *API) authenticate(r *http.Request, right store.Right) (store.Token, *Problem) {
	t, why := a.findToken(r)
	if why == "" && !t.May(right) {
		why = missingScope
	}
	var delay time.Duration
	if why == "" {
		if delay = a.rates.wait(t.ID, right, time.Now()); delay > 0 {
			why = rateLimited
		}
	}
	if why != "" {
		a.metrics.refuse(surfaceFor(right), why)
	}
	switch why {
	case "":
		return t, nil
	case missingScope:
		return t, problem(http.StatusForbidden, "forbidden", "Forbidden", "The token lacks the scope "+string(right)+".")
	case rateLimited:
		return t, tooFast(delay)
	}
	return store.Token{}, problem(http.StatusUnauthorized, "unauthorized", "Unauthorized", "A valid bearer token is needed.")
}

// findToken gives the token of a request, or says why there is none that is good.
func (a *API) findToken(r *http.Request) (store.Token, refusal) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return store.Token{}, noToken
	}
	switch t, ok := a.store.Authenticate(r.Context(), strings.TrimSpace(secret)); {
	case ok:
		return t, ""
	case t.RevokedAt != nil:
		return store.Token{}, revokedToken
	case t.ExpiresAt != nil:
		return store.Token{}, expiredToken
	}
	return store.Token{}, unknownToken
}

// caller is a member of staff whose request passed authentication.
type caller struct {
	store.Token
	action string
	api    *API
}

// sees writes the access log. Results must not leave before it returns nil.
func (c caller) sees(r *http.Request) error {
	return c.api.store.LogAccess(r.Context(), store.Access{
		TokenID: c.ID, Action: c.action, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, RemoteAddr: remoteAddr(r),
	})
}

type staffHandler func(w http.ResponseWriter, r *http.Request, c caller) error

// staff guards a handler with a right, and answers its errors.
func (a *API) staff(right store.Right, action string, h staffHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, refusal := a.authenticate(r, right)
		if refusal != nil {
			writeProblem(w, refusal)
			return
		}
		if right == store.MayExport {
			select {
			case a.exports <- struct{}{}:
				defer func() { <-a.exports }()
			default:
				a.metrics.refuse(fromStaff, tooManyOnes)
				writeProblem(w, problem(http.StatusServiceUnavailable, "too-many-exports", "Too many exports", "As many exports are under way as may be."))
				return
			}
		}
		if err := h(w, r, caller{t, action, a}); err != nil {
			a.fail(w, r, err)
		}
	})
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError && r.Context().Err() == nil {
		a.log.Error("a request failed", "method", r.Method, "route", r.URL.EscapedPath(), "error", err)
	}
	writeProblem(w, p)
}

func remoteAddr(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
