package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"aifi-audit/store/aifi"
)

// spooledDelivery is a delivery's metadata as the spool holds it, before the body.
// Members may be added; none may change its meaning, since records of older programs
// are drained by newer ones.
type spooledDelivery struct {
	ID         uuid.UUID         `json:"id"`
	Webhook    string            `json:"webhook"`
	Path       string            `json:"path"`
	Headers    map[string]string `json:"headers,omitempty"`
	RemoteAddr string            `json:"remoteAddr"`
	TokenID    int64             `json:"tokenId"`
	Limited    bool              `json:"limited,omitempty"` // the token is limited to Stores
	Stores     []int64           `json:"stores,omitempty"`
	Truncated  bool              `json:"truncated,omitempty"`
}

// encodeSpooled makes a record of the spool: the length of the metadata, the
// metadata as JSON, and the verbatim body.
func encodeSpooled(d Delivery) ([]byte, error) {
	meta, err := json.Marshal(spooledDelivery{
		ID: d.ID, Webhook: string(d.Webhook), Path: d.Path, Headers: d.Headers, RemoteAddr: d.RemoteAddr, TokenID: d.TokenID,
		Limited: d.TokenScope.limited, Stores: d.TokenScope.stores, Truncated: d.Truncated,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding a delivery for the spool: %w", err)
	}
	record := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen32+len(meta)+len(d.Body)), uint64(len(meta)))
	return append(append(record, meta...), d.Body...), nil
}

var errNotSpooled = errors.New("not a delivery as the spool holds them")

// decodeSpooled reads a record of the spool. The body is a part of the record.
func decodeSpooled(record []byte) (Delivery, error) {
	size, n := binary.Uvarint(record)
	if n <= 0 || size > uint64(len(record[n:])) {
		return Delivery{}, errNotSpooled
	}
	meta, body := record[n:n+int(size)], record[n+int(size):] //nolint:gosec // no longer than the record
	var s spooledDelivery
	if err := json.Unmarshal(meta, &s); err != nil {
		return Delivery{}, fmt.Errorf("%w: %w", errNotSpooled, err)
	}
	d := Delivery{
		ID: s.ID, Webhook: aifi.Webhook(s.Webhook), Path: s.Path, Headers: s.Headers, RemoteAddr: s.RemoteAddr,
		TokenID: s.TokenID, Body: body, Truncated: s.Truncated,
	}
	if s.Limited {
		d.TokenScope = OnlyStores(s.Stores)
	}
	if ReceivedAt(d.ID).IsZero() {
		return Delivery{}, fmt.Errorf("%w: its id is not a UUIDv7", errNotSpooled)
	}
	return d, nil
}
