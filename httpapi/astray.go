package httpapi

import (
	"net/http"
	"strings"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
)

// pushPath is what the paths of webhooks begin with.
const pushPath = "/api/push/"

// webhookAt is the webhook that comes to a path. In front of it, besides pushPath, there
// may be what a URL mistyped in AiFi's console has too much, or a proxy has taken away.
func webhookAt(path string) aifi.Webhook {
	path = cut(path, maxPath+len(pushPath))
	if below, ok := strings.CutPrefix(path, pushPath); ok {
		return aifi.ParseWebhook(below)
	}
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for n := range min(2, len(segments)) { // as many as a documented name has
		if w := aifi.ParseWebhook(strings.Join(segments[len(segments)-n-1:], "/")); w.Documented() {
			return w
		}
	}
	return aifi.ParseWebhook(path)
}

// astray reports whether a request that no route takes is a webhook all the same. AiFi
// calls a URL as it was typed, and sends nothing again: with a good token it is kept,
// wherever it comes to.
func (a *API) astray(r *http.Request) bool {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
	default:
		return false
	}
	if strings.HasPrefix(r.URL.Path, pushPath) || webhookAt(r.URL.Path).Documented() {
		return true // judged like any other
	}
	token, why := a.findToken(r)
	return why == "" && token.May(store.MayIngest)
}
