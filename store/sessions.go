package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store/internal/db"
)

// Session is the newest state of a shopping session.
type Session = db.ListSessionsRow

// Sessions is a page of sessions, newest first by the time first seen.
func (s *Store) Sessions(ctx context.Context, scope Scope, f Filter, p Page) ([]Session, *Position, error) {
	args, err := s.sessionArgs(ctx, scope, f)
	if err != nil {
		return nil, nil, err
	}
	args.RowLimit = oneMore(p)
	setSessionPage(&args, p)
	var rows []Session
	if facet, values := takeSessionFacet(&args); facet != "" {
		rows, err = s.sessionsByFacet(ctx, facet, values, args)
	} else {
		rows, err = s.queries.ListSessions(ctx, s.reads, args)
	}
	if err != nil {
		return nil, nil, known(err)
	}
	rows, next := paged(rows, p, SessionPosition)
	return rows, next, nil
}

// takeSessionFacet is takeFacet for sessions.
func takeSessionFacet(a *db.ListSessionsParams) (facet string, values []string) {
	switch {
	case a.SessionIds != nil || a.CustomerIds != nil:
		return "", nil
	case a.Flags != nil:
		facet, values, a.Flags = "flag", a.Flags, nil
	case a.StoreIds != nil:
		facet, values = "store", []string{""}
	}
	return facet, values
}

func (s *Store) sessionsByFacet(ctx context.Context, facet string, values []string, a db.ListSessionsParams) ([]Session, error) {
	args, err := s.sessionFacetArgs(ctx, facet, values, a)
	if err != nil {
		return nil, err
	}
	found, err := s.queries.ListSessionsByFacet(ctx, s.reads, args)
	rows := make([]Session, len(found))
	for i, r := range found {
		rows[i] = Session(r)
	}
	return rows, err
}

func (s *Store) sessionFacetArgs(ctx context.Context, facet string, values []string, a db.ListSessionsParams) (db.ListSessionsByFacetParams, error) {
	stores, err := s.orAllStores(ctx, a.StoreIds)
	return db.ListSessionsByFacetParams{
		StoreIds: stores, FacetValues: distinctOf(values), Facet: facet, FromTime: a.FromTime, ToTime: a.ToTime,
		AfterTime: a.AfterTime, AfterStoreID: a.AfterStoreID, AfterSessionID: a.AfterSessionID,
		NewerTime: a.NewerTime, NewerStoreID: a.NewerStoreID, NewerSessionID: a.NewerSessionID, Ascending: a.Ascending, RowLimit: a.RowLimit,
	}, err
}

// SessionPosition is a session's place in the list.
func SessionPosition(r Session) Position {
	return Position{Time: r.FirstSeenAt, StoreID: r.StoreID, ID: r.SessionID}
}

func setSessionPage(args *db.ListSessionsParams, p Page) {
	args.Ascending = p.ascending()
	older, newer := p.bounds()
	if older != nil {
		args.AfterTime, args.AfterStoreID, args.AfterSessionID = &older.Time, &older.StoreID, &older.ID
	}
	if newer != nil {
		args.NewerTime, args.NewerStoreID, args.NewerSessionID = &newer.Time, &newer.StoreID, &newer.ID
	}
}

// CountSessions counts what Sessions would give, at most p.Limit unless that is 0.
func (s *Store) CountSessions(ctx context.Context, scope Scope, f Filter, p Page) (int64, error) {
	args, err := s.sessionArgs(ctx, scope, f)
	if err != nil {
		return 0, err
	}
	args.RowLimit = atMost(p)
	setSessionPage(&args, p)
	facet, values := takeSessionFacet(&args)
	if facet == "" {
		n, err := s.queries.CountSessionList(ctx, s.reads, args)
		return n, known(err)
	}
	byFacet, err := s.sessionFacetArgs(ctx, facet, values, args)
	if err != nil {
		return 0, known(err)
	}
	n, err := s.queries.CountSessionListByFacet(ctx, s.reads, byFacet)
	return n, known(err)
}

// ExportSessions gives all sessions from one snapshot, newest first unless the filter
// says otherwise.
func (s *Store) ExportSessions(ctx context.Context, scope Scope, f Filter, each func(Session) error) error {
	args, err := s.sessionArgs(ctx, scope, f)
	if err != nil {
		return err
	}
	args.Ascending = f.OldestFirst
	return s.export(ctx, func(tx pgx.Tx) error { return s.queries.StreamSessions(ctx, tx, args, each) })
}

func (s *Store) sessionArgs(ctx context.Context, scope Scope, f Filter) (db.ListSessionsParams, error) {
	stores, err := s.stores(ctx, scope, f)
	return db.ListSessionsParams{
		StoreIds: stores, SessionIds: f.SessionIDs, CustomerIds: f.CustomerIDs, Flags: f.Flags, FromTime: f.From, ToTime: f.To,
	}, err
}

// Timeline is a page of what is known of a session, in the order in which it happened.
func (s *Store) Timeline(ctx context.Context, scope Scope, storeID int64, sessionID string, p Page) ([]Event, *Position, error) {
	if !scope.Allows(storeID) {
		return nil, nil, ErrNotFound
	}
	args := db.SessionTimelineParams{StoreID: storeID, SessionID: sessionID, RowLimit: int32(min(p.Limit, 10_000)) + 1} //nolint:gosec // bounded
	if p.After != nil {
		id, err := p.After.uuid()
		if err != nil {
			return nil, nil, err
		}
		args.AfterTime, args.AfterID = &p.After.Time, id
	}
	rows, err := s.queries.SessionTimeline(ctx, s.reads, args)
	if err != nil {
		return nil, nil, known(err)
	}
	events := make([]Event, len(rows))
	for i, r := range rows {
		events[i] = eventOf(db.ListEventsRow(r))
	}
	events, next := paged(events, Page{Limit: p.Limit}, Event.Position)
	return events, next, nil
}
