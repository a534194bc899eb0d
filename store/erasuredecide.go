package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// forgetEvery is how often whom expired requests were about is forgotten.
const forgetEvery = time.Hour

// DecideErasure approves, rejects or withdraws a request in the name of a token. An
// approval repeats the request's digest: nobody approves what he was not shown. It must
// come from another administrator than the one who asked (ErrSecondPerson), who may in
// turn only withdraw; either must be good at this instant, whatever the token cache
// says. Of those who decide at the same time one does. *ErasureStateError if the
// request cannot be decided any more, ErrOtherDigest if the digest is another.
func (s *Store) DecideErasure(ctx context.Context, by Token, id uuid.UUID, d Decision, digest []byte) (e Erasure, err error) {
	err = pgx.BeginFunc(ctx, s.office, func(tx pgx.Tx) error {
		if err := s.queries.LockErasure(ctx, tx, id); err != nil {
			return err
		}
		if e, err = s.erasure(ctx, tx, id); err != nil {
			return err
		}
		good, err := s.queries.IsAdministrator(ctx, tx, db.IsAdministratorParams{ID: by.ID, At: s.now()})
		if err != nil {
			return err
		}
		if err := e.mayDecide(by, good, d, digest); err != nil {
			return err
		}
		if err := s.decide(ctx, tx, &e, d, &by.ID, by.Name); err != nil {
			return err
		}
		if d == Reject || d == Withdraw {
			return s.queries.DeleteErasureSubject(ctx, tx, id)
		}
		return nil
	})
	if err != nil {
		return e, knownErasure(err)
	}
	return s.Erasure(ctx, Scope{}, id)
}

// AskedBy reports whether a token is of who asked: he cannot approve, but withdraw.
func (e *Erasure) AskedBy(t Token) bool {
	return e.tokenID != nil && *e.tokenID == t.ID || strings.EqualFold(e.RequestedBy, t.Name)
}

// mayDecide says what speaks against a decision. good: the token is an unlimited
// administrator's, and counts.
func (e *Erasure) mayDecide(by Token, good bool, d Decision, digest []byte) error {
	asked := e.AskedBy(by)
	switch {
	case !good:
		return ErrSecondPerson
	case e.State != ErasurePending && (e.State != ErasureApproved || d == Approve):
		return &ErasureStateError{"It is " + string(e.State) + "."}
	case d == Withdraw && !asked:
		return &ErasureStateError{"Only who asked for it can withdraw it. Reject it."}
	case d == Approve && asked:
		return ErrSecondPerson
	case d == Approve && e.askerRevoked:
		return &ErasureStateError{"The token that asked for it was revoked since. Ask anew."}
	case d == Approve && string(digest) != string(e.Digest[:]):
		return ErrOtherDigest
	}
	return nil
}

func (s *Store) decide(ctx context.Context, tx pgx.Tx, e *Erasure, d Decision, tokenID *int64, by string) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("making the id of a decision: %w", err)
	}
	err = s.queries.InsertErasureDecision(ctx, tx, db.InsertErasureDecisionParams{
		RequestID: e.ID, ID: id, At: s.now(), Decision: string(d), TokenID: tokenID, DecidedBy: by,
	})
	if err != nil {
		return fmt.Errorf("writing a decision: %w", err)
	}
	return s.acts().add(ctx, tx, translog.ErasureDecision, id)
}

// knownErasure is known, for errors that may also be an erasure's.
func knownErasure(err error) error {
	var state *ErasureStateError
	var input *InputError
	if errors.As(err, &state) || errors.As(err, &input) || errors.Is(err, ErrSecondPerson) || errors.Is(err, ErrOtherDigest) {
		return err
	}
	return knownLog(err)
}

// keepErasures forgets whom requests were about that nobody acted on in time.
func (s *Store) keepErasures(ctx context.Context) {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	for {
		if err := s.queries.DeleteExpiredSubjects(ctx, s.office, s.now()); err != nil && ctx.Err() == nil && !errors.Is(err, errNotConnected) {
			s.log.Warn("the customers of expired requests for erasure could not be forgotten; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
