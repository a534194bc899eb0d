package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
)

// Kind of an event.
type Kind = aifi.Kind

// The kinds of event.
const (
	AlcoholInteraction = aifi.AlcoholInteraction
	FraudAlert         = aifi.FraudAlert
	Registration       = aifi.Registration
	Other              = aifi.Other
)

// Event is what one or more deliveries state. Pointers are nil where they say nothing.
type Event struct {
	ID              uuid.UUID // the same facts have the same id
	Kind            Kind
	Webhook         string
	DeliveryID      uuid.UUID // the first that stated it
	EventID         *string   // AiFi's
	StoreID         int64
	StoreExternalID *string
	SessionID       *string
	CustomerID      *string
	ShopperID       *string
	OccurredAt      time.Time
	OccurredAtKnown bool // else OccurredAt is ReceivedAt
	IssuedAt        *time.Time
	ReceivedAt      time.Time
	Flags           []string
	ProductIDs      []string
	GondolaIDs      []string
	PaymentProvider *string
	TokenType       *string
	CheckInDeviceID *string
	Unreadable      []string
	PersonalInfo    PersonalInfo // of registrations
	Review          Review
}

// PersonalInfo is what a registration says of a person.
type PersonalInfo struct {
	Email, FirstName, LastName, Phone, PhoneNumber *string
}

// Review is what the notes of an event come to.
type Review struct {
	Disposition   *Disposition // the newest; nil if there is none
	DispositionAt *time.Time
	DispositionBy *string // the token's name, as it was then
	Notes         int64
}

func eventOf(r db.ListEventsRow) Event {
	return Event{
		ID: r.ID, Kind: Kind(r.Kind), Webhook: r.Webhook, DeliveryID: r.DeliveryID, EventID: r.EventID,
		StoreID: r.StoreID, StoreExternalID: r.StoreExternalID, SessionID: r.SessionID, CustomerID: r.CustomerID,
		ShopperID: r.ShopperID, OccurredAt: r.OccurredAt, OccurredAtKnown: r.OccurredAtKnown, IssuedAt: r.IssuedAt,
		ReceivedAt: r.ReceivedAt, Flags: r.Flags, ProductIDs: r.ProductIds, GondolaIDs: r.GondolaIds,
		PaymentProvider: r.PaymentProvider, TokenType: r.TokenType, CheckInDeviceID: r.CheckInDeviceID, Unreadable: r.Unreadable,
		PersonalInfo: PersonalInfo{r.Email, r.FirstName, r.LastName, r.Phone, r.PhoneNumber},
		Review:       Review{(*Disposition)(r.Disposition), r.DispositionAt, r.DispositionBy, r.Notes},
	}
}

// Position is the event's place in the lists of its kind.
func (e Event) Position() Position { return Position{Time: e.OccurredAt, ID: e.ID.String()} }

// Events is a page of the events of one kind, newest first.
func (s *Store) Events(ctx context.Context, scope Scope, kind Kind, f Filter, p Page) ([]Event, *Position, error) {
	args, none, err := s.eventArgs(ctx, scope, kind, f, p)
	if err != nil || none {
		return nil, nil, err
	}
	var rows []db.ListEventsRow
	_, err = s.eventParts(ctx, args, *oneMore(p), s.paging.share, func(args db.ListEventsParams) (int64, error) {
		found, err := read(ctx, s, s.queries.ListEvents, args)
		rows = append(rows, found...)
		return int64(len(found)), err
	}, func(args *db.ListEventsByFacetParams) (int64, error) {
		found, err := read(ctx, s, s.queries.EventsByFacet, *args)
		for _, r := range found {
			rows = append(rows, db.ListEventsRow(r))
			if args.Ascending {
				args.NewerTime, args.NewerID = &r.OccurredAt, &r.ID
			} else {
				args.AfterTime, args.AfterID = &r.OccurredAt, &r.ID
			}
		}
		return int64(len(found)), err
	})
	if err != nil {
		return nil, nil, known(err)
	}
	events := make([]Event, len(rows))
	for i, r := range rows {
		events[i] = eventOf(r)
	}
	events, next := paged(events, p, Event.Position)
	return events, next, nil
}

// CountEvents counts what Events would give, at most p.Limit unless that is 0. Its cost is what it counts.
func (s *Store) CountEvents(ctx context.Context, scope Scope, kind Kind, f Filter, p Page) (int64, error) {
	args, none, err := s.eventArgs(ctx, scope, kind, f, p)
	if err != nil || none {
		return 0, err
	}
	total, err := s.eventParts(ctx, args, atMost(p), whole, func(args db.ListEventsParams) (int64, error) {
		return read(ctx, s, s.queries.CountEventList, args)
	}, func(args *db.ListEventsByFacetParams) (int64, error) {
		return read(ctx, s, s.queries.CountEventListByFacet, *args)
	})
	return total, known(err)
}

// ExportEvents gives all events of one kind from one snapshot, newest first unless the
// filter says otherwise.
func (s *Store) ExportEvents(ctx context.Context, scope Scope, kind Kind, f Filter, each func(Event) error) error {
	args, none, err := s.eventArgs(ctx, scope, kind, f, Page{OldestFirst: f.OldestFirst})
	if err != nil || none {
		return err
	}
	return s.export(ctx, func(tx pgx.Tx) error {
		return s.queries.StreamEvents(ctx, tx, args, func(r db.ListEventsRow) error { return each(eventOf(r)) })
	})
}

// eventArgs makes a filter the arguments of ListEvents; none says that nothing can match.
func (s *Store) eventArgs(ctx context.Context, scope Scope, kind Kind, f Filter, p Page) (args db.ListEventsParams, none bool, err error) {
	stores, err := s.stores(ctx, scope, f)
	if err != nil {
		return args, false, err
	}
	args = db.ListEventsParams{
		Kind: string(kind), StoreIds: stores, StoreExternalIds: f.StoreExternalIDs, SessionIds: f.SessionIDs,
		CustomerIds: f.CustomerIDs, ProductIds: f.ProductIDs, GondolaIds: f.GondolaIDs, Flags: f.Flags,
		FromTime: f.From, ToTime: f.To, Ascending: p.ascending(),
	}
	args.Dispositions, args.Unmarked = f.marks()
	older, newer := p.bounds()
	if args.AfterTime, args.AfterID, err = timeAndID(older); err != nil {
		return args, false, err
	}
	if args.NewerTime, args.NewerID, err = timeAndID(newer); err != nil {
		return args, false, err
	}
	return args, stores != nil && len(stores) == 0, nil
}

// takeFacet chooses the ordered way into the events, and takes its values out of the
// filters; "" if there is none. The rarest come first. By session or customer, who have few events, none is
// needed.
func takeFacet(a *db.ListEventsParams) (facet string, values []string) {
	switch {
	case a.SessionIds != nil || a.CustomerIds != nil:
		return "", nil
	case a.ProductIds != nil:
		facet, values, a.ProductIds = "product", a.ProductIds, nil
	case a.GondolaIds != nil:
		facet, values, a.GondolaIds = "gondola", a.GondolaIds, nil
	case a.Dispositions != nil && !a.Unmarked:
		facet, values, a.Dispositions = "disposition", a.Dispositions, nil
	case a.Flags != nil:
		facet, values, a.Flags = "flag", a.Flags, nil
	case a.StoreIds != nil:
		facet, values = "store", []string{""}
	}
	return facet, values
}

// eventParts has a list read part by part, up to a limit: as it is, or merged.
func (s *Store) eventParts(ctx context.Context, args db.ListEventsParams, limit int64, each rowsEach,
	list func(db.ListEventsParams) (int64, error), merge func(*db.ListEventsByFacetParams) (int64, error),
) (int64, error) {
	byFacet := args
	facet, values := takeFacet(&byFacet)
	if s.paging.neverMerges {
		facet = ""
	}
	var merged scans
	if facet != "" {
		var err error
		if merged, err = s.eventScans(ctx, facet, args.StoreIds, values); err != nil || len(merged.stores) == 0 {
			return 0, err
		}
		// Then the planner sees no partitions of months to come, nor of those before.
		if args.FromTime == nil || merged.since.After(*args.FromTime) {
			args.FromTime = &merged.since
		}
		if args.ToTime == nil || merged.until.Before(*args.ToTime) {
			args.ToTime = &merged.until
		}
		// Of those with no disposition the planner takes there to be few, and sorts them all.
		if !merged.merges(facet) && args.Dispositions == nil {
			facet, args.StoreIds = "", merged.stores
		}
	}
	span := part{args.FromTime, args.ToTime, facet != ""}
	parts := []part{span}
	if args.SessionIds == nil && args.CustomerIds == nil {
		parts = partsOf(span, startOf(span, args.AfterTime, args.NewerTime, args.Ascending), args.Ascending, s.now())
	}
	// Those with a disposition are few, and have an index that has no months.
	if len(merged.stores) > s.paging.mergesGladly && (args.Dispositions == nil || args.Unmarked) {
		at, err := read(ctx, s, s.queries.EventTimeAt, db.EventTimeAtParams{
			Kind: args.Kind, FromTime: parts[0].from, ToTime: parts[0].to, AfterTime: args.AfterTime, NewerTime: args.NewerTime,
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
		a := facetArgs(facet, merged, byFacet)
		a.FromTime, a.ToTime = p.from, p.to
		return inRounds(limit, each(limit, len(merged.stores)), func(each, limit int64) (int64, error) {
			a.RowsEach, a.RowLimit = each, &limit
			return merge(&a)
		})
	})
}

func facetArgs(facet string, merged scans, a db.ListEventsParams) db.ListEventsByFacetParams {
	// Only the unknown store, 0, can be one of several.
	if !slices.Contains(merged.stores, 0) {
		a.StoreExternalIds = nil
	}
	return db.ListEventsByFacetParams{
		StoreIds: merged.stores, FacetValues: merged.values, Facet: facet, Kind: a.Kind,
		StoreExternalIds: a.StoreExternalIds, GondolaIds: a.GondolaIds, Flags: a.Flags, Dispositions: a.Dispositions,
		AfterTime: a.AfterTime, AfterID: a.AfterID, NewerTime: a.NewerTime, NewerID: a.NewerID, Ascending: a.Ascending,
	}
}
