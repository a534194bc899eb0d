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
	setSessionPage(&args, p)
	var rows []Session
	_, err = s.sessionParts(ctx, args, *oneMore(p), s.paging.share, func(args db.ListSessionsParams) (int64, error) {
		found, err := read(ctx, s, s.queries.ListSessions, args)
		rows = append(rows, found...)
		return int64(len(found)), err
	}, func(args *db.ListSessionsByFacetParams) (int64, error) {
		found, err := read(ctx, s, s.queries.SessionsByFacet, *args)
		for _, r := range found {
			rows = append(rows, Session(r))
			if args.Ascending {
				args.NewerTime, args.NewerStoreID, args.NewerSessionID = &r.FirstSeenAt, &r.StoreID, &r.SessionID
			} else {
				args.AfterTime, args.AfterStoreID, args.AfterSessionID = &r.FirstSeenAt, &r.StoreID, &r.SessionID
			}
		}
		return int64(len(found)), err
	})
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

// sessionParts has a list read up to a limit: as it is, or merged. Sessions are not
// divided by months, so that months are no parts of their list.
func (s *Store) sessionParts(ctx context.Context, args db.ListSessionsParams, limit int64, each rowsEach,
	list func(db.ListSessionsParams) (int64, error), merge func(*db.ListSessionsByFacetParams) (int64, error),
) (int64, error) {
	byFacet := args
	facet, values := takeSessionFacet(&byFacet)
	if s.paging.neverMerges {
		facet = ""
	}
	var merged scans
	if facet != "" {
		var err error
		if merged, err = s.eventScans(ctx, facet, args.StoreIds, values); err != nil || len(merged.stores) == 0 {
			return 0, err
		}
		if !merged.merges(facet) {
			facet, args.StoreIds = "", merged.stores
		}
	}
	parts := []part{{args.FromTime, args.ToTime, facet != ""}}
	if len(merged.stores) > 4*s.paging.mergesGladly { // a scan of one index, not of one for each month
		at, err := read(ctx, s, s.queries.SessionTimeAt, db.SessionTimeAtParams{
			FromTime: args.FromTime, ToTime: args.ToTime, AfterTime: args.AfterTime, NewerTime: args.NewerTime,
			Ascending: args.Ascending, RowsBefore: s.paging.looksThrough,
		})
		if err != nil {
			return 0, err
		}
		parts = lookingThrough(parts, at, args.Ascending)
	}
	return inParts(parts, limit, func(p part, limit int64) (int64, error) {
		if !p.merged {
			a := args
			a.FromTime, a.ToTime, a.RowLimit = p.from, p.to, &limit
			return list(a)
		}
		a := db.ListSessionsByFacetParams{
			StoreIds: merged.stores, FacetValues: merged.values, Facet: facet, FromTime: p.from, ToTime: p.to,
			AfterTime: args.AfterTime, AfterStoreID: args.AfterStoreID, AfterSessionID: args.AfterSessionID,
			NewerTime: args.NewerTime, NewerStoreID: args.NewerStoreID, NewerSessionID: args.NewerSessionID,
			Ascending: args.Ascending,
		}
		return inRounds(limit, each(limit, len(merged.stores)), func(each, limit int64) (int64, error) {
			a.RowsEach, a.RowLimit = each, &limit
			return merge(&a)
		})
	})
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
	setSessionPage(&args, p)
	total, err := s.sessionParts(ctx, args, atMost(p), whole, func(args db.ListSessionsParams) (int64, error) {
		return read(ctx, s, s.queries.CountSessionList, args)
	}, func(args *db.ListSessionsByFacetParams) (int64, error) {
		return read(ctx, s, s.queries.CountSessionListByFacet, *args)
	})
	return total, known(err)
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
	rows, err := read(ctx, s, s.queries.SessionTimeline, args)
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
