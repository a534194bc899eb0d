package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/aifi"
	"aifi-audit/store/bodycodec"
	"aifi-audit/store/internal/db"
)

// Found counts what is kept about a person.
type Found struct {
	Deliveries    int64      `json:"deliveries"` // whose bodies are there
	Mentions      int64      `json:"mentions"`   // of them, those that only reading all bodies found
	Events        int64      `json:"events"`
	Sessions      int64      `json:"sessions"`
	Customers     int64      `json:"customers"` // a row a store
	PersonalInfos int64      `json:"personalInfos"`
	Comments      int64      `json:"comments"` // of staff, on the events
	Refused       int64      `json:"refused"`
	AccessEntries int64      `json:"accessEntries"` // of the access log, that name him
	FirstAt       *time.Time `json:"firstReceivedAt"`
	LastAt        *time.Time `json:"lastReceivedAt"`
	Complete      bool       `json:"complete"` // whether all bodies and the access log were read

	// Identified are the events found by what the person gave of himself.
	Identified int64 `json:"identified,omitempty"`
}

// None reports whether there is nothing.
func (f Found) None() bool {
	return f.Deliveries+f.Events+f.Sessions+f.Customers+f.PersonalInfos+f.Comments+f.Refused+f.AccessEntries == 0
}

// Person is what is kept about a customer of AiFi's: a row of a table a field.
type Person struct {
	Whom
	Found       Found
	DeliveryIDs []uuid.UUID // sorted
	Holds       []Hold      // in force on any of it, the newest first
	Namesakes   []string    // other customers whom the retailer knows by the same id: not part of this
	Others      []string    // other customers whose personal info has an identifier of his: not part of this, but for what has it

	identity  aifi.Identity
	customers []db.Customer
	sessions  []db.PersonSessionsRow
	events    []db.PersonEventsRow
	bodies    []deliveryKey
	refused   []deliveryKey // their stores are not known
	entries   []db.AccessLog

	identifiedEvents int64
}

// Mentions reports whether a body names the person.
func (p *Person) Mentions(body []byte) bool { return p.identity.Mentions(body) }

type deliveryKey struct {
	storeID    int64
	receivedAt time.Time
	id         uuid.UUID
}

// FindPerson finds what is kept about a customer: what names him; what his sessions
// have beside, unless it names another; and events of a shopper whom only his sessions
// know. What names him is AiFi's id of him, and personal info with one of his
// identifiers. With everything it also reads all bodies, what was refused, and the
// access log for what mentions him: that takes its time, of which progress is told in
// bodies read. A body that cannot be read any more is ErrAltered: nobody knows whether
// it mentions him. It needs memory for his keys, not for his bodies.
func (s *Store) FindPerson(ctx context.Context, whom Whom, everything bool, progress func(bodies int64)) (Person, error) {
	var conn db.DBTX = s.reads
	if everything {
		conn = s.office // has no time limit
	}
	p, err := s.findPerson(ctx, conn, whom)
	if err == nil && everything {
		err = s.findMentions(ctx, conn, &p, progress)
	}
	if err == nil {
		err = s.findHolds(ctx, conn, &p)
	}
	return p, known(err)
}

// heldAtOnce is for how many deliveries holds are looked for at once.
const heldAtOnce = 1000

// findHolds finds the holds in force on anything of a person.
func (s *Store) findHolds(ctx context.Context, conn db.DBTX, p *Person) error {
	keys := p.eventKeys()
	stores, sessions := p.sessionKeys()
	ids, err := s.queries.HoldsOfPerson(ctx, conn, db.HoldsOfPersonParams{
		CustomerID: p.CustomerID, StoreIds: keys.StoreIds, Kinds: keys.Kinds, Times: keys.Times, Ids: keys.Ids, SessionStores: stores, SessionIds: sessions,
	})
	if err != nil {
		return fmt.Errorf("finding holds on a person: %w", err)
	}
	for part := range slices.Chunk(p.DeliveryIDs, heldAtOnce) {
		held, err := s.holdsOfDeliveries(ctx, conn, part)
		if err != nil {
			return fmt.Errorf("finding holds on deliveries: %w", err)
		}
		for _, holds := range held {
			for _, h := range holds {
				ids = append(ids, h.ID)
			}
		}
	}
	p.Holds, err = s.holdsByID(ctx, conn, ids)
	return err
}

// findPerson follows the rows.
func (s *Store) findPerson(ctx context.Context, conn db.DBTX, whom Whom) (p Person, err error) {
	p.Whom = whom
	if p.sessions, err = s.queries.PersonSessions(ctx, conn, p.CustomerID); err != nil {
		return p, fmt.Errorf("finding a person's sessions: %w", err)
	}
	if !p.None() {
		if err := s.identified(ctx, conn, &p); err != nil {
			return p, err
		}
	}
	p.sessions = eachOnce(p.sessions)
	stores, sessions := p.sessionKeys()
	events, err := s.queries.PersonEvents(ctx, conn, db.PersonEventsParams{CustomerID: p.CustomerID, StoreIds: stores, SessionIds: sessions})
	if err != nil {
		return p, fmt.Errorf("finding a person's events: %w", err)
	}
	p.events = eachOnce(append(p.events, events...))
	keys := p.eventKeys()
	args := db.PersonDeliveriesParams{
		EventStoreIds: keys.StoreIds, EventKinds: keys.Kinds, EventTimes: keys.Times, EventIds: keys.Ids,
		StoreIds: stores, SessionIds: sessions, CustomerID: p.CustomerID,
	}
	for _, e := range p.events {
		args.ReceivedAts, args.DeliveryIds = append(args.ReceivedAts, e.ReceivedAt), append(args.DeliveryIds, e.DeliveryID)
	}
	bodies, err := s.queries.PersonDeliveries(ctx, conn, args)
	if err != nil {
		return p, fmt.Errorf("finding a person's deliveries: %w", err)
	}
	for _, b := range bodies {
		p.bodies = append(p.bodies, deliveryKey{b.StoreID, b.ReceivedAt, b.ID})
	}
	if p.customers, err = s.queries.PersonCustomers(ctx, conn, p.CustomerID); err != nil {
		return p, fmt.Errorf("finding a person's customer rows: %w", err)
	}
	if p.Namesakes, err = s.queries.PersonNamesakes(ctx, conn, p.CustomerID); err != nil {
		return p, fmt.Errorf("finding namesakes of a person: %w", err)
	}
	if err := s.identify(ctx, conn, &p); err != nil {
		return p, err
	}
	counts, err := s.queries.CountPersonRows(ctx, conn, db.CountPersonRowsParams(keys))
	if err != nil {
		return p, fmt.Errorf("counting a person's rows: %w", err)
	}
	p.Found = Found{
		Events: int64(len(p.events)), Sessions: int64(len(p.sessions)), Customers: int64(len(p.customers)),
		PersonalInfos: counts.PersonalInfos, Comments: counts.Comments, Identified: p.identifiedEvents,
	}
	p.countDeliveries()
	return p, nil
}

// identify collects what names a person.
func (s *Store) identify(ctx context.Context, conn db.DBTX, p *Person) error {
	keys := p.eventKeys()
	rows, err := s.queries.PersonIdentifiers(ctx, conn, db.PersonIdentifiersParams{
		CustomerID: p.CustomerID, StoreIds: keys.StoreIds, Kinds: keys.Kinds, Times: keys.Times, Ids: keys.Ids,
	})
	if err != nil {
		return fmt.Errorf("finding what names a person: %w", err)
	}
	p.identity.Identifiers = p.Normal()
	if p.CustomerID != "" {
		p.identity.IDs = []string{p.CustomerID}
	}
	for _, r := range rows {
		switch r.Kind {
		case "id":
			p.identity.IDs = append(p.identity.IDs, r.Value)
		case "metadata":
			p.identity.Other = append(p.identity.Other, aifi.IdentifiersIn([]byte(r.Value))...)
		default:
			p.identity.Other = append(p.identity.Other, r.Value)
		}
	}
	p.identity.Other = aifi.Telling(p.identity.Other)
	return nil
}

// findMentions reads everything that can hold text of a person.
func (s *Store) findMentions(ctx context.Context, conn db.DBTX, p *Person, progress func(int64)) error {
	known := make(map[uuid.UUID]bool, len(p.bodies))
	for _, b := range p.bodies {
		known[b.id] = true
	}
	texts := p.identity.Needles()
	var needles [][]byte
	for _, n := range texts {
		needles = append(needles, []byte(n))
	}
	var read int64
	var room bodycodec.Room
	err := db.Each(ctx, conn, s.queries.AllBodies, func(r *db.RawRow) error {
		if read++; progress != nil {
			progress(read)
		}
		b := deliveryKey{r.Int64(), r.Time(), r.UUID()}
		stored, encoding := r.Bytes(), r.Int16()
		body, err := room.Decode(encoding, stored, bodycodec.MaxSize)
		if err != nil {
			return fmt.Errorf("the body of delivery %s: %w: %w", b.id, ErrAltered, err)
		}
		if !known[b.id] && hasOneOf(needles, body) && p.identity.Mentions(body) {
			p.bodies = append(p.bodies, b)
			p.Found.Mentions++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading bodies: %w", err)
	}
	err = s.queries.StreamMentioningRefused(ctx, conn, func(r db.MentioningRefusedRow) error {
		if p.identity.Mentions(r.Body) {
			p.refused = append(p.refused, deliveryKey{receivedAt: r.ReceivedAt, id: r.DeliveryID})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading what was refused: %w", err)
	}
	err = s.queries.StreamMentioningAccess(ctx, conn, texts, func(e db.AccessLog) error {
		if _, named := p.redacted(e); named {
			p.entries = append(p.entries, e)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the access log: %w", err)
	}
	p.Found.Refused, p.Found.AccessEntries, p.Found.Complete = int64(len(p.refused)), int64(len(p.entries)), true
	p.countDeliveries()
	return nil
}

// hasOneOf reports whether one of the needles is in a body; true if there are none.
func hasOneOf(needles [][]byte, body []byte) bool {
	return needles == nil || slices.ContainsFunc(needles, func(n []byte) bool { return bytes.Contains(body, n) })
}

// countDeliveries brings the deliveries into order, and what is told of them up to date.
func (p *Person) countDeliveries() {
	slices.SortFunc(p.bodies, func(a, b deliveryKey) int { return slices.Compare(a.id[:], b.id[:]) })
	p.DeliveryIDs = make([]uuid.UUID, len(p.bodies))
	for i, b := range p.bodies {
		p.DeliveryIDs[i] = b.id
		if p.Found.FirstAt == nil || b.receivedAt.Before(*p.Found.FirstAt) {
			p.Found.FirstAt = &b.receivedAt
		}
		if p.Found.LastAt == nil || b.receivedAt.After(*p.Found.LastAt) {
			p.Found.LastAt = &b.receivedAt
		}
	}
	p.Found.Deliveries = int64(len(p.bodies))
}

func (p *Person) sessionKeys() (stores []int64, sessions []string) {
	for _, s := range p.sessions {
		stores, sessions = append(stores, s.StoreID), append(sessions, s.SessionID)
	}
	return stores, sessions
}

// eachOnce are rows without those that stand there before.
func eachOnce[T comparable](rows []T) []T {
	seen := make(map[T]bool, len(rows))
	return slices.DeleteFunc(rows, func(r T) bool {
		was := seen[r]
		seen[r] = true
		return was
	})
}

// eventKeys are the keys of events, as many statements take them.
type eventKeys struct {
	StoreIds []int64 //nolint:revive // as sqlc names them
	Kinds    []string
	Times    []time.Time
	Ids      []uuid.UUID //nolint:revive // as sqlc names them
}

func (p *Person) eventKeys() eventKeys { return eventKeysOf(p.events) }

// eventKeysOf are the keys of events, each once.
func eventKeysOf(events []db.PersonEventsRow) (k eventKeys) {
	for _, e := range eachOnce(slices.Clone(events)) {
		k.StoreIds, k.Kinds = append(k.StoreIds, e.StoreID), append(k.Kinds, e.Kind)
		k.Times, k.Ids = append(k.Times, e.OccurredAt), append(k.Ids, e.ID)
	}
	return k
}
