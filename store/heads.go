package store

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"

	"github.com/google/uuid"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
)

// head is what the requests of many deliveries have in common.
type head struct{ remoteAddr, path, headers string }

// ofOneRequest are header fields that differ from request to request by their nature.
var ofOneRequest = []string{"Date", "Traceparent", "X-Correlation-Id", "X-Request-Id"}

// headOf parts a delivery's request into its head and the headers, as JSON, that are
// its own; "" if there are none.
func headOf(d *Delivery) (shared head, own string) {
	alike, apart := map[string]string{}, map[string]string{}
	for name, value := range d.Headers {
		if slices.Contains(ofOneRequest, name) {
			apart[name] = value
		} else {
			alike[name] = value
		}
	}
	if len(apart) > 0 {
		own = headersJSON(apart)
	}
	return head{d.RemoteAddr, d.Path, headersJSON(alike)}, own
}

// id is the same for the same head.
func (h head) id() uuid.UUID {
	sum := sha256.New()
	for _, text := range []string{h.remoteAddr, "\x00", h.path, "\x00", h.headers} { // no text has a NUL
		_, _ = sum.Write([]byte(text)) // a hash does not fail
	}
	return aifi.UUIDOf([16]byte(sum.Sum(nil)))
}

// headersJSON is how headers are kept.
func headersJSON(headers map[string]string) string {
	if headers == nil {
		headers = map[string]string{} // nil would be null
	}
	text, _ := json.Marshal(headers) // a map of strings cannot fail
	return string(text)
}

// addHead adds what came before a delivery's body. A head is shared once a batch with
// it was committed: one that never comes again would take more room apart.
func (r *rows) addHead(p *pending) {
	h, id := p.prepared.head, p.prepared.headID
	a := &r.deliveries
	if r.seen.once(catalogueKey("head", 0, string(id[:]))) {
		a.HeadID, a.RemoteAddr, a.Path = append(a.HeadID, uuid.Nil), append(a.RemoteAddr, h.remoteAddr), append(a.Path, h.path)
		a.Headers = append(a.Headers, headersJSON(p.delivery.Headers))
		return
	}
	r.heads[id] = h
	a.HeadID, a.RemoteAddr, a.Path, a.Headers = append(a.HeadID, id), append(a.RemoteAddr, ""), append(a.Path, ""), append(a.Headers, p.prepared.ownHeaders)
}

// headParams are in the order of ids: two processes must name rows in one order.
func (r *rows) headParams() (a db.InsertRequestHeadsParams) {
	ids := slices.SortedFunc(maps.Keys(r.heads), func(x, y uuid.UUID) int { return slices.Compare(x[:], y[:]) })
	for _, id := range ids {
		h := r.heads[id]
		a.ID, a.RemoteAddr = append(a.ID, id), append(a.RemoteAddr, h.remoteAddr)
		a.Path, a.Headers = append(a.Path, h.path), append(a.Headers, h.headers)
	}
	return a
}
