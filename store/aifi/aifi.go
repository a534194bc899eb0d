// Package aifi turns the bytes of an AiFi push webhook into what they state.
//
// It does no I/O and keeps no state. Its invariants:
//
//   - [Decode] never panics, whatever the bytes.
//   - A body is either a [Statement] or a [Problem], never both, never neither.
//   - Every string in a Statement is valid UTF-8 without NUL, every time lies in
//     the years 1 to 9999 in whole microseconds of UTC, and metadata is JSON that
//     PostgreSQL's jsonb accepts: a Statement can always be stored.
//   - Equal statements have equal fingerprints, whatever the order of keys, the
//     spacing, or the time of issue of the bodies that made them.
//
// The shapes are those of AiFi's published API documentation (Oasis cloud API,
// section "push"). AiFi's ids move from numbers to strings, so every id but the
// store's is text here, and the decoder takes a number or a string wherever an id
// stands, a value or a list wherever a list stands, null or absence anywhere.
package aifi

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Webhook is the type of a push: the path below /api/push/.
type Webhook string

// The webhooks that AiFi documents.
const (
	RestrictedProductsInteractions Webhook = "restricted-products-interactions"
	SuspectedFraud                 Webhook = "suspected-fraud"
	RemoteRegister                 Webhook = "remote-register"
	Tracking                       Webhook = "tracking"
	TransitionEntered              Webhook = "transition/entered"
	TransitionLeft                 Webhook = "transition/left"
	CheckoutZoneEntered            Webhook = "checkout-zone/entered"
	CheckoutZoneLeft               Webhook = "checkout-zone/left"
	CustomerCreated                Webhook = "customer-created"
	EntryCodeNotify                Webhook = "entry-code/notify"
	PlanogramError                 Webhook = "planogram-error"
	IdentityMatching               Webhook = "identity-matching"
	EntryCodeVerify                Webhook = "entry-code/verify"
	OrderPrice                     Webhook = "order-price"
	CartMutator                    Webhook = "cart-mutator"
	Checkout                       Webhook = "checkout"
)

// Statement is what one webhook body states. The zero value of a field means
// that the body says nothing usable about it.
type Statement struct {
	Webhook Webhook

	StoreID           int64  // storeId, or else store.oasisApiStoreId, or else session.storeId; 0 is unknown
	StoreExternalID   string // the retailer's own id of the store
	AifiUniqueStoreID string

	TimeOfOrigin time.Time // when it happened; zero if the body gives no usable time
	TimeOfIssue  time.Time // when AiFi sent it

	EventID   string
	SessionID string // sessionId, or else session.sessionId, session.sessionToken, or a registration's token
	ShopperID string // shopper.shopperId, or else shopperId
	Customer  *Customer
	Session   *Session

	ShopperFlags []string // shopper.shopperFlags
	SessionFlags []string // session.shoppingSessionFlags
	WebhookFlags []string // the deprecated shoppingSessionFlags beside the session
	ProductIDs   []string // as sent: order and repetitions are kept
	GondolaIDs   []string

	PaymentProvider string // payment.paymentProvider
	Token           string // a registration's token, which is the session's id
	TokenType       string
	CheckInDeviceID string
	PersonalInfo    *PersonalInfo

	// Unreadable names, as JSON Pointers (RFC 6901), the members whose values
	// could not be read (they are absent above), were altered to be storable (NUL,
	// lone surrogates), or stand twice in their object (the last one counts). The
	// verbatim body has them as they came.
	Unreadable []string

	// Fingerprint identifies what is stated: see fingerprint.go.
	Fingerprint [16]byte
}

// UUID is the fingerprint as a UUID.
func (s *Statement) UUID() uuid.UUID { return UUIDOf(s.Fingerprint) }

// UUIDOf makes a hash a UUIDv8 (RFC 9562).
func UUIDOf(hash [16]byte) uuid.UUID {
	id := uuid.UUID(hash)
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// OccurredAt is when it happened, as far as is known, in PostgreSQL's whole microseconds:
// else when it was received.
func (s *Statement) OccurredAt(receivedAt time.Time) time.Time {
	if t := s.TimeOfOrigin; !t.IsZero() {
		return t.Truncate(time.Microsecond)
	}
	return receivedAt
}

// Flags are those of the shopper, of the session and of the webhook, in order, each once.
func (s *Statement) Flags() []string {
	return Distinct(s.ShopperFlags, s.SessionFlags, s.WebhookFlags)
}

// Distinct joins lists, in order, each string once. A list may be as long as a body.
func Distinct(lists ...[]string) []string {
	var out []string
	had := map[string]bool{}
	for _, list := range lists {
		for _, s := range list {
			if !had[s] {
				had[s] = true
				out = append(out, s)
			}
		}
	}
	return out
}

// CustomerID is the customer's id, taken from the session where the body has no
// customer of its own; "" if neither names one.
func (s *Statement) CustomerID() string {
	if s.Customer != nil && s.Customer.ID != "" {
		return s.Customer.ID
	}
	if s.Session != nil {
		return s.Session.CustomerID
	}
	return ""
}

// Customer is AiFi's customer object.
type Customer struct {
	ID         string
	ExternalID string
	Role       string // customer, employee, tester, untracked, unknown, or what AiFi adds
	Metadata   []byte // JSON; nil if absent
}

// PersonalInfo is AiFi's customerPersonalInfo object: personal data.
type PersonalInfo struct {
	Email       string
	FirstName   string
	LastName    string
	Phone       string
	PhoneNumber string
}

// Session is the state of a shopping session as one webhook reports it. Pointers
// are nil where the body says nothing, so that 0 and false stay facts.
type Session struct {
	ID                          string // AiFi's internal number; sessions are named by SessionID
	SessionID                   string
	SessionToken                string
	ReferencedSessionID         string
	CustomerID                  string
	Code                        string
	Status                      string
	LocationID                  string
	StoreID                     *int64
	StoreIDScannableAt          string
	CustomerPaymentInstrumentID string

	CustomerSatisfaction          *int64
	CustomerSatisfactionSubmitted *bool
	GroupSize                     *int64
	Visitors                      *int64
	Priority                      *int64
	SuspectedFraud                *bool

	CreatedAt                      time.Time
	UpdatedAt                      time.Time
	ExpiresAt                      time.Time
	CodeFirstSuccessfullyScannedAt time.Time // AiFi spells it codeFirstSuccesfullyScannedAt
	CodeLastSuccessfullyScannedAt  time.Time
	CustomerFirstEnteredAt         time.Time
	CustomerLastEnteredAt          time.Time
	CustomerFirstExitedAt          time.Time
	CustomerLastExitedAt           time.Time

	Metadata []byte // JSON; nil if absent
}

// Problem says why a body could not be understood. Both parts are safe to show to
// the sender: they never quote the body's values.
type Problem struct {
	Reason  Reason
	Pointer string // JSON Pointer (RFC 6901) to the member at fault; "" is the whole body
	Detail  string // one English sentence without a full stop
}

// Reason classifies problems. The values are stable: they are stored and served.
type Reason string

// The reasons for which Decode refuses a body.
const (
	NotJSON       Reason = "not_json"       // syntax error, wrong encoding, empty, or more than one value
	NotAnObject   Reason = "not_an_object"  // JSON, but not an object
	TooDeep       Reason = "too_deep"       // nested deeper than MaxDepth
	WrongType     Reason = "wrong_type"     // an id, a list of ids or an object of the envelope has an unusable type
	StatesNothing Reason = "states_nothing" // one of the modelled webhooks without anything to model
)

// Reasons are all of them.
func Reasons() []Reason { return []Reason{NotJSON, NotAnObject, TooDeep, WrongType, StatesNothing} }

// Error makes a Problem an error.
func (p *Problem) Error() string {
	if p.Pointer == "" {
		return fmt.Sprintf("%s: %s", p.Reason, p.Detail)
	}
	return fmt.Sprintf("%s at %s: %s", p.Reason, p.Pointer, p.Detail)
}
