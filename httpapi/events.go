package httpapi

import (
	"context"
	"slices"
	"time"

	"aifi-audit/store"
)

// event is an event's JSON, in AiFi's words.
type event struct {
	ID               string     `json:"id"`
	Webhook          string     `json:"webhook"`
	DeliveryID       string     `json:"deliveryId"`
	EventID          *string    `json:"eventId"`
	StoreID          int64      `json:"storeId"`
	StoreExternalID  *string    `json:"storeExternalId"`
	SessionID        *string    `json:"sessionId"`
	CustomerID       *string    `json:"customerId"`
	ShopperID        *string    `json:"shopperId"`
	OccurredAt       time.Time  `json:"occurredAt"`
	OccurredAtKnown  bool       `json:"occurredAtKnown"`
	IssuedAt         *time.Time `json:"issuedAt"`
	ReceivedAt       time.Time  `json:"receivedAt"`
	Flags            []string   `json:"flags"`
	ProductIDs       []string   `json:"productIds"`
	GondolaIDs       []string   `json:"gondolaIds"`
	PaymentProvider  *string    `json:"paymentProvider,omitempty"`
	TokenType        *string    `json:"tokenType,omitempty"`
	CheckInDeviceID  *string    `json:"checkInDeviceId,omitempty"`
	PersonalInfo     *person    `json:"customerPersonalInfo,omitempty"`
	UnreadableFields []string   `json:"unreadableFields,omitempty"`
	review
}

// review is the part of an event's JSON that staff gave it.
type review struct {
	Disposition   *store.Disposition `json:"disposition"`
	DispositionAt *time.Time         `json:"dispositionAt"`
	DispositionBy *string            `json:"dispositionBy"`
	Notes         int64              `json:"notes"`
}

type person struct {
	Email       *string `json:"email"`
	FirstName   *string `json:"firstName"`
	LastName    *string `json:"lastName"`
	Phone       *string `json:"phone"`
	PhoneNumber *string `json:"phoneNumber"`
}

func eventJSON(e store.Event) event {
	out := event{
		ID: e.ID.String(), Webhook: e.Webhook, DeliveryID: e.DeliveryID.String(), EventID: e.EventID, StoreID: e.StoreID,
		StoreExternalID: e.StoreExternalID, SessionID: e.SessionID, CustomerID: e.CustomerID, ShopperID: e.ShopperID,
		OccurredAt: e.OccurredAt.UTC(), OccurredAtKnown: e.OccurredAtKnown, IssuedAt: utc(e.IssuedAt), ReceivedAt: e.ReceivedAt.UTC(),
		Flags: e.Flags, ProductIDs: e.ProductIDs, GondolaIDs: e.GondolaIDs, PaymentProvider: e.PaymentProvider,
		TokenType: e.TokenType, CheckInDeviceID: e.CheckInDeviceID, UnreadableFields: e.Unreadable,
		review: review{e.Review.Disposition, utc(e.Review.DispositionAt), e.Review.DispositionBy, e.Review.Notes},
	}
	if p := e.PersonalInfo; p != (store.PersonalInfo{}) {
		out.PersonalInfo = &person{p.Email, p.FirstName, p.LastName, p.Phone, p.PhoneNumber}
	}
	return out
}

// eventItem is eventJSON as an item of a list.
func eventItem(e store.Event) any { return eventJSON(e) }

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

var eventColumns = []column[store.Event]{
	{"id", func(c *cells, e *store.Event) { c.id(e.ID) }},
	{"delivery_id", func(c *cells, e *store.Event) { c.id(e.DeliveryID) }},
	{"event_id", func(c *cells, e *store.Event) { c.maybeText(e.EventID) }},
	{"store_id", func(c *cells, e *store.Event) { c.integer(e.StoreID) }},
	{"store_external_id", func(c *cells, e *store.Event) { c.maybeText(e.StoreExternalID) }},
	{"session_id", func(c *cells, e *store.Event) { c.maybeText(e.SessionID) }},
	{"customer_id", func(c *cells, e *store.Event) { c.maybeText(e.CustomerID) }},
	{"shopper_id", func(c *cells, e *store.Event) { c.maybeText(e.ShopperID) }},
	{"occurred_at", func(c *cells, e *store.Event) { c.moment(e.OccurredAt) }},
	{"occurred_at_known", func(c *cells, e *store.Event) { c.boolean(e.OccurredAtKnown) }},
	{"issued_at", func(c *cells, e *store.Event) { c.maybeMoment(e.IssuedAt) }},
	{"received_at", func(c *cells, e *store.Event) { c.moment(e.ReceivedAt) }},
	{"flags", func(c *cells, e *store.Event) { c.list(e.Flags) }},
	{"product_ids", func(c *cells, e *store.Event) { c.list(e.ProductIDs) }},
	{"gondola_ids", func(c *cells, e *store.Event) { c.list(e.GondolaIDs) }},
}

// moreColumns are those that only one kind of event has.
var moreColumns = map[store.Kind][]column[store.Event]{
	store.FraudAlert: {
		{"payment_provider", func(c *cells, e *store.Event) { c.maybeText(e.PaymentProvider) }},
	},
	store.Registration: {
		{"token_type", func(c *cells, e *store.Event) { c.maybeText(e.TokenType) }},
		{"check_in_device_id", func(c *cells, e *store.Event) { c.maybeText(e.CheckInDeviceID) }},
		{"email", func(c *cells, e *store.Event) { c.maybeText(e.PersonalInfo.Email) }},
		{"first_name", func(c *cells, e *store.Event) { c.maybeText(e.PersonalInfo.FirstName) }},
		{"last_name", func(c *cells, e *store.Event) { c.maybeText(e.PersonalInfo.LastName) }},
		{"phone", func(c *cells, e *store.Event) { c.maybeText(e.PersonalInfo.Phone) }},
		{"phone_number", func(c *cells, e *store.Event) { c.maybeText(e.PersonalInfo.PhoneNumber) }},
	},
}

// reviewColumns came last, and so stand last.
var reviewColumns = []column[store.Event]{
	{"disposition", func(c *cells, e *store.Event) { c.maybeText((*string)(e.Review.Disposition)) }},
	{"disposition_at", func(c *cells, e *store.Event) { c.maybeMoment(e.Review.DispositionAt) }},
	{"disposition_by", func(c *cells, e *store.Event) { c.maybeText(e.Review.DispositionBy) }},
}

func events(s *store.Store, kind store.Kind) list[store.Event] {
	return list[store.Event]{
		filters: []string{"storeId", "storeExternalId", "sessionId", "customerId", "productId", "gondolaId", "flag", "disposition", "from", "to"},
		page: func(ctx context.Context, scope store.Scope, f store.Filter, p store.Page) ([]store.Event, *store.Position, error) {
			return s.Events(ctx, scope, kind, f, p)
		},
		export: func(ctx context.Context, scope store.Scope, f store.Filter, each func(store.Event) error) error {
			return s.ExportEvents(ctx, scope, kind, f, each)
		},
		count: func(ctx context.Context, scope store.Scope, f store.Filter, p store.Page) (int64, error) {
			return s.CountEvents(ctx, scope, kind, f, p)
		},
		total: func(ctx context.Context, scope store.Scope, f store.Filter, most int) (int64, bool, error) {
			return s.TotalEvents(ctx, scope, kind, f, most)
		},
		at:      store.Event.Position,
		turns:   true,
		item:    eventItem,
		columns: slices.Concat(eventColumns, moreColumns[kind], reviewColumns),
	}
}
