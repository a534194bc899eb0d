package httpapi

import (
	"errors"
	"net/http"
	"time"

	"aifi-audit/store"
)

// refusedDelivery is a refused webhook's JSON.
type refusedDelivery struct {
	DeliveryID       string            `json:"deliveryId"`
	Webhook          string            `json:"webhook"`
	Reason           store.Refusal     `json:"reason"`
	TokenFingerprint string            `json:"tokenFingerprint"`
	ReceivedAt       time.Time         `json:"receivedAt"`
	RemoteAddr       string            `json:"remoteAddr"`
	Path             string            `json:"path"`
	Headers          map[string]string `json:"headers"`
	BodySize         int64             `json:"bodySize"`
	Truncated        bool              `json:"truncated"`
	ReplayedAt       *time.Time        `json:"replayedAt"`
}

func refusedJSON(r store.Refused) any {
	return refusedDelivery{
		DeliveryID: r.ID.String(), Webhook: r.Webhook, Reason: r.Reason, TokenFingerprint: r.TokenFingerprint, ReceivedAt: r.ReceivedAt.UTC(),
		RemoteAddr: r.RemoteAddr, Path: r.Path, Headers: r.Headers, BodySize: r.BodySize, Truncated: r.Truncated, ReplayedAt: utc(r.ReplayedAt),
	}
}

// refused lists what only an admin may see: nobody vouches for it.
func refused(s *store.Store) list[store.Refused] {
	return list[store.Refused]{
		right: store.MayAdminister, exportRight: store.MayAdminister,
		filters: []string{"webhook", "tokenFingerprint", "replayed", "from", "to"},
		page:    s.Refused,
		export:  s.ExportRefused,
		item:    refusedJSON,
		columns: []column[store.Refused]{
			{"delivery_id", func(c *cells, r *store.Refused) { c.id(r.ID) }},
			{"webhook", func(c *cells, r *store.Refused) { c.text(r.Webhook) }},
			{"reason", func(c *cells, r *store.Refused) { c.text(string(r.Reason)) }},
			{"token_fingerprint", func(c *cells, r *store.Refused) { c.text(r.TokenFingerprint) }},
			{"received_at", func(c *cells, r *store.Refused) { c.moment(r.ReceivedAt) }},
			{"remote_addr", func(c *cells, r *store.Refused) { c.text(r.RemoteAddr) }},
			{"path", func(c *cells, r *store.Refused) { c.text(r.Path) }},
			{"body_size", func(c *cells, r *store.Refused) { c.integer(r.BodySize) }},
			{"truncated", func(c *cells, r *store.Refused) { c.maybeBoolean(&r.Truncated) }},
			{"replayed_at", func(c *cells, r *store.Refused) { c.maybeMoment(r.ReplayedAt) }},
		},
	}
}

// replayedAll says what became of several refused webhooks.
type replayedAll struct {
	Replayed    int `json:"replayed"`    // now in the database, understood
	Quarantined int `json:"quarantined"` // now in the database, in quarantine
}

func (a *API) replayAllRefused(w http.ResponseWriter, r *http.Request, c caller) error {
	out, err := a.replayRefusedOf(r, c)
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, out)
	return nil
}

// replayRefusedOf records the refused webhooks that a request's filters match, oldest
// last. It stops at the first that cannot be recorded; what was replayed stays so.
func (a *API) replayRefusedOf(r *http.Request, c caller) (out replayedAll, err error) {
	p, err := parseParams(r, []string{"webhook", "tokenFingerprint", "from", "to"})
	if err != nil {
		return out, err
	}
	f, err := p.filter()
	if err != nil {
		return out, err
	}
	if err := c.sees(r); err != nil {
		return out, err
	}
	open, all := false, []store.Refused{}
	f.Replayed = &open
	if err := a.store.ExportRefused(r.Context(), c.Scope(), f, func(item store.Refused) error { all = append(all, item); return nil }); err != nil {
		return out, err
	}
	for _, item := range all {
		receipt, err := a.store.ReplayRefused(r.Context(), c.Scope(), item.ID)
		switch {
		case errors.Is(err, store.ErrNotFound): // it was erased meanwhile, or made room for others
		case err != nil:
			return out, err
		case receipt.Problem != nil:
			out.Quarantined++
		default:
			out.Replayed++
		}
	}
	return out, nil
}

// replayRefused records a webhook that was refused, on the word of an admin.
func (a *API) replayRefused(w http.ResponseWriter, r *http.Request, c caller) error {
	return a.replayBy(a.store.ReplayRefused, "was kept", w, r, c)
}
