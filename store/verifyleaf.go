package store

import (
	"bytes"
	"context"
	"crypto/sha256"

	"github.com/google/uuid"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

type evidenceRow = db.DeliveryEvidenceRow

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
	case r == nil:
		fault(Missing, "delivery", "its row is gone")
		return
	case r.Body == nil:
		fault(Missing, "body", "its row is gone")
		return
	case len(r.Secret) != len(translog.Secret{}):
		fault(Unverifiable, "body", "the secret of its commitments is gone")
		return
	case r.EventID == nil && (r.StatedEventID != nil || l.kind == translog.Replay):
		fault(Missing, "event", "the row of what it states is gone")
		return
	}
	leaf, _, err := leafOfRow(l.kind, r)
	if err != nil {
		fault(Tampered, "row", err.Error())
		return
	}
	if l.now = leaf.Hash(); l.now == l.hash {
		v.personal(l)
	}
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
	if l.kind == translog.Access {
		return l.finding(Tampered, "access", "its row was changed")
	}
	f := l.finding(Tampered, "row", "")
	r := *l.row
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
			leaf, secret, err := leafOfRow(l.kind, &r)
			leaf.Facts = secret.Facts().Commit(facts.Append(nil))
			if err == nil && leaf.Hash() == l.hash {
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
