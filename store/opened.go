package store

import (
	"fmt"

	"aifi-audit/store/bodycodec"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

type evidenceRow = db.DeliveryEvidenceRow

// opened is a leaf made from what the database holds, with what opens its
// commitments.
type opened struct {
	Leaf      translog.Leaf
	Facts     *translog.Facts        // nil of an erasure
	FactsSalt translog.Salt          // of Facts, or of the reason of an erasure
	BodySalt  *translog.Salt         // nil: erased
	Body      []byte                 // nil: erased
	Erasure   *translog.ErasureFacts // of an erasure
}

// openRow makes a leaf of a delivery from its rows.
func openRow(kind translog.Kind, r *evidenceRow) (opened, error) {
	body := r.Body
	if body != nil {
		var err error
		if body, err = bodycodec.Decode(nil, r.Encoding, r.Body, bodycodec.MaxSize); err != nil {
			return opened{}, fmt.Errorf("the body of %s: %w: %w", r.ID, ErrTampered, err)
		}
	}
	return openParsed(kind, r, body, headersOf(r.Headers))
}

// openParsed is openRow for a row whose body and headers were read already.
func openParsed(kind translog.Kind, r *evidenceRow, body []byte, headers map[string]string) (opened, error) {
	o := opened{Leaf: translog.Leaf{Kind: kind, ID: r.ID, At: r.ReceivedAt, StoreID: r.StoreID, Webhook: r.Webhook}, Body: body}
	if kind == translog.Replay && r.EventStoreID != nil {
		o.Leaf.StoreID = *r.EventStoreID
	}
	switch {
	case body != nil && len(r.Secret) == len(translog.Secret{}):
		secret := translog.Secret(r.Secret)
		salt := secret.Body()
		o.BodySalt, o.FactsSalt, o.Leaf.Body = &salt, secret.Facts(), salt.Commit(body)
	case body != nil && r.Secret == nil:
		return o, ErrUnsequenced // it came before there was a log, or its secret is gone
	case body == nil && len(r.BodyCommitment) == translog.CommitmentSize && len(r.FactsSalt) == len(translog.Salt{}):
		o.FactsSalt, o.Leaf.Body = translog.Salt(r.FactsSalt), translog.Commitment(r.BodyCommitment)
	default:
		return o, fmt.Errorf("the body of %s, or its secret: %w", r.ID, ErrTampered)
	}
	if kind == translog.Erasure {
		return o.erasure(r)
	}
	facts := factsOfRow(r, headers)
	o.Facts, o.Leaf.Facts = &facts, o.FactsSalt.Commit(facts.Append(nil))
	return o, nil
}

// erasure makes o the leaf of the delivery's erasure.
func (o opened) erasure(r *evidenceRow) (opened, error) {
	if r.ErasedAt == nil || len(r.ErasureSecret) != len(translog.Secret{}) {
		return o, fmt.Errorf("the erasure of %s: %w", r.ID, ErrTampered)
	}
	o.Erasure = &translog.ErasureFacts{Actor: orEmpty(r.Actor), Reason: orEmpty(r.Reason)}
	o.FactsSalt = translog.Secret(r.ErasureSecret).Facts()
	o.Leaf.At, o.Leaf.Facts = *r.ErasedAt, o.FactsSalt.Commit(o.Erasure.Append(nil))
	return o, nil
}
