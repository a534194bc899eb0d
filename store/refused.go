package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
)

// Refusals bounds what is kept of webhooks that came without a good token: an
// operator who mistyped it in AiFi's console can replay them. The zero value keeps
// none.
type Refusals struct {
	Most      int   // of the newest
	MostBytes int64 // of their bodies together
}

// MaxRefusedBody is how many bytes of a refused webhook's body are kept.
const MaxRefusedBody = 256 << 10

// refusedEvery is how often what was refused is written. A crash loses as much.
const refusedEvery = time.Second

// fingerprintSize is how many hexadecimal digits of a token's hash name it.
const fingerprintSize = 12

func fingerprintOf(tokenHash []byte) string { return hex.EncodeToString(tokenHash)[:fingerprintSize] }

// Refused is a webhook that was refused. Nobody vouches for it.
type Refused struct {
	ID               uuid.UUID // that it gets if it is replayed
	ReceivedAt       time.Time
	TokenFingerprint string // the first 12 hexadecimal digits of the SHA-256 of the token presented
	Reason           Refusal
	Webhook          string
	RemoteAddr       string
	Path             string
	Headers          map[string]string
	BodySize         int64
	Truncated        bool
	ReplayedAt       *time.Time
}

// refusals holds what was refused until it is written: never more than is kept.
type refusals struct {
	limits Refusals

	mu    sync.Mutex
	fresh []refusal // guarded by mu; oldest first
	bytes int64     // guarded by mu; of the bodies
}

type refusal struct {
	delivery Delivery
	hash     []byte // SHA-256 of the token
	reason   Refusal
}

func refusalOf(d Delivery, hash []byte, why Refusal) refusal {
	if len(d.Body) > MaxRefusedBody {
		d.Body, d.Truncated = d.Body[:MaxRefusedBody], true
	}
	return refusal{d, hash, why}
}

// KeepsRefusals reports whether refused webhooks are kept at all.
func (s *Store) KeepsRefusals() bool {
	return s.refusals.limits.Most > 0 && s.refusals.limits.MostBytes > 0
}

// KeepRefused keeps a webhook whose token was refused, if such are kept. It waits for
// nothing.
func (s *Store) KeepRefused(secret string, why Refusal, d Delivery) {
	if !s.KeepsRefusals() {
		return
	}
	hash := sha256.Sum256([]byte(secret))
	r := &s.refusals
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fresh = append(r.fresh, refusalOf(d, hash[:], why))
	r.bytes += int64(len(r.fresh[len(r.fresh)-1].delivery.Body))
	r.trim()
}

// trim drops the oldest of what waits to be written, down to what is kept at all.
func (r *refusals) trim() {
	for len(r.fresh) > r.limits.Most || r.bytes > r.limits.MostBytes {
		r.bytes -= int64(len(r.fresh[0].delivery.Body))
		r.fresh[0] = refusal{}
		r.fresh = r.fresh[1:]
	}
}

// keepRefusals writes what was refused, and deletes the oldest.
func (s *Store) keepRefusals(ctx context.Context) {
	tick := time.NewTicker(refusedEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.health.away.Load() {
			continue
		}
		err := s.writeRefusals(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			s.log.Warn("webhooks that were refused cannot be written", "error", err)
		}
		failing = err != nil
	}
}

func (s *Store) writeRefusals(ctx context.Context) error {
	r := &s.refusals
	r.mu.Lock()
	fresh := r.fresh
	r.fresh, r.bytes = nil, 0
	r.mu.Unlock()
	if len(fresh) == 0 {
		return nil
	}
	err := s.insertRefused(ctx, fresh)
	if err != nil && !ownFault(err) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.fresh = append(fresh, r.fresh...)
		r.bytes = 0
		for _, f := range r.fresh {
			r.bytes += int64(len(f.delivery.Body))
		}
		r.trim()
	}
	return known(err)
}

// insertRefused writes what was refused, and deletes the oldest. What is there already
// is left alone.
func (s *Store) insertRefused(ctx context.Context, fresh []refusal) error {
	limits := s.refusals.limits
	return pgx.BeginFunc(ctx, s.writes, func(tx pgx.Tx) error {
		if err := s.queries.InsertRefused(ctx, tx, refusedParams(fresh)); err != nil {
			return err
		}
		return s.queries.DeleteOldRefused(ctx, tx, db.DeleteOldRefusedParams{MostRows: int64(limits.Most), MostBytes: limits.MostBytes})
	})
}

func refusedParams(fresh []refusal) (a db.InsertRefusedParams) {
	for _, f := range fresh {
		d := f.delivery
		body := d.Body
		if body == nil {
			body = []byte{} // nil would be NULL
		}
		a.ReceivedAt, a.DeliveryID = append(a.ReceivedAt, ReceivedAt(d.ID)), append(a.DeliveryID, d.ID)
		a.TokenHash, a.Reason = append(a.TokenHash, f.hash), append(a.Reason, string(f.reason))
		a.Webhook, a.RemoteAddr = append(a.Webhook, aifi.CleanText(string(d.Webhook))), append(a.RemoteAddr, aifi.CleanText(d.RemoteAddr))
		a.Path, a.Headers = append(a.Path, aifi.CleanText(d.Path)), append(a.Headers, headersJSON(cleanHeaders(d.Headers)))
		a.Body, a.BodySize = append(a.Body, body), append(a.BodySize, int64(len(body)))
		a.Truncated = append(a.Truncated, d.Truncated)
	}
	return a
}

// Refused is a page of refused webhooks, newest first. They belong to no store yet: whose
// scope is limited to some, be it to the unknown one, sees nothing.
func (s *Store) Refused(ctx context.Context, scope Scope, f Filter, p Page) ([]Refused, *Position, error) {
	if scope.limited {
		return nil, nil, nil
	}
	args := refusedArgs(f)
	args.RowLimit = oneMore(p)
	var err error
	if args.AfterTime, args.AfterID, err = timeAndID(p.After); err != nil {
		return nil, nil, err
	}
	rows, err := s.queries.ListRefused(ctx, s.reads, args)
	if err != nil {
		return nil, nil, known(err)
	}
	items := make([]Refused, len(rows))
	for i, r := range rows {
		items[i] = refusedOf(r)
	}
	items, next := paged(items, p, func(r Refused) Position { return Position{Time: r.ReceivedAt, ID: r.ID.String()} })
	return items, next, nil
}

// ExportRefused gives all refused webhooks from one snapshot, newest first.
func (s *Store) ExportRefused(ctx context.Context, scope Scope, f Filter, each func(Refused) error) error {
	if scope.limited {
		return nil
	}
	return s.export(ctx, func(tx pgx.Tx) error {
		return s.queries.StreamRefused(ctx, tx, refusedArgs(f), func(r db.ListRefusedRow) error { return each(refusedOf(r)) })
	})
}

func refusedArgs(f Filter) db.ListRefusedParams {
	return db.ListRefusedParams{Webhooks: f.Webhooks, Fingerprints: f.TokenFingerprints, Replayed: f.Replayed, FromTime: f.From, ToTime: f.To}
}

func refusedOf(r db.ListRefusedRow) Refused {
	headers := map[string]string{}
	_ = json.Unmarshal(r.Headers, &headers) // written by ourselves
	return Refused{
		ID: r.DeliveryID, ReceivedAt: r.ReceivedAt, TokenFingerprint: fingerprintOf(r.TokenHash), Reason: Refusal(r.Reason),
		Webhook: r.Webhook, RemoteAddr: r.RemoteAddr, Path: r.Path, Headers: headers, BodySize: r.BodySize, Truncated: r.Truncated, ReplayedAt: r.ReplayedAt,
	}
}

// ReplayRefused records a refused webhook through the one write path, with its own id
// and time, on the word of whoever replays it. ErrNotFound if it is not among the refused,
// or was erased meanwhile. One that was replayed before is left alone.
func (s *Store) ReplayRefused(ctx context.Context, scope Scope, id uuid.UUID) (Receipt, error) {
	if scope.limited {
		return Receipt{}, ErrNotFound
	}
	r, err := s.queries.GetRefused(ctx, s.office, db.GetRefusedParams{ReceivedAt: ReceivedAt(id), DeliveryID: id})
	if err != nil {
		return Receipt{}, known(err)
	}
	if r.ReplayedAt != nil {
		return Receipt{Status: Replayed}, nil
	}
	headers := map[string]string{}
	_ = json.Unmarshal(r.Headers, &headers) // written by ourselves
	p, err := s.newPending(Delivery{
		ID: r.DeliveryID, Webhook: aifi.Webhook(r.Webhook), Path: r.Path, Headers: headers, RemoteAddr: r.RemoteAddr,
		TokenScope: scope, Body: r.Body, Truncated: r.Truncated,
	})
	if err != nil {
		return Receipt{}, err
	}
	p.wasRefused = true
	receipt, err := s.commitPending(ctx, p)
	s.replica.staffWrote()
	return receipt, err
}
