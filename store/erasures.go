package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// ErasureTerm is how long an erasure may take from the request to the end.
const ErasureTerm = 7 * 24 * time.Hour

// Limits of what a request says, in characters.
const (
	MaxErasureReason = 500
	maxCustomerID    = 512
)

// ErasureState is how far a request is.
type ErasureState string

// The states of a request. Only the first two can still change.
const (
	ErasurePending   ErasureState = "pending"  // waits for a second person
	ErasureApproved  ErasureState = "approved" // waits to be executed
	ErasureRejected  ErasureState = "rejected"
	ErasureWithdrawn ErasureState = "withdrawn"
	ErasureExpired   ErasureState = "expired"
	ErasureExecuted  ErasureState = "executed"
)

// Erasure is the request to erase a customer, and what became of it.
type Erasure struct {
	ID          uuid.UUID
	State       ErasureState
	RequestedAt time.Time
	ExpiresAt   time.Time
	RequestedBy string // the token's name, or who was named on the command line
	ByCommand   bool
	Reason      string
	CustomerID  *string           // nil when the request is closed, or if it is not known
	Identifiers Identifiers       // none when the request is closed
	Subject     [sha256.Size]byte // commitment to the customer's id and identifiers
	Found       Found             // when it was requested
	Digest      [sha256.Size]byte // over the request and what was found: what an approval repeats
	Decision    *ErasureDecision  // the last one
	ExecutedAt  *time.Time
	Erased      *Found // what was erased
	SubjectKey  []byte // opens Subject; given once, by Erase, and kept nowhere

	secret          translog.Secret // of Subject
	tokenID         *int64
	askerRevoked    bool
	statement       string
	statementSecret translog.Secret
}

// ErasureDecision is what somebody decided of a request.
type ErasureDecision struct {
	At       time.Time
	By       string
	Decision Decision
}

// Decision about a request.
type Decision string

// The decisions. Unapproved is the operator's, on the command line: he goes without a
// second person, and the log says so.
const (
	Approve    Decision = "approved"
	Reject     Decision = "rejected"
	Withdraw   Decision = "withdrawn"
	Unapproved Decision = "unapproved"
)

// NewErasure asks for the erasure of a customer.
type NewErasure struct {
	Whom
	Reason     string // the legal ground, without personal data: it is kept for ever
	Token      *Token // of who asks; nil: on the command line, and By says who
	By         string
	Everything bool // read all bodies too: see FindPerson
	Progress   func(bodies int64)
}

// Whom is whom an open request is about.
func (e *Erasure) Whom() Whom { return Whom{db.OrEmpty(e.CustomerID), e.Identifiers} }

// ErasureStateError says why a request cannot be decided or executed any more, in words
// that are safe to show.
type ErasureStateError struct{ Detail string }

// Error makes ErasureStateError an error.
func (e *ErasureStateError) Error() string { return e.Detail }

// ErrOtherDigest says that an approval is of something else than was requested.
var ErrOtherDigest = errors.New("the digest is not that of the request")

// ErrSecondPerson says that somebody may not decide: it must be another administrator
// than the one who asked.
var ErrSecondPerson = errors.New("an erasure is approved by another administrator than the one who asked for it")

// check cleans what is asked for, and says what is wrong with it.
func (n *NewErasure) check() error {
	if n.Token != nil {
		n.By = n.Token.Name
	}
	n.By, n.Reason = oneLine(n.By), oneLine(n.Reason)
	if err := n.Check(); err != nil {
		return err
	}
	switch {
	case n.By == "":
		return &InputError{"actor", "It must say who asks."}
	case n.Reason == "":
		return &InputError{"reason", "It must say on which ground."}
	case utf8.RuneCountInString(n.Reason) > MaxErasureReason:
		return &InputError{"reason", fmt.Sprintf("It may have %d characters.", MaxErasureReason)}
	}
	return nil
}

// oneLine is text that a certificate can have on one line.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, aifi.CleanText(s)))
}

// PreviewErasure finds whom RequestErasure would be about, with the same errors, and
// files nothing.
func (s *Store) PreviewErasure(ctx context.Context, n NewErasure) (Person, error) {
	if err := n.check(); err != nil {
		return Person{}, err
	}
	return s.erasable(ctx, n)
}

// erasable finds whom a request that was checked is about.
func (s *Store) erasable(ctx context.Context, n NewErasure) (Person, error) {
	p, err := s.FindPerson(ctx, n.Whom, n.Everything, n.Progress)
	if err != nil {
		return p, err
	}
	if p.Found.None() {
		return p, ErrNotFound
	}
	if err := heldBy(p.Holds); err != nil {
		return p, err
	}
	if p.identity.NamedIn(n.Reason) {
		return p, &InputError{"reason", "It must not name the customer: it is kept for ever. Give the number of a case."}
	}
	return p, nil
}

// RequestErasure files the request to erase a customer, and says what was found of him.
// ErrNotFound if there is nothing of him, *HeldError if anything of it is on legal hold,
// *InputError if something is wrong with what was asked.
func (s *Store) RequestErasure(ctx context.Context, n NewErasure) (Erasure, error) {
	if err := n.check(); err != nil {
		return Erasure{}, err
	}
	p, err := s.erasable(ctx, n)
	if err != nil {
		return Erasure{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Erasure{}, fmt.Errorf("making the id of a request: %w", err)
	}
	secret, err := translog.NewSecret(s.random)
	if err != nil {
		return Erasure{}, err
	}
	e := Erasure{
		ID: id, State: ErasurePending, RequestedAt: s.now().UTC().Truncate(time.Microsecond), RequestedBy: n.By, ByCommand: n.Token == nil,
		Reason: n.Reason, CustomerID: orNil(n.CustomerID), Identifiers: n.Identifiers, Found: p.Found,
	}
	if e.Subject, err = n.subject(secret); err != nil {
		return Erasure{}, err
	}
	e.ExpiresAt = e.RequestedAt.Add(ErasureTerm)
	e.Digest = e.digest(p.DeliveryIDs)
	found, err := json.Marshal(e.Found)
	if err != nil {
		return Erasure{}, fmt.Errorf("encoding what was found: %w", err)
	}
	var identifiers []byte
	if !n.None() {
		if identifiers, err = json.Marshal(n.Identifiers); err != nil {
			return Erasure{}, fmt.Errorf("encoding identifiers: %w", err)
		}
	}
	if n.Token != nil {
		e.tokenID = &n.Token.ID
	}
	err = pgx.BeginFunc(ctx, s.office, func(tx pgx.Tx) error {
		err := s.queries.InsertErasureRequest(ctx, tx, db.InsertErasureRequestParams{
			ID: id, RequestedAt: e.RequestedAt, ExpiresAt: e.ExpiresAt, TokenID: e.tokenID, RequestedBy: e.RequestedBy, Reason: e.Reason,
			Subject: e.Subject[:], Found: found, Digest: e.Digest[:], CustomerID: e.CustomerID, Identifiers: identifiers, Secret: secret[:],
		})
		if err != nil {
			return err
		}
		return s.acts().add(ctx, tx, translog.ErasureRequest, id)
	})
	return e, known(err)
}

// digest is over what an approval is about: the request, whom it is about, and the
// deliveries that were found.
func (e *Erasure) digest(deliveries []uuid.UUID) [sha256.Size]byte {
	h := sha256.New()
	field := func(b []byte) { _, _ = h.Write(append(binary.AppendUvarint(nil, uint64(len(b))), b...)) } // never fails
	field([]byte("aifi-audit erasure request 1"))
	field(e.ID[:])
	field(e.Subject[:])
	field([]byte(e.RequestedBy))
	field([]byte(e.Reason))
	for _, id := range deliveries {
		field(id[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Erasures is a page of requests, newest first. Whose scope is limited to some stores
// sees nothing: a person belongs to none.
func (s *Store) Erasures(ctx context.Context, scope Scope, p Page) ([]Erasure, *Position, error) {
	if scope.limited {
		return nil, nil, nil
	}
	args := db.ListErasuresParams{RowLimit: oneMore(p)}
	var err error
	if args.AfterTime, args.AfterID, err = timeAndID(p.After); err != nil {
		return nil, nil, err
	}
	rows, err := s.queries.ListErasures(ctx, s.reads, args)
	if err != nil {
		return nil, nil, known(err)
	}
	items := make([]Erasure, len(rows))
	for i, r := range rows {
		if items[i], err = s.erasureOf(r); err != nil {
			return nil, nil, err
		}
	}
	items, next := paged(items, p, func(e Erasure) Position { return Position{Time: e.RequestedAt, ID: e.ID.String()} })
	return items, next, nil
}

// Erasure is one request, or ErrNotFound.
func (s *Store) Erasure(ctx context.Context, scope Scope, id uuid.UUID) (Erasure, error) {
	if scope.limited {
		return Erasure{}, ErrNotFound
	}
	return s.erasure(ctx, s.office, id) // as it is now: somebody may have decided on another connection
}

func (s *Store) erasure(ctx context.Context, conn db.DBTX, id uuid.UUID) (Erasure, error) {
	one := int64(1)
	rows, err := s.queries.ListErasures(ctx, conn, db.ListErasuresParams{ID: &id, RowLimit: &one})
	if err != nil {
		return Erasure{}, known(err)
	}
	if len(rows) == 0 {
		return Erasure{}, ErrNotFound
	}
	return s.erasureOf(rows[0])
}

func (s *Store) erasureOf(r db.ListErasuresRow) (Erasure, error) {
	e := Erasure{
		ID: r.ID, RequestedAt: r.RequestedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(), RequestedBy: r.RequestedBy, ByCommand: r.TokenID == nil,
		Reason: r.Reason, CustomerID: r.CustomerID, ExecutedAt: r.ExecutedAt, tokenID: r.TokenID, statement: db.OrEmpty(r.Statement),
		askerRevoked: r.RequesterRevokedAt != nil,
	}
	copy(e.Subject[:], r.Subject)
	copy(e.Digest[:], r.Digest)
	copy(e.secret[:], r.Secret)
	copy(e.statementSecret[:], r.StatementSecret)
	if err := json.Unmarshal(r.Found, &e.Found); err != nil {
		return e, fmt.Errorf("reading request %s: %w", r.ID, err)
	}
	whom, err := whomOf(r.CustomerID, r.Identifiers)
	if err != nil {
		return e, fmt.Errorf("reading whom request %s is about: %w", r.ID, err)
	}
	e.Identifiers = whom.Identifiers
	if r.Decision != nil {
		e.Decision = &ErasureDecision{At: db.OrZero(r.DecidedAt).UTC(), By: db.OrEmpty(r.DecidedBy), Decision: Decision(*r.Decision)}
	}
	revoked := e.askerRevoked || r.DeciderRevokedAt != nil
	switch {
	case e.ExecutedAt != nil:
		e.State, e.Erased = ErasureExecuted, new(Found)
		if err := json.Unmarshal(r.Erased, e.Erased); err != nil {
			return e, fmt.Errorf("reading the result of request %s: %w", r.ID, err)
		}
	case e.Decision != nil && e.Decision.Decision == Reject:
		e.State = ErasureRejected
	case e.Decision != nil && e.Decision.Decision == Withdraw:
		e.State = ErasureWithdrawn
	case !s.now().Before(e.ExpiresAt):
		e.State = ErasureExpired
	case e.Decision != nil && !revoked: // what a token approved counts as long as it does
		e.State = ErasureApproved
	default:
		e.State = ErasurePending
	}
	if e.State != ErasurePending && e.State != ErasureApproved {
		e.CustomerID, e.Identifiers = nil, Identifiers{} // of an expired one it is deleted within the hour
	}
	return e, nil
}
