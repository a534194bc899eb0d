package store

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
)

// head is what the requests of many deliveries have in common.
type head struct{ remoteAddr, path, headers string }

// ofOneRequest are header fields that differ from request to request by their nature.
var ofOneRequest = []string{"Date", "Traceparent", "X-Correlation-Id", "X-Request-Id"}

// headOf parts a delivery's request into its head and the headers, as JSON, that are
// its own; "" if there are none.
func headOf(d *Delivery) (shared head, own string) {
	shared = head{cleanText(d.RemoteAddr), cleanText(d.Path), ""}
	headers := cleanHeaders(d.Headers)
	apart := map[string]string{}
	for _, name := range ofOneRequest {
		if value, ok := headers[name]; ok {
			apart[name] = value
			delete(headers, name)
		}
	}
	if len(apart) > 0 {
		own = headersJSON(apart)
	}
	shared.headers = headersJSON(headers)
	return shared, own
}

// id is the same for the same head.
func (h head) id() uuid.UUID {
	sum := sha256.New()
	for _, text := range []string{h.remoteAddr, "\x00", h.path, "\x00", h.headers} { // no text has a NUL
		_, _ = sum.Write([]byte(text)) // a hash does not fail
	}
	return uuidOf([16]byte(sum.Sum(nil)))
}

// headersJSON is how headers are kept.
func headersJSON(headers map[string]string) string {
	if headers == nil {
		headers = map[string]string{} // nil would be null
	}
	text, _ := json.Marshal(headers) // a map of strings cannot fail
	return string(text)
}

// addHead adds what came before a delivery's body. A head is shared from the second
// time on that it is seen: one that never comes again would take more room apart.
func (r *rows) addHead(d *Delivery) {
	h, own := headOf(d)
	id := h.id()
	a := &r.deliveries
	if r.seen.head(id) {
		r.heads[id] = h
		a.HeadID, a.RemoteAddr, a.Path, a.Headers = append(a.HeadID, id), append(a.RemoteAddr, ""), append(a.Path, ""), append(a.Headers, own)
		return
	}
	a.HeadID, a.RemoteAddr, a.Path = append(a.HeadID, uuid.Nil), append(a.RemoteAddr, h.remoteAddr), append(a.Path, h.path)
	a.Headers = append(a.Headers, headersJSON(cleanHeaders(d.Headers)))
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
