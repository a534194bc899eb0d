package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
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
	TokenHash  string            `json:"tokenHash,omitempty"` // SHA-256 in hexadecimal; the token is still to be looked up
}

// encodeSpooled makes a record of the spool: the length of the metadata, the
// metadata as JSON, and the verbatim body. tokenHash is nil unless the token is still to
// be looked up.
func encodeSpooled(d Delivery, tokenHash []byte) ([]byte, error) {
	meta, err := json.Marshal(spooledDelivery{
		ID: d.ID, Webhook: string(d.Webhook), Path: d.Path, Headers: d.Headers, RemoteAddr: d.RemoteAddr, TokenID: d.TokenID,
		Limited: d.TokenScope.limited, Stores: d.TokenScope.stores, Truncated: d.Truncated, TokenHash: hex.EncodeToString(tokenHash),
	})
	if err != nil {
		return nil, fmt.Errorf("encoding a delivery for the spool: %w", err)
	}
	record := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen32+len(meta)+len(d.Body)), uint64(len(meta)))
	return append(append(record, meta...), d.Body...), nil
}

var errNotSpooled = errors.New("not a delivery as the spool holds them")

// decodeSpooled reads a record of the spool. The body is a part of the record.
func decodeSpooled(record []byte) (d Delivery, tokenHash []byte, err error) {
	size, n := binary.Uvarint(record)
	if n <= 0 || size > uint64(len(record[n:])) {
		return d, nil, errNotSpooled
	}
	meta, body := record[n:n+int(size)], record[n+int(size):] //nolint:gosec // no longer than the record
	var s spooledDelivery
	if err := json.Unmarshal(meta, &s); err != nil {
		return d, nil, fmt.Errorf("%w: %w", errNotSpooled, err)
	}
	d = Delivery{
		ID: s.ID, Webhook: aifi.Webhook(s.Webhook), Path: s.Path, Headers: s.Headers, RemoteAddr: s.RemoteAddr,
		TokenID: s.TokenID, Body: body, Truncated: s.Truncated,
	}
	if s.Limited {
		d.TokenScope = OnlyStores(s.Stores)
	}
	if ReceivedAt(d.ID).IsZero() {
		return d, nil, fmt.Errorf("%w: its id is not a UUIDv7", errNotSpooled)
	}
	if s.TokenHash == "" {
		return d, nil, nil
	}
	if tokenHash, err = hex.DecodeString(s.TokenHash); err != nil || len(tokenHash) != sha256.Size {
		return d, nil, fmt.Errorf("%w: its token has no SHA-256", errNotSpooled)
	}
	return d, tokenHash, nil
}
