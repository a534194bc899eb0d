package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// Access is one look at the data by staff, or one that was denied.
type Access struct {
	TokenID    int64
	Action     string // search, view, export, evidence, replay, …
	Path       string
	Query      string
	RemoteAddr string
	Status     int    // HTTP
	Rows       *int64 // shown; nil if not known yet
	Detail     string
}

// LogAccess writes who looks at what, and queues a leaf that says so. Results must
// not leave unless it succeeds.
func (s *Store) LogAccess(ctx context.Context, a Access) error {
	return known(s.insertAccess(ctx, s.office, a))
}

func (s *Store) insertAccess(ctx context.Context, conn db.DBTX, a Access) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	secret, err := translog.NewSecret(s.random)
	if err != nil {
		return err
	}
	status := int32(a.Status) //nolint:gosec // three digits
	row := db.AccessEvidenceRow{
		At: s.now().UTC().Truncate(time.Microsecond), TokenID: a.TokenID, Action: a.Action, Path: db.CleanText(a.Path), Query: db.CleanText(a.Query),
		RemoteAddr: db.CleanText(a.RemoteAddr), EntryID: &id, Secret: secret[:], Status: &status, Rows: a.Rows, Detail: db.CleanText(a.Detail),
	}
	return s.queries.InsertAccess(ctx, conn, db.InsertAccessParams{
		At: row.At, TokenID: row.TokenID, Action: row.Action, Path: row.Path, Query: row.Query, RemoteAddr: row.RemoteAddr,
		EntryID: row.EntryID, Secret: row.Secret, Status: row.Status, Rows: row.Rows, Detail: row.Detail,
		Leaf: logrows.AccessLeaf(&row, secret).Append(nil),
	})
}

// AccessEntry is an entry of the access log.
type AccessEntry = db.ListAccessRow

// AccessLog is a page of the access log, newest first. Whose scope is limited to some
// stores sees nothing: entries are of no store.
func (s *Store) AccessLog(ctx context.Context, scope Scope, f Filter, p Page) ([]AccessEntry, *Position, error) {
	if scope.limited {
		return nil, nil, nil
	}
	args := accessArgs(f)
	args.RowLimit = oneMore(p)
	if p.After != nil {
		id, err := strconv.ParseInt(p.After.ID, 10, 64)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrPosition, err)
		}
		args.AfterTime, args.AfterID = &p.After.Time, &id
	}
	rows, err := read(ctx, s, s.queries.ListAccess, args)
	if err != nil {
		return nil, nil, known(err)
	}
	rows, next := paged(rows, p, func(e AccessEntry) Position {
		return Position{Time: e.At, ID: strconv.FormatInt(e.ID, 10)}
	})
	return rows, next, nil
}

// ExportAccessLog gives all of the access log from one snapshot, newest first.
func (s *Store) ExportAccessLog(ctx context.Context, scope Scope, f Filter, each func(AccessEntry) error) error {
	if scope.limited {
		return nil
	}
	return s.export(ctx, func(tx pgx.Tx) error { return s.queries.StreamAccess(ctx, tx, accessArgs(f), each) })
}

func accessArgs(f Filter) db.ListAccessParams {
	return db.ListAccessParams{TokenNames: f.Tokens, Actions: f.Actions, FromTime: f.From, ToTime: f.To}
}
