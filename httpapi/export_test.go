package httpapi

import (
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"aifi-audit/store"
)

// Router is the router, for the test of the contract.
func (a *API) Router() *mux.Router { return a.router }

// PeriodOf is the period that a query for counts asks for at a time.
func PeriodOf(query string, now time.Time) (store.Period, error) {
	p, err := parseParams(&http.Request{URL: &url.URL{RawQuery: query}}, []string{"from", "to"})
	if err != nil {
		return store.Period{}, err
	}
	f, err := p.filter()
	if err != nil {
		return store.Period{}, err
	}
	return p.period(f, now)
}
