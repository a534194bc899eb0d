package httpapi

import (
	"net"
	"net/http"
	"strings"

	"aifi-audit/store"
)

// authenticate finds the token of a request and checks its right.
func (a *API) authenticate(r *http.Request, right store.Right) (store.Token, *Problem) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		if t, ok := a.store.Authenticate(r.Context(), strings.TrimSpace(secret)); ok {
			return t, a.authorize(t, right)
		}
	}
	a.refused.WithLabelValues("401").Inc()
	return store.Token{}, problem(http.StatusUnauthorized, "unauthorized", "Unauthorized", "A valid bearer token is needed.")
}

// authorize checks the right of a token.
func (a *API) authorize(t store.Token, right store.Right) *Problem {
	if t.May(right) {
		return nil
	}
	a.refused.WithLabelValues("403").Inc()
	return problem(http.StatusForbidden, "forbidden", "Forbidden", "The token lacks the scope "+string(right)+".")
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
		if err := h(w, r, caller{t, action, a}); err != nil {
			a.fail(w, r, err)
		}
	})
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	writeProblem(w, a.known(r, err))
}

// known is what may be told of an error; what is ours to mend goes into the log.
func (a *API) known(r *http.Request, err error) *Problem {
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError && r.Context().Err() == nil {
		a.log.Error("a request failed", "method", r.Method, "route", r.URL.EscapedPath(), "error", err)
	}
	return p
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
