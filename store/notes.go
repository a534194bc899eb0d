package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// Disposition is what staff make of an event.
type Disposition string

// The dispositions. Unmarked stands in filters and counts for events without any.
const (
	Confirmed   Disposition = "confirmed"
	FalseAlarm  Disposition = "false_alarm"
	UnderReview Disposition = "under_review"
	Unmarked    Disposition = "none"
)

// Dispositions are those that an event can be given.
var Dispositions = []Disposition{Confirmed, FalseAlarm, UnderReview}

// MaxComment is how many characters a comment may have.
const MaxComment = 4000

// Note is what a member of staff noted of an event. Notes are never changed.
type Note struct {
	ID          uuid.UUID
	StoreID     int64
	Kind        Kind
	EventID     uuid.UUID // Event.ID
	OccurredAt  time.Time // of the event
	SessionID   *string   // of the event
	DeliveryID  uuid.UUID // by which the event was named
	At          time.Time
	TokenID     int64
	TokenName   string       // as it was then
	Disposition *Disposition // nil: only a comment
	Comment     *string
}

// NewNote is a note to be made: a disposition, a comment, or both.
type NewNote struct {
	DeliveryID  uuid.UUID   // any that states the event
	Disposition Disposition // "" leaves it as it is
	Comment     string      // "" is none
}

// ErrNoEvent says that a delivery states nothing that can be reviewed.
var ErrNoEvent = errors.New("the delivery states no alcohol interaction, fraud alert or registration")

// check cleans a note's comment, and says what is wrong with it.
func (n *NewNote) check() error {
	n.Comment = aifi.CleanText(n.Comment)
	if strings.TrimSpace(n.Comment) == "" {
		n.Comment = ""
	}
	switch {
	case n.Disposition == "" && n.Comment == "":
		return &InputError{"", "A note needs a disposition, a comment, or both."}
	case n.Disposition != "" && !slices.Contains(Dispositions, n.Disposition):
		return &InputError{"disposition", "It must be confirmed, false_alarm or under_review."}
	case utf8.RuneCountInString(n.Comment) > MaxComment:
		return &InputError{"comment", fmt.Sprintf("It may have %d characters.", MaxComment)}
	}
	return nil
}

// AddNote makes a note of the event that a delivery states, in the name of a token.
// Of notes that are made at the same time the later one gives the event its
// disposition, and all stay. ErrNotFound if the token may not see the event,
// ErrNoEvent if the delivery states none, or an *InputError.
func (s *Store) AddNote(ctx context.Context, by Token, n NewNote) (Note, error) {
	if err := n.check(); err != nil {
		return Note{}, err
	}
	e, err := s.reviewed(ctx, by.Scope(), n.DeliveryID)
	if err != nil {
		return Note{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Note{}, fmt.Errorf("making the id of a note: %w", err)
	}
	row := db.ListNotesRow{
		StoreID: *e.StoreID, ID: id, Kind: *e.Kind, OccurredAt: *e.OccurredAt, EventID: *e.ID, DeliveryID: n.DeliveryID,
		TokenID: by.ID, TokenName: by.Name, SessionID: e.SessionID,
		Disposition: orNil(string(n.Disposition)), Comment: orNil(n.Comment),
	}
	err = pgx.BeginFunc(ctx, s.office, func(tx pgx.Tx) (err error) {
		row.At, err = s.queries.ReviewEvent(ctx, tx, db.ReviewEventParams{
			StoreID: row.StoreID, Kind: row.Kind, OccurredAt: row.OccurredAt, EventID: row.EventID,
			Disposition: row.Disposition, At: s.now(), TokenName: row.TokenName,
		})
		if err != nil {
			return err
		}
		err = s.queries.InsertNote(ctx, tx, db.InsertNoteParams{
			StoreID: row.StoreID, At: row.At, ID: row.ID, Kind: row.Kind, OccurredAt: row.OccurredAt, EventID: row.EventID,
			DeliveryID: row.DeliveryID, TokenID: row.TokenID, TokenName: row.TokenName, Disposition: row.Disposition, Comment: row.Comment,
		})
		if err != nil {
			return err
		}
		return s.acts().add(ctx, tx, translog.Note, row.ID)
	})
	if err != nil {
		return Note{}, known(err)
	}
	s.replica.staffWrote()
	return noteOf(row), nil
}

// reviewed finds the event that a delivery states. Its store decides who may see it,
// which is not the delivery's if that was replayed from quarantine.
func (s *Store) reviewed(ctx context.Context, scope Scope, deliveryID uuid.UUID) (db.EventsOfDeliveriesRow, error) {
	found, err := s.eventsOfDeliveries(ctx, []uuid.UUID{deliveryID})
	if err != nil {
		return db.EventsOfDeliveriesRow{}, err
	}
	if len(found) == 0 {
		return db.EventsOfDeliveriesRow{}, ErrNotFound
	}
	switch e := found[0]; {
	case e.StoreID == nil && scope.Allows(e.DeliveryStoreID):
		return e, ErrNoEvent
	case e.StoreID == nil || !scope.Allows(*e.StoreID):
		return e, ErrNotFound
	case Kind(*e.Kind) == Other:
		return e, ErrNoEvent
	default:
		return e, nil
	}
}

func (s *Store) eventsOfDeliveries(ctx context.Context, ids []uuid.UUID) ([]db.EventsOfDeliveriesRow, error) {
	args := db.EventsOfDeliveriesParams{ID: ids}
	for _, id := range ids {
		args.ReceivedAt = append(args.ReceivedAt, ReceivedAt(id))
	}
	found, err := s.queries.EventsOfDeliveries(ctx, s.reads, args)
	return found, known(err)
}

// Notes is a page of notes, newest first.
func (s *Store) Notes(ctx context.Context, scope Scope, f Filter, p Page) ([]Note, *Position, error) {
	args, err := s.noteArgs(ctx, scope, f)
	if err != nil {
		return nil, nil, err
	}
	args.RowLimit = oneMore(p)
	if args.AfterTime, args.AfterID, err = timeAndID(p.After); err != nil {
		return nil, nil, err
	}
	rows, err := read(ctx, s, s.queries.ListNotes, args)
	if err != nil {
		return nil, nil, known(err)
	}
	notes := make([]Note, len(rows))
	for i, r := range rows {
		notes[i] = noteOf(r)
	}
	notes, next := paged(notes, Page{Limit: p.Limit}, func(n Note) Position { return Position{Time: n.At, ID: n.ID.String()} })
	return notes, next, nil
}

// ExportNotes gives all notes from one snapshot, newest first.
func (s *Store) ExportNotes(ctx context.Context, scope Scope, f Filter, each func(Note) error) error {
	args, err := s.noteArgs(ctx, scope, f)
	if err != nil {
		return err
	}
	return s.export(ctx, func(tx pgx.Tx) error {
		return s.queries.StreamNotes(ctx, tx, args, func(r db.ListNotesRow) error { return each(noteOf(r)) })
	})
}

func (s *Store) noteArgs(ctx context.Context, scope Scope, f Filter) (args db.ListNotesParams, err error) {
	args = db.ListNotesParams{StoreExternalIds: f.StoreExternalIDs, EventIds: f.EventIDs, FromTime: f.From, ToTime: f.To}
	if args.StoreIds, err = s.stores(ctx, scope, f); err != nil {
		return args, err
	}
	if f.DeliveryIDs != nil {
		found, err := s.eventsOfDeliveries(ctx, f.DeliveryIDs)
		if err != nil {
			return args, err
		}
		args.EventIds, args.EventTimes = []uuid.UUID{}, []time.Time{} // never nil: nil would mean all
		for _, e := range found {
			if e.ID != nil && (f.EventIDs == nil || slices.Contains(f.EventIDs, *e.ID)) {
				args.EventIds, args.EventTimes = append(args.EventIds, *e.ID), append(args.EventTimes, *e.OccurredAt)
			}
		}
	}
	for _, k := range f.Kinds {
		args.Kinds = append(args.Kinds, string(k))
	}
	args.Dispositions, _ = f.marks()
	return args, nil
}

// marks are a filter's dispositions as texts, and whether none is one of them.
func (f Filter) marks() (dispositions []string, unmarked bool) {
	for _, d := range f.Dispositions {
		dispositions = append(dispositions, string(d))
	}
	return dispositions, slices.Contains(f.Dispositions, Unmarked)
}

func noteOf(r db.ListNotesRow) Note {
	return Note{
		ID: r.ID, StoreID: r.StoreID, Kind: Kind(r.Kind), EventID: r.EventID, OccurredAt: r.OccurredAt, SessionID: r.SessionID,
		DeliveryID: r.DeliveryID, At: r.At, TokenID: r.TokenID, TokenName: r.TokenName,
		Disposition: (*Disposition)(r.Disposition), Comment: r.Comment,
	}
}
