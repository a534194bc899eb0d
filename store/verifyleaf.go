package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// openDeliveries makes the leaves of deliveries, all of one kind.
func (v *verification) openDeliveries(ctx context.Context, kind translog.Kind, leaves []*storedLeaf) error {
	p := db.DeliveryEvidenceParams{Replayed: kind == translog.Replay}
	for _, l := range leaves {
		p.ID, p.ReceivedAt = append(p.ID, l.id), append(p.ReceivedAt, ReceivedAt(l.id))
	}
	rows, err := v.queries.DeliveryEvidence(ctx, v.log.conn, p)
	if err != nil {
		return err
	}
	byID := make(map[uuid.UUID]*evidenceRow, len(rows))
	for i := range rows {
		byID[rows[i].ID] = &rows[i]
	}
	for _, l := range leaves {
		l.row = byID[l.id]
	}
	if err := v.retire(ctx, leaves); err != nil {
		return err
	}
	for _, l := range leaves {
		v.openDelivery(l)
	}
	return nil
}

// openAccess makes the leaves of entries of the access log.
func (v *verification) openAccess(ctx context.Context, leaves []*storedLeaf) error {
	ids := make([]uuid.UUID, len(leaves))
	for i, l := range leaves {
		ids[i] = l.id
	}
	rows, err := v.queries.AccessEvidence(ctx, v.log.conn, ids)
	if err != nil {
		return err
	}
	byID := make(map[uuid.UUID]*db.AccessEvidenceRow, len(rows))
	for i := range rows {
		byID[*rows[i].EntryID] = &rows[i]
	}
	for _, l := range leaves {
		var f Finding
		switch r := byID[l.id]; {
		case r == nil:
			f = l.finding(Missing, "access", "its row is gone")
		case len(r.Secret) != len(translog.Secret{}):
			f = l.finding(Unverifiable, "access", "the secret of its commitment is gone")
		default:
			l.now = accessLeaf(r, translog.Secret(r.Secret)).Hash()
			continue
		}
		l.fault = &f
	}
	return nil
}

// openDelivery makes the leaf of a delivery from its rows, or finds why it cannot.
func (v *verification) openDelivery(l *storedLeaf) {
	fault := func(class Class, what, detail string) {
		f := l.finding(class, what, detail)
		l.fault = &f
	}
	r := l.row
	switch {
	case r == nil && l.retired != nil:
		l.now = l.hash // it cannot be made any more
		if l.kind == translog.Delivery {
			l.retired.found++
		}
		return
	case r == nil:
		fault(Missing, "delivery", "its row is gone")
		return
	case r.Body == nil && r.ErasedAt == nil:
		fault(Missing, "body", "its row is gone")
		return
	case r.Body != nil && len(r.Secret) != len(translog.Secret{}):
		fault(Unverifiable, "body", "the secret of its commitments is gone")
		return
	case l.kind != translog.Erasure && r.EventID == nil && (r.StatedEventID != nil || l.kind == translog.Replay):
		fault(Missing, "event", "the row of what it states is gone")
		return
	}
	o, err := openRow(l.kind, r)
	if err != nil {
		fault(Tampered, "row", err.Error())
		return
	}
	if l.now = o.Leaf.Hash(); l.now != l.hash {
		return
	}
	if r.Body == nil {
		v.erased(l)
		return
	}
	v.personal(l)
}

// personal compares the personal columns, which no commitment covers, with the body,
// which one does.
func (v *verification) personal(l *storedLeaf) {
	r := l.row
	if r.EventID == nil {
		return
	}
	s, problem := aifi.Decode(aifi.Webhook(r.Webhook), r.Body)
	if problem != nil {
		return // it was understood by another version of the program
	}
	if s.CustomerID() != orEmpty(r.CustomerID) {
		f := l.finding(Tampered, "customer", "the event's customer is not that of the body")
		l.fault = &f
		return
	}
	want, id := aifi.PersonalInfo{}, ""
	if s.PersonalInfo != nil {
		want, id = *s.PersonalInfo, s.CustomerID()
	}
	have := aifi.PersonalInfo{
		Email: orEmpty(r.Email), FirstName: orEmpty(r.FirstName), LastName: orEmpty(r.LastName), Phone: orEmpty(r.Phone), PhoneNumber: orEmpty(r.PhoneNumber),
	}
	if have != want || orEmpty(r.PersonalCustomerID) != id {
		f := l.finding(Tampered, "personal info", "the event's personal info is not that of the body")
		l.fault = &f
	}
}

// diagnose says which part of a delivery is not what its leaf committed to. The leaf
// commits to both at once, so it tries what the leaf would be if only one was changed.
func (v *verification) diagnose(l storedLeaf) Finding {
	switch l.kind {
	case translog.Access:
		return l.finding(Tampered, "access", "its row was changed")
	case translog.Retirement:
		return l.finding(Tampered, "retirement", "its row was changed")
	}
	f := l.finding(Tampered, "row", "")
	r := *l.row
	if r.Body == nil {
		f.Detail = "its row, or what its erasure left, was changed"
		return f
	}
	sum := sha256.Sum256(r.Body)
	sameBody := bytes.Equal(sum[:], r.BodySha256)
	if s, problem := aifi.Decode(aifi.Webhook(r.Webhook), r.Body); problem == nil && r.EventID != nil {
		facts := factsOfRow(&r)
		at := s.TimeOfOrigin
		if at.IsZero() {
			at = r.ReceivedAt
		}
		stated := eventFacts(s, at)
		if facts.Event.First {
			stated.First, stated.ReceivedAt, stated.IssuedAt = true, r.ReceivedAt, s.TimeOfIssue
		}
		for _, first := range []bool{facts.Event.First, !facts.Event.First} {
			stated.First, stated.ReceivedAt, stated.IssuedAt = first, r.ReceivedAt, s.TimeOfIssue
			facts.Event = stated
			o, err := openRow(l.kind, &r)
			o.Leaf.Facts = o.FactsSalt.Commit(facts.Append(nil))
			if err == nil && o.Leaf.Hash() == l.hash {
				f.What, f.Detail = "event", "the row of what it states was changed: the body says otherwise"
				return f
			}
		}
	}
	if !sameBody {
		f.What, f.Detail = "body", "it was changed: it does not match the SHA-256 beside it either"
		return f
	}
	f.Detail = "its row, or its body and the SHA-256 beside it, or the secret, was changed"
	return f
}

// erased tells that a body was erased, by which leaf. A delivery whose body is gone
// and whose erasure the log does not know is not erased by the rules.
func (v *verification) erased(l *storedLeaf) {
	if l.kind != translog.Delivery {
		return
	}
	v.erasures = append(v.erasures, erasedLeaf{l.index, l.id, *l.row.ErasedAt})
}

// erasedLeaf is a leaf whose body was erased.
type erasedLeaf struct {
	index int64
	id    uuid.UUID
	at    time.Time
}

// eachErasure names the leaf that says so of each erased delivery.
func (v *verification) eachErasure(ctx context.Context) error {
	for _, e := range v.erasures {
		found, err := v.log.locate(ctx, e.at, e.id)
		if err != nil {
			return err
		}
		f := Finding{Class: Tampered, What: "body", DeliveryID: &e.id, Leaf: &e.index, Detail: "it is gone, and the log does not know of its erasure"}
		if since, ok := v.waiting[leafIDOf(translog.Erasure, e.id)]; ok {
			f.Class, f.Detail = Erased, "its leaf waits in the queue"
			if v.now.Sub(since) >= waitsTooLong {
				f.Class, f.What = Unsequenced, "erasure"
			}
		}
		for _, at := range found {
			if at.kind == translog.Erasure {
				f.Class, f.ErasedBy, f.Detail = Erased, &at.index, ""
			}
		}
		v.found(f)
	}
	return nil
}
