package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// Hold is a legal hold: what it covers is not removed while it is in force. All that
// it names must apply; what it does not name is nil, and applies to all.
type Hold struct {
	ID         uuid.UUID
	At         time.Time // when it was placed
	PlacedBy   string    // the token's name as it was then, or who was named on the command line
	Reason     string
	StoreID    *int64
	SessionID  *string
	CustomerID *string
	From, To   *time.Time // half-open: of what was received then, or happened then

	LiftedAt   *time.Time // nil: it is in force
	LiftedBy   *string
	LiftReason *string
}

// NewHold is a hold to be placed. What is zero is not named; something must be.
type NewHold struct {
	StoreID    *int64
	SessionID  string
	CustomerID string
	From, To   *time.Time
	Reason     string
}

// InputError says what is wrong with something that is to be written, in words that
// are safe to show.
type InputError struct {
	Field  string // as the API names it; "" is the thing as a whole
	Detail string
}

// Error makes InputError an error.
func (e *InputError) Error() string { return strings.TrimPrefix(e.Field+": "+e.Detail, ": ") }

// MaxReason is how many characters the reason of a hold may have.
const MaxReason = 2000

const maxNamed = 512 // bytes of an id that a hold names

// ErrLifted says that a hold was lifted before.
var ErrLifted = errors.New("the hold is lifted already")

// HeldError says that something is not removed, since it is on legal hold.
type HeldError struct{ Holds []Hold }

// Error names the holds.
func (e *HeldError) Error() string {
	texts := make([]string, len(e.Holds))
	for i, h := range e.Holds {
		texts[i] = fmt.Sprintf("%s, placed by %s: %s", h.ID, h.PlacedBy, h.Reason)
	}
	return "on legal hold " + strings.Join(texts, "; ")
}

// heldBy is nil if there are no holds.
func heldBy(holds []Hold) error {
	if len(holds) == 0 {
		return nil
	}
	return &HeldError{holds}
}

// Actor is who does something that only admins may: his name and what he sees, and the
// entry of the access log that is written together with what he does.
type Actor struct {
	Name   string
	Scope  Scope
	Access Access
}

func (n *NewHold) check() error {
	n.Reason = strings.TrimSpace(aifi.CleanText(n.Reason))
	n.SessionID, n.CustomerID = aifi.CleanText(n.SessionID), aifi.CleanText(n.CustomerID)
	switch {
	case n.StoreID == nil && n.SessionID == "" && n.CustomerID == "" && n.From == nil && n.To == nil:
		return &InputError{"", "A hold must name a store, a session, a customer or a time."}
	case n.From != nil && !Writable(*n.From):
		return &InputError{"from", "Its year must be 1 to 9999 in UTC."}
	case n.To != nil && !Writable(*n.To):
		return &InputError{"to", "Its year must be 1 to 9999 in UTC."}
	case n.From != nil && n.To != nil && !n.From.Before(*n.To):
		return &InputError{"to", "It must be later than from: the range is from inclusive to exclusive."}
	case len(n.SessionID) > maxNamed:
		return &InputError{"sessionId", fmt.Sprintf("It may have %d bytes.", maxNamed)}
	case len(n.CustomerID) > maxNamed:
		return &InputError{"customerId", fmt.Sprintf("It may have %d bytes.", maxNamed)}
	}
	return checkReason(n.Reason)
}

func checkReason(reason string) error {
	if reason == "" || utf8.RuneCountInString(reason) > MaxReason {
		return &InputError{"reason", fmt.Sprintf("It must be there, and may have %d characters.", MaxReason)}
	}
	return nil
}

// PlaceHold places a hold. It waits while something is being removed: what it covers
// and is there when it returns stays. ErrNotFound if the hold would reach beyond the
// stores that the actor sees, or an *InputError.
func (s *Store) PlaceHold(ctx context.Context, by Actor, n NewHold) (Hold, error) {
	if err := n.check(); err != nil {
		return Hold{}, err
	}
	if by.Scope.limited && (n.StoreID == nil || !by.Scope.Allows(*n.StoreID)) {
		return Hold{}, ErrNotFound
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Hold{}, fmt.Errorf("making the id of a hold: %w", err)
	}
	h := Hold{
		ID: id, PlacedBy: aifi.CleanText(by.Name), Reason: n.Reason, StoreID: n.StoreID, SessionID: orNil(n.SessionID), CustomerID: orNil(n.CustomerID),
		From: inMicroseconds(n.From), To: inMicroseconds(n.To),
	}
	err = pgx.BeginFunc(ctx, s.office, func(tx pgx.Tx) (err error) {
		h.At, err = s.queries.PlaceHold(ctx, tx, db.PlaceHoldParams{
			ID: h.ID, PlacedBy: h.PlacedBy, TokenID: by.Access.TokenID, Reason: h.Reason, StoreID: h.StoreID, SessionID: h.SessionID,
			CustomerID: h.CustomerID, FromTime: h.From, ToTime: h.To,
		})
		if err != nil {
			return err
		}
		if err := s.acts().add(ctx, tx, translog.Hold, h.ID); err != nil {
			return err
		}
		return s.logAct(ctx, tx, by, h.record())
	})
	return h, known(err)
}

// LiftHold lifts a hold, which stays in the list. ErrNotFound, ErrLifted, or an
// *InputError.
func (s *Store) LiftHold(ctx context.Context, by Actor, id uuid.UUID, reason string) (Hold, error) {
	reason = strings.TrimSpace(aifi.CleanText(reason))
	if err := checkReason(reason); err != nil {
		return Hold{}, err
	}
	if _, err := s.Hold(ctx, by.Scope, id); err != nil {
		return Hold{}, err
	}
	err := pgx.BeginFunc(ctx, s.office, func(tx pgx.Tx) error {
		lifted, err := s.queries.LiftHold(ctx, tx, db.LiftHoldParams{HoldID: id, LiftedBy: aifi.CleanText(by.Name), TokenID: by.Access.TokenID, Reason: reason})
		if err != nil {
			return err
		}
		if lifted == 0 {
			return ErrLifted
		}
		if err := s.acts().add(ctx, tx, translog.Lift, id); err != nil {
			return err
		}
		return s.logAct(ctx, tx, by, heldRecord{Lifted: &id, By: aifi.CleanText(by.Name), Reason: reason})
	})
	if errors.Is(err, ErrLifted) {
		return Hold{}, err
	}
	if err != nil {
		return Hold{}, known(err)
	}
	return s.holdOf(ctx, s.office, by.Scope, id)
}

// heldRecord is what the access log says of a hold that is placed or lifted.
type heldRecord struct {
	Placed     *uuid.UUID `json:"placed,omitempty"`
	Lifted     *uuid.UUID `json:"lifted,omitempty"`
	By         string     `json:"by"`
	StoreID    *int64     `json:"storeId,omitempty"`
	SessionID  *string    `json:"sessionId,omitempty"`
	CustomerID *string    `json:"customerId,omitempty"`
	From       *time.Time `json:"from,omitempty"`
	To         *time.Time `json:"to,omitempty"`
	Reason     string     `json:"reason"`
}

func (h Hold) record() heldRecord {
	return heldRecord{Placed: &h.ID, By: h.PlacedBy, StoreID: h.StoreID, SessionID: h.SessionID, CustomerID: h.CustomerID, From: h.From, To: h.To, Reason: h.Reason}
}

// logAct writes what an actor does, into the access log and so into the log.
func (s *Store) logAct(ctx context.Context, tx pgx.Tx, by Actor, what any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("describing what is done: %w", err)
	}
	by.Access.Detail = string(text)
	return s.insertAccess(ctx, tx, by.Access)
}

// Hold is one hold. ErrNotFound if there is none, or none that the scope sees.
func (s *Store) Hold(ctx context.Context, scope Scope, id uuid.UUID) (Hold, error) {
	return s.holdOf(ctx, s.reads, scope, id)
}

func (s *Store) holdOf(ctx context.Context, conn db.DBTX, scope Scope, id uuid.UUID) (Hold, error) {
	rows, err := s.queries.ListHolds(ctx, conn, db.ListHoldsParams{Ids: []uuid.UUID{id}, StoreIds: scope.restrict(nil)})
	switch {
	case err != nil:
		return Hold{}, known(err)
	case len(rows) == 0:
		return Hold{}, ErrNotFound
	}
	return holdOfRow(rows[0]), nil
}

// Holds is a page of holds, newest first. Whose scope is limited to some stores sees
// only those that name one of them.
func (s *Store) Holds(ctx context.Context, scope Scope, f Filter, p Page) ([]Hold, *Position, error) {
	args := holdArgs(scope, f)
	args.RowLimit = oneMore(p)
	var err error
	if args.AfterTime, args.AfterID, err = timeAndID(p.After); err != nil {
		return nil, nil, err
	}
	rows, err := s.queries.ListHolds(ctx, s.reads, args)
	if err != nil {
		return nil, nil, known(err)
	}
	holds := make([]Hold, len(rows))
	for i, r := range rows {
		holds[i] = holdOfRow(r)
	}
	holds, next := paged(holds, Page{Limit: p.Limit}, func(h Hold) Position { return Position{Time: h.At, ID: h.ID.String()} })
	return holds, next, nil
}

// ExportHolds gives all holds from one snapshot, newest first.
func (s *Store) ExportHolds(ctx context.Context, scope Scope, f Filter, each func(Hold) error) error {
	return s.export(ctx, func(tx pgx.Tx) error {
		return s.queries.StreamHolds(ctx, tx, holdArgs(scope, f), func(r db.Hold) error { return each(holdOfRow(r)) })
	})
}

func holdArgs(scope Scope, f Filter) db.ListHoldsParams {
	return db.ListHoldsParams{StoreIds: scope.restrict(f.StoreIDs), SessionIds: f.SessionIDs, CustomerIds: f.CustomerIDs, Lifted: f.Lifted}
}

func holdOfRow(r db.Hold) Hold {
	return Hold{
		ID: r.ID, At: r.PlacedAt, PlacedBy: r.PlacedBy, Reason: r.Reason, StoreID: r.StoreID, SessionID: r.SessionID, CustomerID: r.CustomerID,
		From: r.FromTime, To: r.ToTime, LiftedAt: r.LiftedAt, LiftedBy: r.LiftedBy, LiftReason: r.LiftReason,
	}
}

func inMicroseconds(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	rounded := t.UTC().Truncate(time.Microsecond)
	return &rounded
}
