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
		filters: []string{"token", "action", "from", "to"},
		page:    s.AccessLog,
		export:  s.ExportAccessLog,
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
			{"id", func(e store.AccessEntry) string { return integer(e.ID) }},
			{"at", func(e store.AccessEntry) string { return moment(e.At) }},
			{"token_name", func(e store.AccessEntry) string { return text(e.TokenName) }},
			{"action", func(e store.AccessEntry) string { return e.Action }},
			{"path", func(e store.AccessEntry) string { return e.Path }},
			{"query", func(e store.AccessEntry) string { return e.Query }},
			{"remote_addr", func(e store.AccessEntry) string { return e.RemoteAddr }},
			{"status", func(e store.AccessEntry) string {
				if e.Status == nil {
					return ""
				}
				return integer(int64(*e.Status))
			}},
			{"rows", func(e store.AccessEntry) string { return maybeInteger(e.Rows) }},
			{"detail", func(e store.AccessEntry) string { return e.Detail }},
			{"leaf_id", func(e store.AccessEntry) string { return maybeID(e.EntryID) }},
		},
		right: store.MayAdminister, exportRight: store.MayAdminister,
	}
}
