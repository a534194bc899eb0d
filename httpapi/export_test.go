package httpapi

import "github.com/gorilla/mux"

// Router is the router, for the test of the contract.
func (a *API) Router() *mux.Router { return a.router }
