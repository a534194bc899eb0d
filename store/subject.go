package store

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
)

const (
	rowsAtOnce   = 500
	bodiesAtOnce = 16
)

// CustomerRecord is what a store has of a customer beside events.
type CustomerRecord struct {
	StoreID     int64
	CustomerID  string
	ExternalID  *string // the retailer's id
	Role        *string
	Metadata    []byte // JSON; nil if there is none
	FirstSeenAt time.Time
	LastSeenAt  time.Time
}

// Records are what stores have of the person beside events, a record a store.
func (p *Person) Records() []CustomerRecord {
	records := make([]CustomerRecord, len(p.customers))
	for i, c := range p.customers {
		records[i] = CustomerRecord(c)
	}
	return records
}

// EachEvent gives the events of a person, by store and time, with their personal info.
func (s *Store) EachEvent(ctx context.Context, p *Person, each func(Event) error) error {
	for part := range slices.Chunk(p.events, rowsAtOnce) {
		rows, err := s.queries.EventsByKeys(ctx, s.reads, db.EventsByKeysParams(eventKeysOf(part)))
		if err != nil {
			return known(err)
		}
		for _, r := range rows {
			if err := each(eventOf(db.ListEventsRow(r))); err != nil {
				return err
			}
		}
	}
	return nil
}

// EachSession gives the sessions of a person.
func (s *Store) EachSession(ctx context.Context, p *Person, each func(Session) error) error {
	for part := range slices.Chunk(p.sessions, rowsAtOnce) {
		f := Filter{}
		for _, k := range part {
			f.SessionIDs = append(f.SessionIDs, k.SessionID)
		}
		err := s.ExportSessions(ctx, Scope{}, f, func(x Session) error {
			if !slices.Contains(part, db.PersonSessionsRow{StoreID: x.StoreID, SessionID: x.SessionID}) {
				return nil // of another store
			}
			if x.CustomerID != nil && *x.CustomerID != p.CustomerID { // since then it was another's
				x.CustomerID, x.CustomerPaymentInstrumentID, x.Metadata = nil, nil, nil
			}
			return each(x)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// EachDelivery gives the deliveries about a person, in the order of their receipt.
func (s *Store) EachDelivery(ctx context.Context, p *Person, each func(KeptDelivery) error) error {
	for part := range slices.Chunk(p.DeliveryIDs, rowsAtOnce) {
		args := db.DeliveriesByKeysParams{ID: part}
		for _, id := range part {
			args.ReceivedAt = append(args.ReceivedAt, ReceivedAt(id))
		}
		rows, err := s.queries.DeliveriesByKeys(ctx, s.reads, args)
		if err != nil {
			return known(err)
		}
		for _, r := range rows {
			if err := each(keptDelivery(db.ListDeliveriesRow(r))); err != nil {
				return err
			}
		}
	}
	return nil
}

// EachBody gives the bodies of the deliveries about a person, a few of which are held at
// a time. ErrAltered if one is not what was received.
func (s *Store) EachBody(ctx context.Context, p *Person, each func(id uuid.UUID, body []byte) error) error {
	for part := range slices.Chunk(p.DeliveryIDs, bodiesAtOnce) {
		bodies, err := s.Bodies(ctx, Scope{}, part, 1<<62)
		if err != nil {
			return err
		}
		for _, id := range part {
			body, ok := bodies[id]
			if !ok {
				continue // erased or dropped meanwhile
			}
			if body.Altered {
				return fmt.Errorf("delivery %s: %w", id, ErrAltered)
			}
			if err := each(id, body.Bytes); err != nil {
				return err
			}
		}
	}
	return nil
}

// EachComment gives the notes of staff on the events of a person.
func (s *Store) EachComment(ctx context.Context, p *Person, each func(Note) error) error {
	for part := range slices.Chunk(p.events, rowsAtOnce) {
		f := Filter{}
		for _, e := range part {
			f.EventIDs = append(f.EventIDs, e.ID)
		}
		if err := s.ExportNotes(ctx, Scope{}, f, each); err != nil {
			return err
		}
	}
	return nil
}

// Look is a look of staff at what is kept about a person.
type Look struct {
	At     time.Time
	Reader int // who: a number, since the names of staff are theirs
	Action string
	What   string // by what the person was looked at
	Status int
}

// EachLook gives the looks of staff at what is kept about a person, oldest first: those
// that name him, and those at one of his sessions or deliveries. It reads the whole access
// log. Lists of many people that had him in them are not told apart.
func (s *Store) EachLook(ctx context.Context, p *Person, each func(Look) error) error {
	seen := p.seen()
	readers := map[int64]int{}
	tx, err := beginExport(ctx, s.reads)
	if err != nil {
		return known(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	return known(s.queries.StreamMentioningAccess(ctx, tx, nil, func(e db.AccessLog) error {
		what := seen.what(e.Path)
		if _, named := p.redacted(e); named {
			what = "customer"
		}
		if what == "" {
			return nil
		}
		if readers[e.TokenID] == 0 {
			readers[e.TokenID] = len(readers) + 1
		}
		return each(Look{At: e.At, Reader: readers[e.TokenID], Action: e.Action, What: what, Status: int(db.OrZero(e.Status))})
	}))
}

// seenPaths are the places at which a person can be looked at.
type seenPaths map[string]map[string]bool

func (p *Person) seen() seenPaths {
	s := seenPaths{"deliveries": {}, "quarantine": {}, "sessions": {}}
	for _, id := range p.DeliveryIDs {
		s["deliveries"][id.String()], s["quarantine"][id.String()] = true, true
	}
	for _, k := range p.sessions {
		s["sessions"][k.SessionID] = true
	}
	return s
}

// what tells what of a person is at a path; "" if nothing is.
func (s seenPaths) what(path string) string {
	parts := strings.Split(path, "/")
	for i := 1; i < len(parts); i++ {
		id, err := url.PathUnescape(parts[i])
		if err == nil && s[parts[i-1]][id] {
			if parts[i-1] == "sessions" {
				return "session"
			}
			return "delivery"
		}
	}
	return ""
}
