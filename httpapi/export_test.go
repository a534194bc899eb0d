package httpapi

import (
	"encoding/base64"

	"github.com/gorilla/mux"
)

// Router is the router, for the test of the contract.
func (a *API) Router() *mux.Router { return a.router }

// ForgeCursor makes a cursor of any payload, as whoever reads the source can.
func ForgeCursor(payload []byte, asked string) string {
	return base64.RawURLEncoding.EncodeToString(append(checksum(payload, asked), payload...))
}
