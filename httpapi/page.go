package httpapi

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

// The staff page is drawn by package ui. Its handlers read filters, check rights,
// write the access log and name errors with the code of the API.

// maxForm is how long a form that is sent may be, in bytes.
const maxForm = 64 << 10

// visitor is a member of staff who is signed in.
type visitor struct {
	caller
	secret string // of the session
}

type pageHandler func(w http.ResponseWriter, r *http.Request, v visitor) error

// asPage has a page answer what the API does.
func asPage(h staffHandler) pageHandler {
	return func(w http.ResponseWriter, r *http.Request, v visitor) error { return h(w, r, v.caller) }
}

// page guards a page with a right, and answers its errors as pages.
func (a *API) page(right store.Right, action string, h pageHandler) http.Handler {
	return a.html(func(w http.ResponseWriter, r *http.Request) {
		t, secret, ok, err := a.signedIn(r)
		v := visitor{caller{t, action, a}, secret}
		switch {
		case err != nil:
			a.failPage(w, r, nil, err)
			return
		case !ok:
			http.Redirect(w, r, signInFirst(r), http.StatusSeeOther)
			return
		}
		if refusal := a.authorize(t, right); refusal != nil {
			v.refuse(w, r, refusal)
			return
		}
		release, refusal := a.takeExport(right, action)
		if refusal != nil {
			a.failPage(w, r, &v, refusal)
			return
		}
		defer release()
		if r.Method == http.MethodPost {
			if err := a.checkForm(w, r, v); err != nil {
				v.refuse(w, r, err)
				return
			}
		}
		if err := h(w, r, v); err != nil {
			v.refuse(w, r, err)
		}
	})
}

// refuse logs the access if it is denied, and answers the error with a page.
func (v visitor) refuse(w http.ResponseWriter, r *http.Request, err error) {
	v.denied(r, err)
	v.api.failPage(w, r, &v, err)
}

// visitor is who is signed in, for pages that need nobody to be; nil if nobody is, or
// if that cannot be known now.
func (a *API) visitor(r *http.Request) *visitor {
	t, secret, ok, err := a.signedIn(r)
	if err != nil || !ok {
		return nil
	}
	return &visitor{caller{t, "view", a}, secret}
}

// html sets the headers that keep a page from being framed, sniffed, cached, or made
// to run or to load what is not ours.
func (a *API) html(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		safeHeaders(w.Header())
		h(w, r)
	})
}

func safeHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Cookie")
}

// show logs the access and then answers with a page.
func (v visitor) show(w http.ResponseWriter, r *http.Request, name string, view ui.View) error {
	if err := v.sees(r); err != nil {
		return err
	}
	return v.draw(w, r, http.StatusOK, name, view)
}

func (v visitor) draw(w http.ResponseWriter, r *http.Request, status int, name string, view ui.View) error {
	view.User = &ui.User{Name: v.Name, Stores: v.StoreIDs, FormToken: formToken(v.secret), SeesAll: v.May(store.MayAdminister) && v.unlimited() == nil}
	view.Print = "Printed by " + v.Name + " on " + time.Now().UTC().Format("2 January 2006 15:04 UTC") + " from aifi-audit."
	return v.api.drawPage(w, r, status, name, view)
}

func (a *API) drawPage(w http.ResponseWriter, r *http.Request, status int, name string, view ui.View) error {
	var b bytes.Buffer
	if err := a.pages.Render(&b, name, view); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = b.WriteTo(w) // the client is gone if this fails
	}
	return nil
}

// failPage answers an error with a page. v is nil if nobody is signed in.
func (a *API) failPage(w http.ResponseWriter, r *http.Request, v *visitor, err error) {
	p := a.problemFor(r, err)
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	main := ui.Problem{Status: p.Status, Title: p.Title, Detail: p.Detail, Parameter: p.Parameter, Links: []ui.Link{{Text: "Overview", Href: "/"}}}
	if p.Status == http.StatusBadRequest && r.Method == http.MethodGet {
		main.Links = append(main.Links, ui.Link{Text: "This page without filters", Href: r.URL.EscapedPath()})
	}
	if p.Status == http.StatusServiceUnavailable {
		main.Links = []ui.Link{{Text: "Try again", Href: r.URL.RequestURI()}}
	}
	view := ui.View{Title: p.Title, Main: main}
	if v == nil {
		err = a.drawPage(w, r, p.Status, "problem", view)
	} else {
		err = v.draw(w, r, p.Status, "problem", view)
	}
	if err != nil {
		a.log.Error("a page could not be drawn", "error", err)
	}
}

// seesAll is an error for those who are limited to some stores, on pages about what
// belongs to none.
func (v visitor) seesAll() error {
	if v.unlimited() != nil {
		return problem(http.StatusForbidden, "forbidden", "Forbidden", "The token is limited to some stores, and what is here belongs to none.")
	}
	return nil
}

// wantsPage reports whether the client is a browser that shows what it is answered.
func wantsPage(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}

func (a *API) asset(w http.ResponseWriter, r *http.Request) {
	if !a.pages.ServeAsset(w, r, strings.TrimPrefix(r.URL.Path, "/assets/")) {
		a.notFound(w, r)
	}
}
