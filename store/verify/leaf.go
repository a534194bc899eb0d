package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/aifi"
	"aifi-audit/store/bodycodec"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// openDeliveries makes the leaves of deliveries, all of one kind, and finds what is
// wrong with those that are not right.
func (o *opener) openDeliveries(ctx context.Context, c *chunk, kind translog.Kind, leaves []*storedLeaf) error {
	p := db.DeliveryEvidenceParams{Replayed: kind == translog.Replay}
	asked := make(map[uuid.UUID]bool, len(leaves))
	for _, l := range leaves {
		if !asked[l.id] { // who changed log_leaves may have written one twice
			p.ID, p.ReceivedAt = append(p.ID, l.id), append(p.ReceivedAt, logrows.ReceivedAt(l.id))
		}
		asked[l.id] = true
	}
	rows, err := o.Queries.DeliveryEvidence(ctx, o.log.Conn, p)
	var unreadable pgx.ScanArgError
	switch half := len(leaves) / 2; {
	case errors.As(err, &unreadable) && half == 0:
		leaves[0].blame(Tampered, "row", "it holds what this program never writes")
		return nil
	case errors.As(err, &unreadable):
		if err := o.openDeliveries(ctx, c, kind, leaves[:half]); err != nil {
			return err
		}
		return o.openDeliveries(ctx, c, kind, leaves[half:])
	case err != nil:
		return err
	}
	byID, twice := make(map[uuid.UUID]*logrows.Row, len(rows)), map[uuid.UUID]bool{}
	for i := range rows {
		id := rows[i].ID
		twice[id] = byID[id] != nil
		byID[id] = &rows[i]
	}
	gone := map[uuid.UUID][]*storedLeaf{}
	for _, l := range leaves {
		switch r := byID[l.id]; {
		case r == nil:
			l.blame(Missing, "delivery", "its row is gone")
			gone[l.id] = append(gone[l.id], l)
		case twice[l.id]:
			l.blame(Tampered, "row", "there is another of its id")
		case openDelivery(l, r):
			o.note(c, l, r)
		default:
			l.row = r // to be looked at, should the leaf be right
		}
	}
	return o.retire(ctx, gone)
}

// note notes what a leaf that is right is about.
func (o *opener) note(c *chunk, l *storedLeaf, r *logrows.Row) {
	if l.kind == translog.Delivery {
		o.tallier.delivery(&c.tallies, r)
		if r.Body == nil {
			c.erasures = append(c.erasures, erasedLeaf{l.index, l.id, *r.ErasedAt, translog.Erasure})
		}
	}
	if l.kind == translog.Replay {
		o.tallier.replay(&c.tallies, r)
	}
	if l.kind != translog.Erasure {
		o.tallier.event(&c.tallies, r)
	}
}

// openAccess makes the leaves of entries of the access log, all of one kind.
func (o *opener) openAccess(ctx context.Context, c *chunk, kind translog.Kind, leaves []*storedLeaf) error {
	ids := make([]uuid.UUID, len(leaves))
	for i, l := range leaves {
		ids[i] = l.id
	}
	rows, err := o.Queries.AccessEvidence(ctx, o.log.Conn, ids)
	if err != nil {
		return err
	}
	byID := make(map[uuid.UUID]*db.AccessEvidenceRow, len(rows))
	for i := range rows {
		byID[*rows[i].EntryID] = &rows[i]
	}
	for _, l := range leaves {
		r := byID[l.id]
		if r == nil {
			l.blame(Missing, "access", "its row is gone")
			continue
		}
		switch erased, ok := logrows.ErasedAccessLeaf(r); {
		case kind == translog.AccessErasure && ok:
			l.now = logrows.AccessErasureLeaf(r).Hash()
		case kind == translog.AccessErasure:
			l.blame(Missing, "access erasure", "what it left is gone")
		case ok:
			if l.now = erased.Hash(); l.now == l.hash {
				c.erasures = append(c.erasures, erasedLeaf{l.index, l.id, *r.ErasedAt, translog.AccessErasure})
			}
			c.tallies.access.add(rowSum(&o.tallier, 0, "", time.Time{}, l.id, ""))
		case len(r.Secret) != len(translog.Secret{}):
			l.blame(Unverifiable, "access", "the secret of its commitment is gone")
		default:
			l.now = logrows.AccessLeaf(r, translog.Secret(r.Secret)).Hash()
			c.tallies.access.add(rowSum(&o.tallier, 0, "", time.Time{}, l.id, ""))
		}
	}
	return nil
}

// openCertificates makes the leaves of the statements of what was erased.
func (o *opener) openCertificates(ctx context.Context, leaves []*storedLeaf) error {
	rows, err := o.Queries.ErasureResults(ctx, o.log.Conn)
	if err != nil {
		return err
	}
	byID := make(map[uuid.UUID]translog.Leaf, len(rows))
	for _, r := range rows {
		if len(r.Secret) == len(translog.Secret{}) {
			byID[r.RequestID] = logrows.CertificateLeaf(r.RequestID, r.ExecutedAt, r.Statement, translog.Secret(r.Secret).Facts())
		}
	}
	for _, l := range leaves {
		leaf, ok := byID[l.id]
		if !ok {
			l.blame(Missing, "certificate", "the statement of what was erased is gone")
			continue
		}
		l.now = leaf.Hash()
	}
	return nil
}

// openDelivery makes the leaf of a delivery from its rows, or finds why it cannot. It
// reports whether all is right.
func openDelivery(l *storedLeaf, r *logrows.Row) (right bool) {
	switch {
	case r.Body == nil && r.ErasedAt == nil:
		return l.blame(Missing, "body", "its row is gone")
	case r.Body != nil && len(r.Secret) != len(translog.Secret{}):
		return l.blame(Unverifiable, "body", "the secret of its commitments is gone")
	case l.kind != translog.Erasure && r.EventID == nil && (r.StatedEventID != nil || l.kind == translog.Replay):
		return l.blame(Missing, "event", "the row of what it states is gone")
	}
	o, err := logrows.Open(l.kind, r)
	switch {
	case errors.Is(err, bodycodec.ErrCorrupt):
		return l.blame(Tampered, "body", err.Error())
	case err != nil:
		return l.blame(Tampered, "row", err.Error())
	}
	if l.now = o.Leaf.Hash(); l.now != l.hash {
		return false
	}
	if what := personal(r, o.Body); what != "" {
		return l.blame(Tampered, what, "the event's "+what+" is not that of the body")
	}
	return true
}

// personal compares the personal columns, which no commitment covers, with the body,
// which one does. It names what is not the body's.
func personal(r *logrows.Row, body []byte) (what string) {
	if r.EventID == nil || body == nil {
		return ""
	}
	if r.EventErased && r.CustomerID == nil && r.PersonalCustomerID == nil && r.Email == nil {
		return "" // who it was about was erased before this delivery stated it again
	}
	if p, ok := aifi.DecodePerson(body); ok && impersonal(r, p) == "" {
		return ""
	}
	s, problem := aifi.Decode(aifi.Webhook(r.Webhook), body)
	if problem != nil {
		return "" // it was understood by another version of the program
	}
	return impersonal(r, aifi.Person{CustomerID: s.CustomerID(), Info: s.PersonalInfo})
}

// impersonal names what of a row is not that of a person.
func impersonal(r *logrows.Row, p aifi.Person) (what string) {
	if p.CustomerID != db.OrEmpty(r.CustomerID) {
		return "customer"
	}
	want, id := aifi.PersonalInfo{}, ""
	if p.Info != nil {
		want, id = *p.Info, p.CustomerID
	}
	have := aifi.PersonalInfo{
		Email: db.OrEmpty(r.Email), FirstName: db.OrEmpty(r.FirstName), LastName: db.OrEmpty(r.LastName), Phone: db.OrEmpty(r.Phone), PhoneNumber: db.OrEmpty(r.PhoneNumber),
	}
	if have != want || db.OrEmpty(r.PersonalCustomerID) != id {
		return "personal info"
	}
	return ""
}

// diagnose says which part of a delivery is not what its leaf committed to. The leaf
// commits to both at once, so it tries what the leaf would be if only one was changed.
func diagnose(l *storedLeaf) Finding {
	switch l.kind {
	case translog.Access, translog.AccessErasure:
		return l.finding(Tampered, "access", "its row was changed")
	case translog.Certificate:
		return l.finding(Tampered, "certificate", "the statement of what was erased was changed")
	case translog.Retirement:
		return l.finding(Tampered, "retirement", "its row was changed")
	}
	f := l.finding(Tampered, "row", "")
	r := *l.row
	if r.Body == nil {
		f.Detail = "its row, or what its erasure left, was changed"
		return f
	}
	kept, err := logrows.Open(l.kind, &r)
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	sum := sha256.Sum256(kept.Body)
	sameBody := bytes.Equal(sum[:], r.BodySha256)
	if s, problem := aifi.Decode(aifi.Webhook(r.Webhook), kept.Body); problem == nil && r.EventID != nil {
		stated := logrows.EventFacts(s, s.OccurredAt(r.ReceivedAt))
		stated.ReceivedAt, stated.IssuedAt = r.ReceivedAt, s.TimeOfIssue
		kept.Facts.Event = stated
		for _, stated.First = range []bool{true, false} {
			kept.Leaf.Facts = kept.FactsSalt.Commit(kept.Facts.Append(nil))
			if kept.Leaf.Hash() == l.hash {
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

// erasedLeaf is a leaf of which something was erased, and the kind of leaf that is to
// say so. If the log does not know of that, it was not erased by the rules.
type erasedLeaf struct {
	index int64
	id    uuid.UUID
	at    time.Time
	by    translog.Kind
}

// eachErasure names the leaf that says so of each erased delivery or entry.
func (v *verification) eachErasure(ctx context.Context) error {
	for _, e := range v.erasures {
		found, err := v.log.Locate(ctx, e.at, e.id)
		if err != nil {
			return err
		}
		f := Finding{Class: Tampered, What: "body", Leaf: &e.index, Detail: "it is gone, and the log does not know of its erasure"}.about(e.by, e.id)
		switch e.by {
		case translog.AccessErasure, translog.HoldErasure, translog.EarlyAccessErasure:
			f.What = "customer"
		case translog.NoteErasure:
			f.What = "comment"
		}
		if since, ok := v.waiting[logrows.IDOf(e.by, e.id)]; ok {
			f.Class, f.Detail = Erased, "its leaf waits in the queue"
			if v.Now.Sub(since.at) >= waitsTooLong {
				f.Class, f.What = Unsequenced, "erasure"
			}
		}
		for _, at := range found {
			if at.Kind == e.by {
				f.Class, f.ErasedBy, f.Detail = Erased, &at.Index, ""
			}
		}
		v.found(f)
	}
	return nil
}
