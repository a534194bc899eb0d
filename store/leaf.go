package store

import (
	"maps"

	"aifi-audit/store/aifi"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// evidence is what a delivery brings to its leaf beside its rows.
type evidence struct {
	secret translog.Secret
	body   translog.Commitment
}

// commitToBody draws the delivery's secret. It does the larger part of a leaf's work,
// and runs where many deliveries do so at once.
func (s *Store) commitToBody(body []byte) (*evidence, error) {
	secret, err := translog.NewSecret(s.random)
	if err != nil {
		return nil, err
	}
	return &evidence{secret, secret.Body().Commit(body)}, nil
}

// leaf is the log's record of a delivery, or of what a replay made of it. first says
// that it is the first to state its event.
func (p *pending) leaf(first bool) translog.Leaf {
	facts := p.facts(first)
	l := translog.Leaf{
		Kind: translog.Delivery, ID: p.delivery.ID, At: p.receivedAt, StoreID: p.storeID(),
		Webhook: string(p.delivery.Webhook), Body: p.evidence.body,
		Facts: p.evidence.secret.Facts().Commit(facts.Append(nil)),
	}
	if p.replayed != nil {
		l.Kind = translog.Replay
	}
	return l
}

// facts are those that the delivery's rows will have.
func (p *pending) facts(first bool) translog.Facts {
	d := &p.delivery
	f := translog.Facts{
		TokenID: d.TokenID, RemoteAddr: d.RemoteAddr, Path: d.Path, Headers: d.Headers,
		BodySize: int64(len(d.Body)), Truncated: d.Truncated,
	}
	s := p.statement
	if s == nil {
		return f
	}
	if p.replayed == nil { // the delivery's own row stays as it was
		f.SessionID, f.IssuedAt = s.SessionID, s.TimeOfIssue
	}
	f.Event = logrows.EventFacts(s, p.occurredAt())
	if first {
		f.Event.First, f.Event.ReceivedAt, f.Event.IssuedAt = true, p.receivedAt, s.TimeOfIssue
	}
	return f
}

func cleanHeaders(headers map[string]string) map[string]string {
	clean := maps.Clone(headers)
	for name, value := range clean {
		clean[name] = aifi.CleanText(value)
	}
	return clean
}
