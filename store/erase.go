package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

const (
	// eraseBatch is how many bodies are held at a time.
	eraseBatch = 32
	// eraseRounds is how often what arrived meanwhile is erased too. What arrives after
	// that came after the erasure.
	eraseRounds = 3
)

// Execution is how an approved erasure is carried out.
type Execution struct {
	By         string // who does it
	Unapproved bool   // without a second person: the operator's decision, which the log and the certificate tell
	Progress   func(step string, done int64)
}

// erasing is an erasure under way, in one transaction.
type erasing struct {
	*Store
	tx       pgx.Tx
	request  Erasure
	decision ErasureDecision
	by       string
	at       time.Time
	erased   map[uuid.UUID]bool
	stated   []db.PersonEventsRow // events that these were the first to state
	result   Found
	progress func(step string, done int64)
}

// Erase carries out an erasure that was approved: it deletes the bodies about the
// customer and their salts, takes him out of events, sessions, customers, comments and
// the access log, and forgets whom the request was about, in one transaction. For each
// delivery a leaf says who did so and why, and one leaf commits to the statement that
// the certificate is made of. What is kept proves the facts still: flags, products,
// gondolas, times. Deliveries that came since the request are erased with the rest, and
// counted. ErrNotOwner without the rights of the tables' owner, *ErasureStateError unless
// the request is approved, or e.Unapproved; *HeldError if anything of him is on legal
// hold: then nothing is erased.
func (s *Store) Erase(ctx context.Context, id uuid.UUID, e Execution) (Erasure, error) {
	if e.By = oneLine(e.By); e.By == "" {
		return Erasure{}, &InputError{"actor", "It must say who erases."}
	}
	if e.Progress == nil {
		e.Progress = func(string, int64) {}
	}
	var done Erasure
	err := pgx.BeginFunc(ctx, s.office, func(tx pgx.Tx) error {
		x := &erasing{
			Store: s, tx: tx, by: e.By, at: s.now().UTC().Truncate(time.Microsecond), erased: map[uuid.UUID]bool{}, progress: e.Progress,
		}
		if err := x.begin(ctx, id, e.Unapproved); err != nil {
			return err
		}
		subject := x.request.secret
		if err := x.run(ctx); err != nil {
			return err
		}
		var err error
		done, err = s.erasure(ctx, tx, id) // the last that can fail: the key is kept nowhere else
		done.SubjectKey = subject[:]
		return err
	})
	if err != nil {
		return Erasure{}, knownErasure(err)
	}
	return done, nil
}

// begin takes the request, and checks that it may be executed and is about whom it was.
func (x *erasing) begin(ctx context.Context, id uuid.UUID, unapproved bool) (err error) {
	if err := asOwner(ctx, x.tx); err != nil {
		return err
	}
	if err := x.queries.KeepHolds(ctx, x.tx); err != nil {
		return err
	}
	if err := x.queries.LockErasure(ctx, x.tx, id); err != nil {
		return err
	}
	if x.request, err = x.erasure(ctx, x.tx, id); err != nil {
		return err
	}
	switch {
	case x.request.State == ErasurePending && unapproved:
		x.decision = ErasureDecision{At: x.at, By: x.by, Decision: Unapproved}
		if err := x.decide(ctx, x.tx, &x.request, Unapproved, nil, x.by); err != nil {
			return err
		}
	case x.request.State == ErasureApproved:
		x.decision = *x.request.Decision
	case x.request.State == ErasurePending:
		return &ErasureStateError{"It is pending: another administrator must approve it first."}
	default:
		return &ErasureStateError{"It is " + string(x.request.State) + "."}
	}
	if subject, err := x.request.Whom().subject(x.request.secret); err != nil || subject != x.request.Subject {
		return fmt.Errorf("whom request %s is about: %w", id, ErrTampered)
	}
	return nil
}

func (x *erasing) run(ctx context.Context) error {
	p, err := x.deliveries(ctx)
	if err != nil {
		return err
	}
	if err := x.rows(ctx, &p); err != nil {
		return err
	}
	x.result.Deliveries, x.result.Complete = int64(len(x.erased)), true
	if err := x.conclude(ctx); err != nil {
		return err
	}
	return x.queries.DeleteErasureSubject(ctx, x.tx, x.request.ID)
}

// deliveries erases all bodies about the customer, and those that arrive while it
// does. It returns what is left to be erased of him.
func (x *erasing) deliveries(ctx context.Context) (all Person, err error) {
	for round := range eraseRounds {
		p, err := x.findPerson(ctx, x.tx, x.request.Whom())
		if err != nil {
			return all, err
		}
		if round == 0 {
			err := x.findMentions(ctx, x.tx, &p, func(n int64) { x.progress("reading bodies", n) })
			if err != nil {
				return all, err
			}
			if err := x.refused(ctx, &p); err != nil {
				return all, err
			}
			all = p
		}
		if err := x.findHolds(ctx, x.tx, &p); err != nil {
			return all, err
		}
		if err := heldBy(p.Holds); err != nil {
			return all, err
		}
		all.sessions, all.events = p.sessions, p.events
		x.count(&p)
		fresh := 0
		for from := 0; from < len(p.bodies); from += eraseBatch {
			n, err := x.batch(ctx, p.bodies[from:min(from+eraseBatch, len(p.bodies))])
			if err != nil {
				return all, err
			}
			fresh += n
		}
		if fresh == 0 {
			break
		}
	}
	return all, nil
}

// refused erases what was refused. A replay of it that is under way comes before, and what
// it has recorded is erased with the rest; one that comes later finds nothing.
func (x *erasing) refused(ctx context.Context, p *Person) (err error) {
	var keys db.EraseRefusedParams
	for _, r := range p.refused {
		keys.ReceivedAt, keys.DeliveryID = append(keys.ReceivedAt, r.receivedAt), append(keys.DeliveryID, r.id)
	}
	if x.result.Refused, err = x.queries.EraseRefused(ctx, x.tx, keys); err != nil {
		return fmt.Errorf("erasing refused webhooks: %w", err)
	}
	replayed, err := x.queries.ReplayedRefused(ctx, x.tx, db.ReplayedRefusedParams(keys))
	if err != nil {
		return fmt.Errorf("finding refused webhooks that were replayed: %w", err)
	}
	for _, r := range replayed {
		if !slices.Contains(p.DeliveryIDs, r.DeliveryID) {
			p.bodies = append(p.bodies, deliveryKey{r.StoreID, r.ReceivedAt, r.DeliveryID})
			p.Found.Mentions++
		}
	}
	p.countDeliveries()
	return nil
}

// count takes over what is to be told of the deliveries.
func (x *erasing) count(p *Person) {
	x.result.Mentions += p.Found.Mentions
	for _, b := range p.bodies {
		if x.result.FirstAt == nil || b.receivedAt.Before(*x.result.FirstAt) {
			x.result.FirstAt = &b.receivedAt
		}
		if x.result.LastAt == nil || b.receivedAt.After(*x.result.LastAt) {
			x.result.LastAt = &b.receivedAt
		}
	}
}

// batch erases some bodies, and returns how many were there. One whose leaf cannot be
// made any more is not erased: that would hide what was done to it.
func (x *erasing) batch(ctx context.Context, bodies []deliveryKey) (int, error) {
	var ask db.DeliveryEvidenceParams
	for _, b := range bodies {
		if !x.erased[b.id] {
			ask.ReceivedAt, ask.ID = append(ask.ReceivedAt, b.receivedAt), append(ask.ID, b.id)
		}
	}
	if len(ask.ID) == 0 {
		return 0, nil
	}
	if err := x.queries.LockQuarantined(ctx, x.tx, db.LockQuarantinedParams{ReceivedAt: ask.ReceivedAt, ID: ask.ID}); err != nil {
		return 0, fmt.Errorf("keeping replays away: %w", err)
	}
	rows, err := x.queries.DeliveryEvidence(ctx, x.tx, ask)
	if err != nil {
		return 0, fmt.Errorf("reading what is to be erased: %w", err)
	}
	left := db.InsertErasuresParams{ErasedAt: x.at, Actor: x.actor(), Reason: x.request.Reason, RequestID: x.request.ID}
	for i := range rows {
		if err := x.leave(&left, &rows[i]); err != nil {
			return 0, fmt.Errorf("erasing delivery %s: %w", rows[i].ID, err)
		}
		x.erased[rows[i].ID] = true
	}
	if err := x.queries.InsertErasures(ctx, x.tx, left); err != nil {
		return 0, fmt.Errorf("writing what erasures leave: %w", err)
	}
	err = x.queries.EraseDeliveries(ctx, x.tx, db.EraseDeliveriesParams{StoreID: left.StoreID, ReceivedAt: left.ReceivedAt, DeliveryID: left.DeliveryID})
	if err != nil {
		return 0, fmt.Errorf("erasing bodies: %w", err)
	}
	stated, err := x.queries.EventsFirstStated(ctx, x.tx, db.EventsFirstStatedParams{ReceivedAt: left.ReceivedAt, ID: left.DeliveryID})
	if err != nil {
		return 0, fmt.Errorf("finding what is stated: %w", err)
	}
	for _, e := range stated {
		x.stated = append(x.stated, db.PersonEventsRow(e))
	}
	x.progress("erasing deliveries", int64(len(x.erased)))
	return len(rows), nil
}

// actor says in the leaf of each delivery who erased it.
func (x *erasing) actor() string {
	if x.decision.Decision == Unapproved {
		return x.by + ", without a second person"
	}
	return x.request.RequestedBy + ", approved by " + x.decision.By
}

// leave adds what the erasure of a delivery leaves, and its leaf.
func (x *erasing) leave(left *db.InsertErasuresParams, row *logrows.Row) error {
	o, err := logrows.Open(translog.Delivery, row)
	if err != nil {
		return err
	}
	secret, err := translog.NewSecret(x.random)
	if err != nil {
		return err
	}
	row.Body, row.BodyCommitment, row.FactsSalt = nil, o.Leaf.Body[:], o.FactsSalt[:]
	row.ErasedAt, row.ErasureSecret, row.Actor, row.Reason = &left.ErasedAt, secret[:], &left.Actor, &left.Reason
	erasure, err := logrows.Open(translog.Erasure, row)
	if err != nil {
		return err
	}
	left.StoreID, left.ReceivedAt, left.DeliveryID = append(left.StoreID, row.StoreID), append(left.ReceivedAt, row.ReceivedAt), append(left.DeliveryID, row.ID)
	left.BodyCommitment, left.FactsSalt = append(left.BodyCommitment, row.BodyCommitment), append(left.FactsSalt, row.FactsSalt)
	left.Secret, left.Leaves = append(left.Secret, secret[:]), append(left.Leaves, erasure.Leaf.Append(nil))
	return nil
}

// rows takes the customer out of all else. Sessions come last: webhooks wait for them.
func (x *erasing) rows(ctx context.Context, p *Person) (err error) {
	x.progress("erasing rows", 0)
	x.result.Events, x.result.Identified = int64(len(p.events)), p.Found.Identified
	// Without the body nothing shows whom an event was about, be it somebody else.
	keys := eventKeysOf(append(slices.Clone(p.events), x.stated...))
	counts, err := x.queries.CountPersonRows(ctx, x.tx, db.CountPersonRowsParams(keys))
	if err != nil {
		return fmt.Errorf("counting a person's rows: %w", err)
	}
	x.result.PersonalInfos = counts.PersonalInfos
	if err := x.queries.EraseEvents(ctx, x.tx, db.EraseEventsParams(keys)); err != nil {
		return fmt.Errorf("erasing a person of events: %w", err)
	}
	// A comment that came in between would be erased, and no leaf would say so.
	if _, err := x.tx.Exec(ctx, "LOCK TABLE event_notes IN SHARE ROW EXCLUSIVE MODE"); err != nil {
		return fmt.Errorf("waiting for notes that are being written: %w", err)
	}
	notes, err := x.queries.CommentedNotes(ctx, x.tx, db.CommentedNotesParams(keys))
	if err != nil {
		return fmt.Errorf("finding comments: %w", err)
	}
	err = x.eraseOf(ctx, translog.Note, notes, func() (err error) {
		x.result.Comments, err = x.queries.EraseComments(ctx, x.tx, db.EraseCommentsParams(keys))
		return err
	})
	if err != nil {
		return fmt.Errorf("erasing comments: %w", err)
	}
	if err := x.accessEntries(ctx, p); err != nil {
		return err
	}
	holds, err := x.queries.LiftedHoldsOn(ctx, x.tx, p.CustomerID)
	if err != nil {
		return fmt.Errorf("finding holds: %w", err)
	}
	err = x.eraseOf(ctx, translog.Hold, holds, func() error {
		_, err := x.queries.EraseHolds(ctx, x.tx, p.CustomerID)
		return err
	})
	if err != nil {
		return fmt.Errorf("erasing a customer of holds: %w", err)
	}
	if x.result.Customers, err = x.queries.EraseCustomer(ctx, x.tx, p.CustomerID); err != nil {
		return fmt.Errorf("erasing a customer: %w", err)
	}
	stores, sessions := p.sessionKeys()
	x.result.Sessions, err = x.queries.ErasePersonOfSessions(ctx, x.tx, db.ErasePersonOfSessionsParams{StoreIds: stores, SessionIds: sessions, CustomerID: p.CustomerID})
	if err != nil {
		return fmt.Errorf("erasing a person of sessions: %w", err)
	}
	return nil
}

// conclude writes the statement of what was erased, and queues the leaf that commits
// to it.
func (x *erasing) conclude(ctx context.Context) error {
	secret, err := translog.NewSecret(x.random)
	if err != nil {
		return err
	}
	statement := x.statement()
	erased, err := json.Marshal(x.result)
	if err != nil {
		return fmt.Errorf("encoding what was erased: %w", err)
	}
	err = x.queries.InsertErasureResult(ctx, x.tx, db.InsertErasureResultParams{
		RequestID: x.request.ID, ExecutedAt: x.at, Erased: erased, Statement: statement, Secret: secret[:],
		Leaf: logrows.CertificateLeaf(x.request.ID, x.at, statement, secret.Facts()).Append(nil),
	})
	if err != nil {
		return fmt.Errorf("writing the result of an erasure: %w", err)
	}
	return x.acts().add(ctx, x.tx, translog.ErasureResult, x.request.ID)
}
