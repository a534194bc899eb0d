package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// QuarantinedDelivery is a delivery that was not understood when it came.
type QuarantinedDelivery = db.Quarantine

// Quarantine is a page of quarantined deliveries, newest first.
func (s *Store) Quarantine(ctx context.Context, scope Scope, f Filter, p Page) ([]QuarantinedDelivery, *Position, error) {
	args, err := s.quarantineArgs(ctx, scope, f)
	if err != nil {
		return nil, nil, err
	}
	args.RowLimit = oneMore(p)
	if err := setQuarantinePage(&args, p); err != nil {
		return nil, nil, err
	}
	rows, err := read(ctx, s, s.queries.ListQuarantine, args)
	if err != nil {
		return nil, nil, known(err)
	}
	rows, next := paged(rows, p, QuarantinePosition)
	return rows, next, nil
}

// CountQuarantine counts what Quarantine would give, at most p.Limit unless that is 0.
func (s *Store) CountQuarantine(ctx context.Context, scope Scope, f Filter, p Page) (int64, error) {
	args, err := s.quarantineArgs(ctx, scope, f)
	if err != nil {
		return 0, err
	}
	most := atMost(p)
	args.RowLimit = &most
	if err := setQuarantinePage(&args, p); err != nil {
		return 0, err
	}
	n, err := read(ctx, s, s.queries.CountQuarantineList, args)
	return n, known(err)
}

// QuarantinePosition is a delivery's place in the list of quarantine.
func QuarantinePosition(q QuarantinedDelivery) Position {
	return Position{Time: q.ReceivedAt, ID: q.DeliveryID.String()}
}

func setQuarantinePage(args *db.ListQuarantineParams, p Page) (err error) {
	args.Ascending = p.ascending()
	older, newer := p.bounds()
	if args.AfterTime, args.AfterID, err = timeAndID(older); err != nil {
		return err
	}
	args.NewerTime, args.NewerID, err = timeAndID(newer)
	return err
}

// ExportQuarantine gives all quarantined deliveries from one snapshot, newest first
// unless the filter says otherwise.
func (s *Store) ExportQuarantine(ctx context.Context, scope Scope, f Filter, each func(QuarantinedDelivery) error) error {
	args, err := s.quarantineArgs(ctx, scope, f)
	if err != nil {
		return err
	}
	args.Ascending = f.OldestFirst
	return s.export(ctx, func(tx pgx.Tx) error { return s.queries.StreamQuarantine(ctx, tx, args, each) })
}

func (s *Store) quarantineArgs(ctx context.Context, scope Scope, f Filter) (db.ListQuarantineParams, error) {
	stores, err := s.stores(ctx, scope, f)
	return db.ListQuarantineParams{StoreIds: stores, Webhooks: f.Webhooks, Replayed: f.Replayed, FromTime: f.From, ToTime: f.To}, err
}

// quarantined names a row of quarantine.
type quarantined struct {
	storeID    int64
	receivedAt time.Time
	deliveryID uuid.UUID
}

// Replay tries again to understand a quarantined delivery, through the one write
// path and with its own id and time. ErrNotFound if it is not in quarantine. One
// that was replayed before is left alone.
func (s *Store) Replay(ctx context.Context, scope Scope, id uuid.UUID) (Receipt, error) {
	stores := scope.restrict(nil)
	q, err := s.queries.GetQuarantined(ctx, s.office, db.GetQuarantinedParams{ReceivedAt: ReceivedAt(id), DeliveryID: id, StoreIds: stores})
	if err != nil {
		return Receipt{}, known(err)
	}
	if q.ReplayedAt != nil {
		return Receipt{Status: Replayed}, nil
	}
	d, err := s.queries.GetDeliveryForReplay(ctx, s.office, db.GetDeliveryForReplayParams{ReceivedAt: ReceivedAt(id), ID: id, StoreIds: stores})
	if err != nil {
		return Receipt{}, known(err)
	}
	body, err := received(d)
	if err != nil {
		return Receipt{}, err
	}
	p, err := s.newPending(Delivery{
		ID: d.ID, Webhook: aifi.Webhook(d.Webhook), Path: d.Path, RemoteAddr: d.RemoteAddr, TokenID: d.TokenID,
		TokenScope: scope, Body: body, Truncated: d.Truncated,
	})
	if err != nil {
		return Receipt{}, err
	}
	p.replayed = &quarantined{storeID: d.StoreID, receivedAt: d.ReceivedAt, deliveryID: d.ID}
	_ = json.Unmarshal(d.Headers, &p.delivery.Headers) // written by ourselves
	p.evidence = nil
	if len(d.Secret) == len(translog.Secret{}) {
		secret := translog.Secret(d.Secret)
		p.evidence = &evidence{secret, secret.Body().Commit(body)}
	}
	receipt, err := s.commitPending(ctx, p)
	s.replica.staffWrote()
	if err == nil && receipt.Status != Quarantined {
		receipt.Status = Replayed
	}
	return receipt, err
}
