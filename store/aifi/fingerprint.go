package aifi

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// fingerprint identifies what is stated: two bodies that state the same facts have
// the same fingerprint, however and whenever they were sent, and different facts
// never share one. It is the first half of the SHA-256 of the facts, each behind
// its tag and its length, so that no two lists of facts look alike.
//
// It covers the webhook; the ids of store, event, session, shopper and customer;
// the time of origin; flags, products and gondolas, each as a set; payment provider,
// token, token type, check-in device and personal info; and, in canonical form,
// every member of the envelope, and of its objects shopper, store, payment and
// customerPersonalInfo, that Decode does not know or cannot use.
//
// It does not cover the time of issue, nor the states of session and customer,
// which have histories of their own.
//
// The statement of a body that could not be read to the letter says less than the
// body. The fingerprint then covers the whole body too: it identifies these very
// bytes, and merges nothing.
func (r *reader) fingerprint(webhook Webhook, body []byte) [16]byte {
	s := r.statement
	b := appendText(r.hash[:0], "domain", "aifi-audit event 1")
	b = appendText(b, "webhook", string(webhook))
	b = appendNumber(b, "store", s.StoreID)
	b = appendNumber(b, "other store", r.otherStoreID())
	b = appendText(b, "store external", s.StoreExternalID)
	b = appendText(b, "store unique", s.AifiUniqueStoreID)
	b = appendText(b, "event", s.EventID)
	b = appendText(b, "session", s.SessionID)
	b = appendText(b, "other session", r.otherSessionID())
	if !s.TimeOfOrigin.IsZero() {
		b = binary.AppendVarint(appendBytes(b, "origin"), s.TimeOfOrigin.UnixMicro()) // 0 is a time
	}
	b = appendText(b, "shopper", s.ShopperID)
	b = appendText(b, "other shopper", other(s.ShopperID, r.shopperID))
	b = appendText(b, "customer", s.CustomerID())
	b = appendSet(b, "shopper flags", s.ShopperFlags)
	b = appendSet(b, "session flags", s.SessionFlags)
	b = appendSet(b, "webhook flags", s.WebhookFlags)
	b = appendSet(b, "products", s.ProductIDs)
	b = appendSet(b, "gondolas", s.GondolaIDs)
	b = appendText(b, "payment", s.PaymentProvider)
	b = appendText(b, "token", s.Token)
	b = appendText(b, "token type", s.TokenType)
	b = appendText(b, "device", s.CheckInDeviceID)
	if p := s.PersonalInfo; p != nil {
		b = appendText(b, "email", p.Email)
		b = appendText(b, "first name", p.FirstName)
		b = appendText(b, "last name", p.LastName)
		b = appendText(b, "phone", p.Phone)
		b = appendText(b, "phone number", p.PhoneNumber)
	}
	slices.SortFunc(r.rest, compareMembers)
	for _, m := range r.rest {
		b = appendBytes(appendBytes(b, "object"), m.object)
		b = appendBytes(appendBytes(b, "name"), m.name)
		b = appendCanonical(b, m.value)
	}
	if r.lossy {
		sum := sha256.Sum256(body)
		b = appendText(b, "body", string(sum[:]))
	}
	r.hash = b
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

// otherStoreID is the store's id in the store object, where it is not the one that
// counts.
func (r *reader) otherStoreID() int64 {
	if r.storeIDs.store == r.statement.StoreID {
		return 0
	}
	return r.storeIDs.store
}

// otherSessionID is the session's token, where it is not the session's id.
func (r *reader) otherSessionID() string {
	if r.statement.Session == nil {
		return ""
	}
	return other(r.statement.SessionID, r.statement.Session.SessionToken)
}

func other(id, also string) string {
	if also == id {
		return ""
	}
	return also
}

// appendText leaves out what is absent: its tag tells what is there.
func appendText(b []byte, tag, text string) []byte {
	if text == "" {
		return b
	}
	return appendBytes(appendBytes(b, tag), text)
}

func appendNumber(b []byte, tag string, n int64) []byte {
	if n == 0 {
		return b
	}
	return binary.AppendVarint(appendBytes(b, tag), n)
}

func appendSet(b []byte, tag string, list []string) []byte {
	if len(list) == 0 {
		return b
	}
	if len(list) > 1 {
		list = slices.Clone(list)
		slices.Sort(list)
		list = slices.Compact(list)
	}
	b = binary.AppendUvarint(appendBytes(b, tag), uint64(len(list)))
	for _, text := range list {
		b = appendBytes(b, text)
	}
	return b
}

func appendBytes[T ~string | ~[]byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func compareMembers(a, b member) int {
	if c := strings.Compare(a.object, b.object); c != 0 {
		return c
	}
	return slices.Compare(a.name, b.name)
}

var (
	canonical = []jsontext.Options{jsontext.ReorderRawObjects(true), jsontext.CanonicalizeRawInts(true), jsontext.CanonicalizeRawFloats(true)}
	reordered = []jsontext.Options{jsontext.ReorderRawObjects(true)}
)

// appendCanonical appends a value in the canonical form of RFC 8785. That form
// holds numbers as floats: where they would lose digits (ids of 64 bits do), all
// numbers of the value stay as they are written. A value that has no canonical form
// (names twice, broken text) stands for itself.
func appendCanonical(b []byte, v jsontext.Value) []byte {
	options := canonical
	if !numbers(v, fitsFloat) {
		options = reordered
	}
	text, err := jsontext.AppendFormat(nil, v, options...)
	if err != nil {
		return appendBytes(appendBytes(b, "raw"), v)
	}
	return appendBytes(appendBytes(b, "canonical"), text)
}

// fitsFloat reports whether the value of a number can be told from that of every
// other such number when both are floats: up to 15 digits can, far from the limits
// of the exponent.
func fitsFloat(literal []byte) bool {
	const maxDigits, maxExponent = 15, 200
	digits := 0
	for _, c := range literal {
		if c == 'e' || c == 'E' {
			break
		}
		if '0' <= c && c <= '9' {
			digits++
		}
	}
	exponent := exponentOf(literal)
	return digits <= maxDigits && -maxExponent <= exponent && exponent <= maxExponent
}
