package aifi

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// fingerprint identifies what is stated: equal facts have equal fingerprints,
// however and whenever they were sent. It does not cover the time of issue, nor the
// state of the session and the customer, which have histories of their own.
// bodyHash, if not nil, makes a body that was not read to the letter equal to
// itself only.
func fingerprint(e *envelope, bodyHash []byte) [16]byte {
	s := e.statement
	w := writer{hash: sha256.New()}
	w.text("aifi-audit event 1")
	w.text(string(s.Webhook))
	w.number(s.StoreID)
	w.text(s.StoreExternalID)
	w.text(s.EventID)
	w.text(s.SessionID)
	w.time(s.TimeOfOrigin)
	w.bytes(e.timeOfOrigin)
	w.text(s.ShopperID)
	w.text(s.CustomerID())
	w.set(s.ShopperFlags)
	w.set(s.SessionFlags)
	w.set(s.WebhookFlags)
	w.set(s.ProductIDs)
	w.set(s.GondolaIDs)
	w.text(s.Token)
	w.text(s.TokenType)
	w.text(s.CheckInDeviceID)
	if p := s.PersonalInfo; p != nil {
		w.set([]string{"email" + p.Email, "first" + p.FirstName, "last" + p.LastName, "phone" + p.Phone, "number" + p.PhoneNumber})
	}
	w.number(int64(len(e.unknown)))
	slices.SortStableFunc(e.unknown, func(a, b member) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	for _, m := range e.unknown {
		v := jsontext.Value(m.value)
		// What cannot be canonical stands for itself.
		_ = v.Canonicalize()
		w.text(m.name)
		w.bytes(v)
	}
	w.bytes(bodyHash)
	return [16]byte(w.hash.Sum(nil))
}

// writer feeds a hash unambiguously: every part is preceded by its length.
type writer struct{ hash hash.Hash }

func (w writer) bytes(b []byte) {
	w.number(int64(len(b)))
	w.hash.Write(b)
}

func (w writer) text(s string) { w.bytes([]byte(s)) }

func (w writer) number(n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n)) //nolint:gosec // two's complement is what is wanted
	w.hash.Write(b[:])
}

func (w writer) time(t time.Time) {
	if t.IsZero() {
		w.text("")
		return
	}
	w.text("t")
	w.number(t.UnixMicro())
}

func (w writer) set(list []string) {
	sorted := slices.Compact(slices.Sorted(slices.Values(list)))
	w.number(int64(len(sorted)))
	for _, s := range sorted {
		w.text(s)
	}
}
