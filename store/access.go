package store

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/aifi"
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
		At: s.now().UTC().Truncate(time.Microsecond), TokenID: a.TokenID, Action: a.Action, Path: aifi.CleanText(a.Path), Query: aifi.CleanText(a.Query),
		RemoteAddr: aifi.CleanText(a.RemoteAddr), EntryID: &id, Secret: secret[:], Status: &status, Rows: a.Rows, Detail: aifi.CleanText(a.Detail),
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
	args, err := s.accessPage(ctx, f, p)
	if err != nil {
		return nil, nil, err
	}
	args.RowLimit = oneMore(p)
	rows, err := read(ctx, s, s.queries.ListAccess, args)
	if err != nil {
		return nil, nil, known(err)
	}
	rows, next := paged(rows, p, AccessPosition)
	return rows, next, nil
}

// CountAccessLog counts what AccessLog would give, at most p.Limit unless that is 0.
func (s *Store) CountAccessLog(ctx context.Context, scope Scope, f Filter, p Page) (int64, error) {
	if scope.limited {
		return 0, nil
	}
	args, err := s.accessPage(ctx, f, p)
	if err != nil {
		return 0, err
	}
	most := atMost(p)
	args.RowLimit = &most
	n, err := read(ctx, s, s.queries.CountAccessList, args)
	return n, known(err)
}

// ExportAccessLog gives all of the access log from one snapshot, newest first unless the
// filter says otherwise.
func (s *Store) ExportAccessLog(ctx context.Context, scope Scope, f Filter, each func(AccessEntry) error) error {
	if scope.limited {
		return nil
	}
	args, err := s.accessArgs(ctx, f)
	if err != nil {
		return err
	}
	args.Ascending = f.OldestFirst
	return s.export(ctx, func(tx pgx.Tx) error { return s.queries.StreamAccess(ctx, tx, args, each) })
}

// AccessPosition is an entry's place in the access log.
func AccessPosition(e AccessEntry) Position {
	return Position{Time: e.At, ID: strconv.FormatInt(e.ID, 10)}
}

func (s *Store) accessPage(ctx context.Context, f Filter, p Page) (args db.ListAccessParams, err error) {
	if args, err = s.accessArgs(ctx, f); err != nil {
		return args, err
	}
	args.Ascending = p.ascending()
	older, newer := p.bounds()
	if args.AfterTime, args.AfterID, err = timeAndNumber(older); err != nil {
		return args, err
	}
	args.NewerTime, args.NewerID, err = timeAndNumber(newer)
	return args, err
}

// timeAndNumber is timeAndID for a list whose items are named by numbers.
func timeAndNumber(p *Position) (*time.Time, *int64, error) {
	if p == nil {
		return nil, nil, nil
	}
	id, err := strconv.ParseInt(p.ID, 10, 64)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrPosition, err)
	}
	return &p.Time, &id, nil
}

func (s *Store) accessArgs(ctx context.Context, f Filter) (db.ListAccessParams, error) {
	args := db.ListAccessParams{
		Actions: f.Actions, Denied: f.Denied, Counts: f.Counts, FromTime: f.From, ToTime: f.To,
		Sessions: askingFor("sessionId", f.SessionIDs),
	}
	var deliveries []string
	for _, id := range f.DeliveryIDs {
		deliveries = append(deliveries, id.String())
	}
	args.Deliveries = askingFor("deliveryId", deliveries)
	if f.Tokens == nil {
		return args, nil
	}
	ids, err := read(ctx, s, s.queries.TokenIDs, f.Tokens)
	if err != nil {
		return args, known(err)
	}
	if len(ids) == 1 {
		args.TokenID = &ids[0]
		return args, nil
	}
	args.TokenIds = append([]int64{}, ids...) // never nil: nil would mean all
	return args, nil
}

// askingFor is the query of a request that asks for some ids; nil if there are none.
func askingFor(name string, ids []string) *string {
	if len(ids) == 0 {
		return nil
	}
	query := url.Values{name: ids}.Encode()
	return &query
}
