package store

import (
	"crypto/sha256"

	"github.com/google/uuid"
)

// prepared is what a delivery's rows need that takes time to work out. It is done before
// the delivery is queued, where many do so at once, so that its flusher need not.
type prepared struct {
	bodySHA256 []byte
	head       head
	headID     uuid.UUID
	ownHeaders string // as JSON; "" if there are none beside the head's
	firstLeaf  []byte // if it is the first to state its event, as nearly all are
}

// prepare is to be called again when the statement has changed.
func (p *pending) prepare() {
	sum := sha256.Sum256(p.delivery.Body)
	head, own := headOf(&p.delivery)
	p.prepared = prepared{bodySHA256: sum[:], head: head, headID: head.id(), ownHeaders: own}
	if p.evidence != nil {
		p.prepared.firstLeaf = p.leaf(true).Append(nil)
	}
}

// leafBytes is the leaf in its binary form, which nobody changes.
func (p *pending) leafBytes(first bool) []byte {
	if first {
		return p.prepared.firstLeaf
	}
	return p.leaf(false).Append(nil)
}
