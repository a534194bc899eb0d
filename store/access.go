package store

import (
	"context"

	"aifi-audit/store/internal/db"
)

// Access is one look at the data by staff.
type Access struct {
	TokenID    int64
	Action     string // search, view, export, replay, configure, review
	Path       string
	Query      string
	RemoteAddr string
}

// LogAccess writes who looks at what. Results must not leave unless it succeeds.
func (s *Store) LogAccess(ctx context.Context, a Access) error {
	return known(s.queries.InsertAccess(ctx, s.writes, db.InsertAccessParams{
		At: s.now(), TokenID: a.TokenID, Action: a.Action, Path: cleanText(a.Path), Query: cleanText(a.Query), RemoteAddr: a.RemoteAddr,
	}))
}
