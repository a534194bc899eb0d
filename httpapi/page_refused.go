package httpapi

import (
	"net/http"
	"strconv"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

// refusedPage shows what was refused, by the token that was presented: an
// administrator decides for a token, not for each webhook.
func (a *API) refusedPage(w http.ResponseWriter, r *http.Request, v visitor) error {
	r, said := takeNotice(r)
	if _, err := parseParams(r, nil); err != nil {
		return err
	}
	if err := v.seesAll(); err != nil {
		return err
	}
	tokens, err := a.store.RefusedTokens(r.Context(), v.Scope())
	if err != nil {
		return err
	}
	view := ui.Refused{Notice: said, Kept: a.store.KeepsRefusals(), FormToken: formToken(v.secret)}
	zone := a.store.TimeZone()
	for _, t := range tokens {
		row := ui.RefusedToken{
			Fingerprint: t.Fingerprint, Why: refusedTexts[t.Reason], Webhooks: t.Webhooks, From: t.RemoteAddrs,
			First: ui.In(zone, t.First), Last: ui.In(zone, t.Last), Kept: t.Kept, Open: t.Open,
		}
		if t.Open > 0 {
			row.Action = "/refused?tokenFingerprint=" + t.Fingerprint
		}
		view.Tokens = append(view.Tokens, row)
	}
	if len(view.Tokens) > 0 {
		view.Export = "/refused.csv"
	}
	return v.show(w, r, "refused", ui.View{Title: "Refused webhooks", Section: "/refused", Main: view})
}

var refusedTexts = map[store.Refusal]string{
	store.UnknownToken: "No such token", store.RevokedToken: "The token was revoked", store.ExpiredToken: "The token has expired", store.NoIngestScope: "The token lacks the scope ingest",
	store.UndecidedToken: "The token could not be looked up",
}

// refusedCSV is the CSV of the API.
func (a *API) refusedCSV(w http.ResponseWriter, r *http.Request, v visitor) error {
	if err := v.seesAll(); err != nil {
		return err
	}
	return refused(a.store).serveCSV(w, r, v.caller)
}

// recordRefused records what came with a token.
func (a *API) recordRefused(w http.ResponseWriter, r *http.Request, v visitor) error {
	if err := v.seesAll(); err != nil {
		return err
	}
	done, err := a.replayRefusedOf(r, v.caller)
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/refused?done=replayed&understood="+strconv.Itoa(done.Replayed)+"&still="+strconv.Itoa(done.Quarantined), http.StatusSeeOther)
	return nil
}
