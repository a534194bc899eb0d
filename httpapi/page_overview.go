package httpapi

import "net/http"

func (a *API) overview(w http.ResponseWriter, r *http.Request, _ visitor) error {
	http.Redirect(w, r, "/alcohol-interactions", http.StatusSeeOther)
	return nil
}
