package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/bodycodec"
	"aifi-audit/store/internal/db"
)

// KeptDelivery is a delivery as it is kept, without its body.
type KeptDelivery struct {
	ID         uuid.UUID
	StoreID    int64
	Webhook    string
	Status     Status // Stored, Duplicate or Quarantined
	SessionID  *string
	EventID    *uuid.UUID // the id of the event that it states
	ReceivedAt time.Time
	IssuedAt   *time.Time
	TokenName  *string
	RemoteAddr string
	Path       string
	Headers    map[string]string
	BodySize   int64
	BodySHA256 []byte
	Truncated  bool
}

func keptDelivery(r db.ListDeliveriesRow) KeptDelivery {
	status := Quarantined
	if r.EventID != nil {
		status = Duplicate
		if r.FirstDeliveryID != nil && *r.FirstDeliveryID == r.ID {
			status = Stored
		}
	}
	headers := map[string]string{}
	_ = json.Unmarshal(r.Headers, &headers) // written by ourselves
	return KeptDelivery{
		ID: r.ID, StoreID: r.StoreID, Webhook: r.Webhook, Status: status, SessionID: r.SessionID, EventID: r.EventID,
		ReceivedAt: r.ReceivedAt, IssuedAt: r.IssuedAt, TokenName: r.TokenName, RemoteAddr: r.RemoteAddr, Path: r.Path,
		Headers: headers, BodySize: r.BodySize, BodySHA256: r.BodySha256, Truncated: r.Truncated,
	}
}

// Deliveries is a page of deliveries, newest first.
func (s *Store) Deliveries(ctx context.Context, scope Scope, f Filter, p Page) ([]KeptDelivery, *Position, error) {
	args, err := s.deliveryArgs(ctx, scope, f)
	if err != nil {
		return nil, nil, err
	}
	older, newer := p.bounds()
	if args.AfterTime, args.AfterID, err = timeAndID(older); err != nil {
		return nil, nil, err
	}
	if args.NewerTime, args.NewerID, err = timeAndID(newer); err != nil {
		return nil, nil, err
	}
	args.Ascending = p.ascending()
	rows, err := s.deliveryRows(ctx, args, *oneMore(p))
	if err != nil {
		return nil, nil, known(err)
	}
	items := make([]KeptDelivery, len(rows))
	for i, r := range rows {
		items[i] = keptDelivery(r)
	}
	items, next := paged(items, p, func(d KeptDelivery) Position { return Position{Time: d.ReceivedAt, ID: d.ID.String()} })
	return items, next, nil
}

// takeDeliveryFacet is takeFacet for deliveries, whose facets are never asked together.
func takeDeliveryFacet(a db.ListDeliveriesParams) (facet string, values []string) {
	switch {
	case a.SessionIds != nil:
		return "", nil
	case a.Webhooks != nil:
		return "webhook", a.Webhooks
	case a.StoreIds != nil:
		return "store", []string{""}
	}
	return "", nil
}

// deliveryRows reads a list part by part, up to a limit.
func (s *Store) deliveryRows(ctx context.Context, args db.ListDeliveriesParams, limit int64) (rows []db.ListDeliveriesRow, err error) {
	facet, values := takeDeliveryFacet(args)
	if s.paging.neverMerges {
		facet = ""
	}
	var merged scans
	if facet != "" {
		if merged, err = s.deliveryScans(ctx, facet, args.StoreIds, values); err != nil || len(merged.stores) == 0 {
			return nil, err
		}
		if !merged.merges(facet) {
			facet, args.StoreIds = "", merged.stores
		}
	}
	span := part{args.FromTime, args.ToTime, facet != ""}
	parts := []part{span}
	if args.SessionIds == nil {
		parts = partsOf(span, startOf(span, args.AfterTime, args.NewerTime, args.Ascending), args.Ascending, s.now())
	}
	if len(merged.stores) > s.paging.mergesGladly {
		at, err := read(ctx, s, s.queries.DeliveryTimeAt, db.DeliveryTimeAtParams{
			FromTime: parts[0].from, ToTime: parts[0].to, AfterTime: args.AfterTime, NewerTime: args.NewerTime,
			Ascending: args.Ascending, RowsBefore: s.paging.looksThrough,
		})
		if err != nil {
			return nil, err
		}
		parts = lookingThrough(parts, at, args.Ascending)
	}
	_, err = inParts(parts, limit, func(p part, limit int64) (int64, error) {
		if !p.merged {
			a := args
			a.FromTime, a.ToTime, a.RowLimit = p.from, p.to, &limit
			found, err := read(ctx, s, s.queries.ListDeliveries, a)
			rows = append(rows, found...)
			return int64(len(found)), err
		}
		a := db.ListDeliveriesByFacetParams{
			StoreIds: merged.stores, FacetValues: merged.values, Facet: facet, FromTime: p.from, ToTime: p.to,
			AfterTime: args.AfterTime, AfterID: args.AfterID, NewerTime: args.NewerTime, NewerID: args.NewerID,
			Ascending: args.Ascending,
		}
		return inRounds(limit, s.paging.share(limit, len(merged.stores)), func(each, limit int64) (int64, error) {
			a.RowsEach, a.RowLimit = each, &limit
			found, err := read(ctx, s, s.queries.DeliveriesByFacet, a)
			for _, r := range found {
				rows = append(rows, db.ListDeliveriesRow(r))
				if a.Ascending {
					a.NewerTime, a.NewerID = &r.ReceivedAt, &r.ID
				} else {
					a.AfterTime, a.AfterID = &r.ReceivedAt, &r.ID
				}
			}
			return int64(len(found)), err
		})
	})
	return rows, err
}

// ExportDeliveries gives all deliveries from one snapshot, newest first unless the
// filter says otherwise.
func (s *Store) ExportDeliveries(ctx context.Context, scope Scope, f Filter, each func(KeptDelivery) error) error {
	args, err := s.deliveryArgs(ctx, scope, f)
	if err != nil {
		return err
	}
	args.Ascending = f.OldestFirst
	return s.export(ctx, func(tx pgx.Tx) error {
		return s.queries.StreamDeliveries(ctx, tx, args, func(r db.ListDeliveriesRow) error { return each(keptDelivery(r)) })
	})
}

func (s *Store) deliveryArgs(ctx context.Context, scope Scope, f Filter) (db.ListDeliveriesParams, error) {
	stores, err := s.stores(ctx, scope, f)
	return db.ListDeliveriesParams{StoreIds: stores, Webhooks: f.Webhooks, SessionIds: f.SessionIDs, FromTime: f.From, ToTime: f.To}, err
}

func timeAndID(p *Position) (*time.Time, *uuid.UUID, error) {
	if p == nil {
		return nil, nil, nil
	}
	id, err := p.uuid()
	return &p.Time, id, err
}

// Delivery is one delivery, or ErrNotFound.
func (s *Store) Delivery(ctx context.Context, scope Scope, id uuid.UUID) (KeptDelivery, error) {
	row, err := read(ctx, s, s.queries.GetDelivery, db.GetDeliveryParams{ReceivedAt: ReceivedAt(id), ID: id, StoreIds: scope.restrict(nil)})
	if err != nil {
		return KeptDelivery{}, s.orRetired(ctx, scope, id, known(err))
	}
	return keptDelivery(db.ListDeliveriesRow(row)), nil
}

// ErrAltered says that what is kept is not what was received.
var ErrAltered = errors.New("the kept body does not match its SHA-256")

// ErrErased says that a body was erased by the rules.
var ErrErased = errors.New("the body was erased")

// DeliveryErasure says when the body of a delivery was erased, and on whose word.
type DeliveryErasure = db.DeliveryErasureRow

// ErasureOf is the erasure of a delivery that the caller may see; nil if it has its body.
func (s *Store) ErasureOf(ctx context.Context, d KeptDelivery) (*DeliveryErasure, error) {
	e, err := s.queries.DeliveryErasure(ctx, s.reads, db.DeliveryErasureParams{StoreID: d.StoreID, ReceivedAt: d.ReceivedAt, DeliveryID: d.ID})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &e, known(err)
}

// Body is the verbatim body of a delivery, checked against its hash and, with the rows,
// against the log: ErrAltered or ErrTampered if it is not what was received. What the
// log does not have yet, or never had, is checked against its hash alone. ErrErased if
// it was erased.
func (s *Store) Body(ctx context.Context, scope Scope, id uuid.UUID) ([]byte, error) {
	kept, err := s.Delivery(ctx, scope, id)
	if err != nil {
		return nil, err
	}
	d, err := read(ctx, s, s.queries.GetDeliveryForReplay, db.GetDeliveryForReplayParams{
		ReceivedAt: ReceivedAt(id), ID: id, StoreIds: scope.restrict(nil),
	})
	if err != nil {
		if erasure, err := s.ErasureOf(ctx, kept); err == nil && erasure != nil {
			return nil, ErrErased
		}
		return nil, known(err)
	}
	body, err := received(d)
	if sum := sha256.Sum256(body); err != nil || !bytes.Equal(sum[:], kept.BodySHA256) {
		return nil, ErrAltered
	}
	return body, s.checkInLog(ctx, id)
}

// received is the body as it was received, or ErrAltered if it cannot be read any more.
func received(d db.GetDeliveryForReplayRow) ([]byte, error) {
	body, err := bodycodec.Decode(nil, d.Encoding, d.Body, d.BodySize)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAltered, err)
	}
	return body, nil
}

// checkInLog holds a delivery against its leaves, if it has any.
func (s *Store) checkInLog(ctx context.Context, id uuid.UUID) error {
	c, err := s.Checkpoint(ctx)
	if err == nil {
		_, err = s.proveLeaves(ctx, c, id)
	}
	if errors.Is(err, ErrNoLog) || errors.Is(err, ErrUnsequenced) {
		return nil
	}
	return err
}
