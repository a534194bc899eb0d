package store

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
)

// rows are the rows of a batch beside its events, by table.
type rows struct {
	seen       *seen
	expected   db.KnownEventsParams // relied on
	events     db.InsertEventsParams
	deliveries db.InsertDeliveriesParams
	bodies     db.InsertDeliveryBodiesParams
	leaves     [][]byte
	quarantine db.InsertQuarantineParams
	flags      db.InsertEventFlagsParams
	products   db.InsertEventProductsParams
	gondolas   db.InsertEventGondolasParams
	personal   db.InsertEventPersonalInfoParams
	resolved   []db.ResolveQuarantineParams
	unresolved []db.UpdateQuarantineReasonParams
	refused    db.MarkRefusedReplayedParams

	// Tables that are upserted: a statement must not name a row twice, and two
	// processes must name them in one order.
	sessions         map[storeKey]sessionRow
	sessionFlags     map[[2]storeKey]struct{}
	customers        map[storeKey]customerRow
	stores           map[int64]storeRow
	storeExternalIDs map[storeKey]struct{}
	storeFlags       map[storeKey]struct{}
	storeWebhooks    map[storeKey]struct{}
	heads            map[uuid.UUID]head
	productCatalogue map[storeKey]span
	gondolaCatalogue map[storeKey]span
	counts           map[dayKey]dayCounts
	deliveryCounts   map[deliveryCountKey]deliveryCount
}

// storeKey names a thing within a store.
type storeKey struct {
	storeID int64
	id      string
}

type customerRow struct {
	span
	externalID, role, metadata string
}

type storeRow struct {
	span                           // of all events: search looks for them nowhere else
	said                 time.Time // when the values were stated
	externalID, uniqueID string
}

func newRows(s *seen) *rows {
	return &rows{
		seen: s, sessions: map[storeKey]sessionRow{}, sessionFlags: map[[2]storeKey]struct{}{},
		customers: map[storeKey]customerRow{}, stores: map[int64]storeRow{}, storeExternalIDs: map[storeKey]struct{}{}, heads: map[uuid.UUID]head{},
		storeFlags: map[storeKey]struct{}{}, storeWebhooks: map[storeKey]struct{}{},
		productCatalogue: map[storeKey]span{}, gondolaCatalogue: map[storeKey]span{},
		counts: map[dayKey]dayCounts{}, deliveryCounts: map[deliveryCountKey]deliveryCount{},
	}
}

// addEventParts adds the rows that make a new event searchable.
func (r *rows) addEventParts(p *pending) {
	s, at, id, kind := p.statement, p.occurredAt(), p.statement.UUID(), string(p.statement.Webhook.Kind())
	fromShopper, fromSession, fromWebhook := setOf(s.ShopperFlags), setOf(s.SessionFlags), setOf(s.WebhookFlags)
	for _, flag := range s.Flags() {
		a := &r.flags
		a.StoreID, a.Flag, a.Kind = append(a.StoreID, s.StoreID), append(a.Flag, flag), append(a.Kind, kind)
		a.OccurredAt, a.EventID = append(a.OccurredAt, at), append(a.EventID, id)
		a.FromShopper = append(a.FromShopper, fromShopper[flag])
		a.FromSession = append(a.FromSession, fromSession[flag])
		a.FromWebhook = append(a.FromWebhook, fromWebhook[flag])
	}
	for _, product := range aifi.Distinct(s.ProductIDs) {
		a := &r.products
		a.StoreID, a.ProductID, a.Kind = append(a.StoreID, s.StoreID), append(a.ProductID, product), append(a.Kind, kind)
		a.OccurredAt, a.EventID = append(a.OccurredAt, at), append(a.EventID, id)
	}
	for _, gondola := range aifi.Distinct(s.GondolaIDs) {
		a := &r.gondolas
		a.StoreID, a.GondolaID, a.Kind = append(a.StoreID, s.StoreID), append(a.GondolaID, gondola), append(a.Kind, kind)
		a.OccurredAt, a.EventID = append(a.OccurredAt, at), append(a.EventID, id)
	}
	if info := s.PersonalInfo; info != nil {
		a := &r.personal
		a.StoreID, a.Kind = append(a.StoreID, s.StoreID), append(a.Kind, kind)
		a.OccurredAt, a.EventID = append(a.OccurredAt, at), append(a.EventID, id)
		a.CustomerID, a.Email = append(a.CustomerID, s.CustomerID()), append(a.Email, info.Email)
		a.FirstName, a.LastName = append(a.FirstName, info.FirstName), append(a.LastName, info.LastName)
		a.Phone, a.PhoneNumber = append(a.Phone, info.Phone), append(a.PhoneNumber, info.PhoneNumber)
	}
}

// addCatalogue adds who and where: every delivery moves them, a duplicate too. Of values
// those count that were stated last. A time of origin that lies ahead of the receipt must
// not have them stay until then.
func (r *rows) addCatalogue(p *pending) {
	s, at := p.statement, p.occurredAt()
	said := at
	if p.receivedAt.Before(said) {
		said = p.receivedAt
	}
	key := func(id string) storeKey { return storeKey{s.StoreID, id} }
	needs := func(table string, parts ...string) bool {
		return r.seen.needs(catalogueKey(table, s.StoreID, parts...), at)
	}
	if v, ok := r.seen.needsValues(catalogueKey("store", s.StoreID), at, said, values{s.StoreExternalID, s.AifiUniqueStoreID}); ok {
		row := r.stores[s.StoreID]
		newest := !said.Before(row.said)
		if newest {
			row.said = said
		}
		row.span = row.including(at)
		row.externalID = pick(newest, v[0], row.externalID)
		row.uniqueID = pick(newest, v[1], row.uniqueID)
		r.stores[s.StoreID] = row
	}
	if id := s.StoreExternalID; id != "" && needs("store external id", id) {
		r.storeExternalIDs[key(id)] = struct{}{}
	}
	for _, flags := range [][]string{s.ShopperFlags, s.SessionFlags, s.WebhookFlags} {
		for _, flag := range flags {
			if r.seen.once(catalogueKey("flag", s.StoreID, flag)) {
				r.storeFlags[key(flag)] = struct{}{}
			}
		}
	}
	for _, product := range s.ProductIDs {
		if needs("product", product) {
			r.productCatalogue[key(product)] = r.productCatalogue[key(product)].including(at)
		}
	}
	for _, gondola := range s.GondolaIDs {
		if needs("gondola", gondola) {
			r.gondolaCatalogue[key(gondola)] = r.gondolaCatalogue[key(gondola)].including(at)
		}
	}
	if id := s.CustomerID(); id != "" {
		var c aifi.Customer
		if s.Customer != nil {
			c = *s.Customer
		}
		if v, ok := r.seen.needsValues(catalogueKey("customer", s.StoreID, id), said, said, values{c.ExternalID, c.Role, string(c.Metadata)}); ok {
			row := r.customers[key(id)]
			newest := !said.Before(row.last)
			row.span = row.including(said)
			row.externalID = pick(newest, v[0], row.externalID)
			row.role = pick(newest, v[1], row.role)
			row.metadata = pick(newest, v[2], row.metadata)
			r.customers[key(id)] = row
		}
	}
	if s.SessionID == "" {
		return
	}
	row := r.sessions[key(s.SessionID)]
	row.span = row.including(at)
	newest := s.Session != nil && (row.state == nil || !s.Session.UpdatedAt.Before(row.state.UpdatedAt))
	if newest {
		row.state = s.Session
	}
	if s.Session != nil && !s.Session.UpdatedAt.IsZero() {
		row.customerID = pick(newest, s.CustomerID(), row.customerID)
	} else {
		row.otherwise = pick(false, s.CustomerID(), row.otherwise)
	}
	r.sessions[key(s.SessionID)] = row
	for _, flag := range s.SessionFlags {
		if needs("session flag", s.SessionID, flag) {
			r.sessionFlags[[2]storeKey{key(s.SessionID), key(flag)}] = struct{}{}
		}
	}
}

// catalogueKey names a row of the catalogue, briefly.
func catalogueKey(table string, storeID int64, parts ...string) string {
	return brief(table + "\x00" + strconv.FormatInt(storeID, 10) + "\x00" + strings.Join(parts, "\x00"))
}

// including widens a span; the zero span is empty.
func (s span) including(t time.Time) span {
	if s.first.IsZero() || t.Before(s.first) {
		s.first = t
	}
	if t.After(s.last) {
		s.last = t
	}
	return s
}

// pick prefers a, if it is the newer, but never nothing.
func pick(newest bool, a, b string) string {
	if newest && a != "" || b == "" {
		return a
	}
	return b
}
