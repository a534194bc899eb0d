package httpapi

import (
	"strconv"
	"time"

	"aifi-audit/store"
)

// accessEntry is the JSON of an entry of the access log.
type accessEntry struct {
	ID         string    `json:"id"`
	At         time.Time `json:"at"`
	TokenName  *string   `json:"tokenName"`
	Action     string    `json:"action"`
	Path       string    `json:"path"`
	Query      string    `json:"query"`
	RemoteAddr string    `json:"remoteAddr"`
	Status     *int32    `json:"status"`
	Rows       *int64    `json:"rows"`
	Detail     string    `json:"detail"`
	LeafID     *string   `json:"leafId"`
}

func accessLog(s *store.Store) list[store.AccessEntry] {
	return list[store.AccessEntry]{
		filters: []string{"token", "action", "denied", "counts", "sessionId", "deliveryId", "from", "to"},
		page:    s.AccessLog,
		export:  s.ExportAccessLog,
		count:   s.CountAccessLog,
		at:      store.AccessPosition,
		turns:   true,
		item: func(e store.AccessEntry) any {
			out := accessEntry{
				ID: strconv.FormatInt(e.ID, 10), At: e.At.UTC(), TokenName: e.TokenName, Action: e.Action, Path: e.Path, Query: e.Query,
				RemoteAddr: e.RemoteAddr, Status: e.Status, Rows: e.Rows, Detail: e.Detail,
			}
			if e.EntryID != nil {
				id := e.EntryID.String()
				out.LeafID = &id
			}
			return out
		},
		columns: []column[store.AccessEntry]{
			{"id", func(c *cells, e *store.AccessEntry) { c.integer(e.ID) }},
			{"at", func(c *cells, e *store.AccessEntry) { c.moment(e.At) }},
			{"token_name", func(c *cells, e *store.AccessEntry) { c.maybeText(e.TokenName) }},
			{"action", func(c *cells, e *store.AccessEntry) { c.text(e.Action) }},
			{"path", func(c *cells, e *store.AccessEntry) { c.text(e.Path) }},
			{"query", func(c *cells, e *store.AccessEntry) { c.text(e.Query) }},
			{"remote_addr", func(c *cells, e *store.AccessEntry) { c.text(e.RemoteAddr) }},
			{"status", func(c *cells, e *store.AccessEntry) {
				if e.Status != nil {
					c.integer(int64(*e.Status))
				}
			}},
			{"rows", func(c *cells, e *store.AccessEntry) { c.maybeInteger(e.Rows) }},
			{"detail", func(c *cells, e *store.AccessEntry) { c.text(e.Detail) }},
			{"leaf_id", func(c *cells, e *store.AccessEntry) { c.maybeID(e.EntryID) }},
		},
		right: store.MayAdminister, exportRight: store.MayAdminister,
	}
}
