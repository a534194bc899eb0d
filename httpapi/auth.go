package httpapi

import (
	"context"
	"errors"
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
	if why != "" {
		return t, a.turnAway(right, why)
	}
	return t, a.authorize(t, right)
}

// turnAway is the answer to who has no token that is good.
func (a *API) turnAway(right store.Right, why refusal) *Problem {
	a.metrics.refuse(surfaceFor(right), why)
	if why == undecidedToken {
		return problemOf(store.ErrUnavailable)
	}
	return problem(http.StatusUnauthorized, "unauthorized", "Unauthorized", "A valid bearer token is needed.")
}

// findToken gives the token of a request, or says why there is none that is good. Who
// presents one is not turned out while it is looked up, which takes no longer than a
// moment, nor from then on if it is good.
func (a *API) findToken(r *http.Request) (store.Token, refusal) {
	secret := bearer(r)
	if secret == "" {
		return store.Token{}, noToken
	}
	p := placeOf(r)
	p.serve()
	t, why := a.store.Authenticate(r.Context(), secret)
	switch why {
	case "":
	case store.UndecidedToken:
		p.countAsUndecided()
	default:
		p.countAsStranger()
	}
	return t, refusal(why)
}

// bearer is the token that a request presents; "" if it presents none. Who typed the
// scheme into AiFi's console too, or had it left out, typed a good token all the same.
func bearer(r *http.Request) string {
	header := strings.TrimSpace(r.Header.Get("Authorization"))
	scheme, rest, more := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		if more {
			return "" // it is of another scheme
		}
		return header
	}
	for strings.EqualFold(scheme, "Bearer") {
		header = strings.TrimSpace(rest)
		scheme, rest, _ = strings.Cut(header, " ")
	}
	return header
}

func lacks(right store.Right) *Problem {
	return problem(http.StatusForbidden, "forbidden", "Forbidden", "The token lacks the scope "+string(right)+".")
}

// authorize checks the right of a token, and whether its turn has come.
func (a *API) authorize(t store.Token, right store.Right) *Problem {
	if !t.May(right) {
		a.metrics.refuse(surfaceFor(right), missingScope)
		return lacks(right)
	}
	if delay := a.rates.wait(t.ID, right, time.Now()); delay > 0 {
		a.metrics.refuse(surfaceFor(right), rateLimited)
		return tooFast(delay)
	}
	return nil
}

// takeExport bounds the exports that are under way, those of admins too; others need
// none of it.
func (a *API) takeExport(right store.Right, action string) (release func(), refusal *Problem) {
	if right != store.MayExport && action != "export" {
		return func() {}, nil
	}
	select {
	case a.exports <- struct{}{}:
		return func() { <-a.exports }, nil
	default:
		a.metrics.refuse(fromStaff, tooManyOnes)
		return nil, problem(http.StatusServiceUnavailable, "too-many-exports", "Too many exports", "As many exports are under way as may be.")
	}
}

// caller is a member of staff whose request passed authentication.
type caller struct {
	store.Token
	action string
	api    *API
}

// sees writes the access log. Results must not leave before it returns nil.
func (c caller) sees(r *http.Request) error {
	return c.api.store.LogAccess(r.Context(), c.access(r, http.StatusOK))
}

// seesRows is sees, where it is known how many rows there are.
func (c caller) seesRows(r *http.Request, rows int) error {
	a, n := c.access(r, http.StatusOK), int64(rows)
	a.Rows = &n
	return c.api.store.LogAccess(r.Context(), a)
}

// saw writes how an export ended, after it did. That it began is written already.
func (c caller) saw(r *http.Request, rows int64, detail string) {
	a := c.access(r, http.StatusOK)
	a.Action, a.Rows, a.Detail = c.action+" ended", &rows, detail
	if err := c.api.store.LogAccess(context.WithoutCancel(r.Context()), a); err != nil {
		c.api.log.Error("the end of an export could not be written to the access log", "path", a.Path, "error", err)
	}
}

// denied writes that somebody asked for what he may not see, or what is not there, if
// that is what an error says.
func (c caller) denied(r *http.Request, err error) {
	status := problemOf(err).Status
	if status != http.StatusForbidden && status != http.StatusNotFound && status != http.StatusGone {
		return
	}
	if err := c.api.store.LogAccess(r.Context(), c.access(r, status)); err != nil {
		c.api.log.Error("a denial could not be written to the access log", "error", err)
	}
}

func (c caller) access(r *http.Request, status int) store.Access {
	return store.Access{
		TokenID: c.ID, Action: c.action, Path: cut(r.URL.EscapedPath(), maxLogged), Query: cut(r.URL.RawQuery, maxLogged),
		RemoteAddr: remoteAddr(r), Status: status,
	}
}

const maxLogged = 8192 // bytes of a path or a query in the access log

type staffHandler func(w http.ResponseWriter, r *http.Request, c caller) error

// staff guards a handler with a right, and answers its errors.
func (a *API) staff(right store.Right, action string, h staffHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, refusal := a.authenticate(r, right)
		c := caller{t, action, a}
		if refusal != nil {
			c.denied(r, refusal) // not of strangers, who could fill the log: they are answered 401
			writeProblem(w, refusal)
			return
		}
		release, refusal := a.takeExport(right, action)
		if refusal != nil {
			writeProblem(w, refusal)
			return
		}
		defer release()
		if err := h(w, r, c); err != nil {
			c.denied(r, err)
			a.fail(w, r, err)
		}
	})
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	writeProblem(w, a.problemFor(r, err))
}

// problemFor is what may be told of an error; what is ours to mend goes into the log. That the
// spool takes nothing is told there by the Store, now and then: it is so for each webhook.
func (a *API) problemFor(r *http.Request, err error) *Problem {
	p := problemOf(err)
	told := errors.Is(err, store.ErrSpoolFull) || errors.Is(err, store.ErrSpoolFails)
	if p.Status >= http.StatusInternalServerError && r.Context().Err() == nil && !told {
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
