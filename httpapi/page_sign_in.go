package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

const (
	signInPath  = "/sign-in"
	signOutPath = "/sign-out"
)

// secure reports whether the browser speaks TLS: with us, or with the proxy before
// us, of which only the configured public address tells. Headers are not believed.
func (a *API) secure(r *http.Request) bool {
	return r.TLS != nil || a.publicURL != nil && a.publicURL.Scheme == "https"
}

// cookie is the one that holds a session. Behind TLS its name has a prefix with which
// browsers take it only from this very host.
func (a *API) cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	c := &http.Cookie{ //nolint:gosec // Secure is set behind TLS
		Name: "aifi-audit", Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: a.secure(r), SameSite: http.SameSiteLaxMode,
	}
	if c.Secure {
		c.Name = "__Host-aifi-audit"
	}
	return c
}

// signedIn gives the token and the secret of a request's session.
func (a *API) signedIn(r *http.Request) (t store.Token, secret string, ok bool, err error) {
	sent, err := r.Cookie(a.cookie(r, "", 0).Name)
	if err != nil || sent.Value == "" {
		return t, "", false, nil // no cookie is no error
	}
	t, ok, err = a.store.SignedIn(r.Context(), sent.Value)
	if ok {
		placeOf(r).serve()
	}
	return t, sent.Value, ok, err
}

// formToken is what a form of a session has to send along: other sites cannot know it.
func formToken(secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("form"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

var errForeign = problem(http.StatusForbidden, "foreign-form", "Forbidden", "The form was not sent by this page, or you signed in anew since. Go back, reload the page and try again.")

// checkForm refuses a form that another site made the browser send.
func (a *API) checkForm(w http.ResponseWriter, r *http.Request, v visitor) error {
	if err := a.readForm(w, r); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(r.PostForm.Get("formToken")), []byte(formToken(v.secret))) != 1 {
		return errForeign
	}
	return nil
}

func (a *API) readForm(w http.ResponseWriter, r *http.Request) error {
	if err := a.crossOrigin.Check(r); err != nil {
		return errForeign
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return problem(http.StatusBadRequest, "invalid-form", "Invalid form", "The form could not be read, or is too long.")
	}
	return nil
}

func (a *API) signInForm(w http.ResponseWriter, r *http.Request) {
	if _, _, ok, err := a.signedIn(r); err == nil && ok {
		http.Redirect(w, r, ours(r.URL.Query().Get("next")), http.StatusSeeOther) //nolint:gosec // ours is a path of this server
		return
	}
	form := ui.SignIn{Next: ours(r.URL.Query().Get("next"))}
	if r.URL.Query().Has("out") {
		form.Note = "You are signed out."
	}
	if r.URL.Query().Has("unsent") {
		form.Note = "You were signed out before you sent this. Nothing was saved: sign in, and do it again."
	}
	a.showSignIn(w, r, http.StatusOK, form)
}

func (a *API) showSignIn(w http.ResponseWriter, r *http.Request, status int, form ui.SignIn) {
	if err := a.drawPage(w, r, status, "sign-in", ui.View{Title: "Sign in", Main: form}); err != nil {
		a.failPage(w, r, nil, err)
	}
}

// signIn begins a session for a token. Whatever cookie was sent is not made use of,
// so that nobody can be given a session that somebody else knows.
func (a *API) signIn(w http.ResponseWriter, r *http.Request) {
	hurry(r)
	if err := a.readForm(w, r); err != nil {
		a.failPage(w, r, nil, err)
		return
	}
	form := ui.SignIn{Next: ours(r.PostForm.Get("next"))}
	if !a.attempts.allowed(remoteAddr(r), time.Now()) {
		form.Problem = "There were too many attempts. Wait a minute and try again."
		w.Header().Set("Retry-After", "60")
		a.showSignIn(w, r, http.StatusTooManyRequests, form)
		return
	}
	t, why := a.store.Authenticate(r.Context(), strings.TrimSpace(r.PostForm.Get("token")))
	if why == store.UndecidedToken {
		a.failPage(w, r, nil, a.turnAway(store.MayRead, undecidedToken))
		return
	}
	if why != "" {
		a.attempts.failed(remoteAddr(r), time.Now())
		a.metrics.refuse(fromStaff, refusal(why))
		form.Problem = "This token is not valid. It may be mistyped, expired or revoked."
		a.showSignIn(w, r, http.StatusUnauthorized, form)
		return
	}
	placeOf(r).serve()
	if !t.May(store.MayRead) {
		a.metrics.refuse(fromStaff, missingScope)
		form.Problem = "This token is good, but not for reading. Tokens with the scope ingest alone are for AiFi's servers: ask for one of your own with the scope read."
		a.showSignIn(w, r, http.StatusForbidden, form)
		return
	}
	if old, err := r.Cookie(a.cookie(r, "", 0).Name); err == nil {
		if err := a.store.SignOut(r.Context(), old.Value); err != nil {
			a.failPage(w, r, nil, err)
			return
		}
	}
	secret, err := a.store.SignIn(r.Context(), t)
	if err != nil {
		a.failPage(w, r, nil, err)
		return
	}
	http.SetCookie(w, a.cookie(r, secret, int(store.WebSessionMost.Seconds())))
	http.Redirect(w, r, form.Next, http.StatusSeeOther)
}

// signOut ends the session, here and in the browser.
func (a *API) signOut(w http.ResponseWriter, r *http.Request, v visitor) error {
	if err := a.store.SignOut(r.Context(), v.secret); err != nil {
		return err
	}
	http.SetCookie(w, a.cookie(r, "", -1))
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	http.Redirect(w, r, signInPath+"?out", http.StatusSeeOther)
	return nil
}

// signInFirst is where who is not signed in is sent: to the form, and from there to the
// page asked for. Of what was to change something, or to be saved as a file, that is the
// page it was asked from; that nothing was changed is said.
func signInFirst(r *http.Request) string {
	if r.URL.Path == signOutPath {
		return signInPath + "?out"
	}
	q := url.Values{"next": {r.URL.RequestURI()}}
	if r.Method != http.MethodGet {
		q = url.Values{"next": {askedFrom(r, "/")}, "unsent": {""}}
	} else if slices.ContainsFunc(savedAs, func(end string) bool { return strings.HasSuffix(r.URL.Path, end) }) {
		q.Set("next", askedFrom(r, r.URL.RequestURI()))
	}
	return signInPath + "?" + q.Encode()
}

// savedAs is how the paths end of what browsers save as a file.
var savedAs = []string{".csv", ".txt", ".json", "/body", "/evidence"}

// askedFrom is the page of this server that a request came from, or else another.
func askedFrom(r *http.Request, other string) string {
	if from, err := url.Parse(r.Referer()); err == nil && from.Host != "" && from.Host == r.Host {
		return ours(from.RequestURI())
	}
	return other
}

// ours is an address on this server, whatever was asked for: nobody is sent elsewhere.
func ours(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(address, "/") ||
		strings.HasPrefix(address, "//") || strings.ContainsAny(address, "\\\r\n\t") || strings.HasPrefix(address, signInPath) {
		return "/"
	}
	return u.RequestURI()
}

// attempts limits failures to sign in by address: tokens cannot be guessed, but the
// attempt costs a look into the database.
type attempts struct {
	mu       sync.Mutex
	limiters map[string]*rate.Limiter // guarded by mu
}

const (
	failuresAtOnce = 10
	failuresEvery  = 6 * time.Second
	addressesMost  = 10_000
)

func (t *attempts) of(address string) *rate.Limiter {
	if l, ok := t.limiters[address]; ok {
		return l
	}
	if t.limiters == nil || len(t.limiters) >= addressesMost {
		t.limiters = map[string]*rate.Limiter{}
	}
	l := rate.NewLimiter(rate.Every(failuresEvery), failuresAtOnce)
	t.limiters[address] = l
	return l
}

// allowed reports whether an address may try.
func (t *attempts) allowed(address string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of(address).TokensAt(now) >= 1
}

// failed notes that an address tried in vain.
func (t *attempts) failed(address string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of(address).AllowN(now, 1)
}
