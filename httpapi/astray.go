package httpapi

import (
	"net/http"
	"strings"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
)

const (
	pushPath   = "/api/push/" // what the paths of webhooks begin with
	maxWebhook = 512          // bytes of one that AiFi does not document: it is part of keys
)

// webhookAt is the webhook that comes to a path: what is below pushPath, or a documented
// one at its end. In front of that there may be what a URL mistyped in AiFi's console has
// too much, or a proxy has added or taken away; white space around it was pasted too.
func webhookAt(path string) aifi.Webhook {
	path = strings.TrimSpace(cut(path, maxPath+len(pushPath)))
	below := aifi.ParseWebhook(strings.TrimPrefix(path, pushPath))
	if below.Documented() {
		return below
	}
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for n := range min(2, len(segments)) { // as many as a documented name has
		if w := aifi.ParseWebhook(strings.Join(segments[len(segments)-n-1:], "/")); w.Documented() {
			return w
		}
	}
	return aifi.Webhook(cut(string(below), maxWebhook))
}

// ingestAstray takes a request that no route takes, if it is a webhook all the same. AiFi
// calls a URL as it was typed, and sends nothing again: with a token that is good, or may
// be, it is kept wherever it comes to. What comes to the API is a webhook only if its path
// says so: others have made a mistake, and are to hear of it.
func (a *API) ingestAstray(w http.ResponseWriter, r *http.Request) (taken bool) {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
	default:
		return false
	}
	if !strings.Contains(r.URL.Path, pushPath) { // else it is judged like any other
		if strings.HasPrefix(r.URL.Path, "/api/v1/") && !webhookAt(r.URL.Path).Documented() {
			return false
		}
		if token, why := a.findToken(r); why != undecidedToken && (why != "" || !token.May(store.MayIngest)) {
			return false
		}
	}
	if answer, ok := w.(*answerWriter); ok {
		answer.surface = fromAiFi
	}
	a.ingest(w, r)
	return true
}
