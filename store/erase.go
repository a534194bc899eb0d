package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// ErasureRequest asks for a customer's erasure.
type ErasureRequest struct {
	CustomerID    string
	Actor, Reason string // who asks for it, and on which ground; both go into the log
}

// CustomerDeliveries are the deliveries about a customer whose bodies are still there:
// those that state an event which names him.
func (s *Store) CustomerDeliveries(ctx context.Context, customerID string) ([]uuid.UUID, error) {
	ids, err := s.queries.DeliveriesOfCustomer(ctx, s.writes, customerID)
	return ids, known(err)
}

// EraseCustomer deletes the bodies about a customer and their salts, and takes him out
// of events, sessions and customers, in one transaction. For each delivery a leaf says
// who did so and why. What is kept proves the facts still: flags, products, gondolas,
// times. It needs the rights of the tables' owner. It returns the deliveries erased, or a
// *HeldError if anything of it is on legal hold: then nothing is erased.
func (s *Store) EraseCustomer(ctx context.Context, r ErasureRequest) ([]uuid.UUID, error) {
	if r.CustomerID == "" || r.Actor == "" || r.Reason == "" {
		return nil, errors.New("an erasure needs a customer, an actor and a reason")
	}
	var erased []uuid.UUID
	err := pgx.BeginFunc(ctx, s.writes, func(tx pgx.Tx) (err error) {
		if err = s.queries.KeepHolds(ctx, tx); err != nil {
			return err
		}
		if holds, err := s.holdsOfCustomer(ctx, tx, r.CustomerID); err != nil || len(holds) > 0 {
			return errors.Join(err, heldBy(holds))
		}
		if erased, err = s.queries.DeliveriesOfCustomer(ctx, tx, r.CustomerID); err != nil {
			return err
		}
		for _, id := range erased {
			if err := s.eraseDelivery(ctx, tx, id, r); err != nil {
				return fmt.Errorf("erasing delivery %s: %w", id, err)
			}
		}
		if err := s.queries.ErasePersonOfEvents(ctx, tx, r.CustomerID); err != nil {
			return err
		}
		if _, err := s.queries.ErasePersonOfSessions(ctx, tx, r.CustomerID); err != nil {
			return err
		}
		_, err = s.queries.EraseCustomer(ctx, tx, r.CustomerID)
		return err
	})
	if err != nil {
		return nil, knownLog(err)
	}
	return erased, nil
}

// eraseDelivery erases a body. One whose leaf cannot be made any more is not erased:
// that would hide what was done to it.
func (s *Store) eraseDelivery(ctx context.Context, tx pgx.Tx, id uuid.UUID, r ErasureRequest) error {
	rows, err := s.queries.DeliveryEvidence(ctx, tx, db.DeliveryEvidenceParams{ReceivedAt: []time.Time{ReceivedAt(id)}, ID: []uuid.UUID{id}})
	if err != nil {
		return err
	}
	if len(rows) != 1 {
		return ErrNotFound
	}
	row := rows[0]
	o, err := openRow(translog.Delivery, &row)
	if err != nil {
		return err
	}
	secret, err := translog.NewSecret(s.random)
	if err != nil {
		return err
	}
	at, actor, reason := s.now().UTC().Truncate(time.Microsecond), cleanText(r.Actor), cleanText(r.Reason)
	row.Body, row.BodyCommitment, row.FactsSalt = nil, o.Leaf.Body[:], o.FactsSalt[:]
	row.ErasedAt, row.ErasureSecret, row.Actor, row.Reason = &at, secret[:], &actor, &reason
	erasure, err := openRow(translog.Erasure, &row)
	if err != nil {
		return err
	}
	err = s.queries.InsertErasure(ctx, tx, db.InsertErasureParams{
		StoreID: row.StoreID, ReceivedAt: row.ReceivedAt, DeliveryID: id, ErasedAt: at, BodyCommitment: row.BodyCommitment, FactsSalt: row.FactsSalt,
		Secret: secret[:], Actor: actor, Reason: reason, Leaf: erasure.Leaf.Append(nil),
	})
	if err != nil {
		return err
	}
	return s.queries.EraseDelivery(ctx, tx, db.EraseDeliveryParams{StoreID: row.StoreID, ReceivedAt: row.ReceivedAt, DeliveryID: id})
}
