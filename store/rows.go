package store

import (
	"cmp"
	"context"
	"slices"
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
	customer aifi.Customer
}

type storeRow struct {
	span
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
	s, at, id, kind := p.statement, p.occurredAt(), uuidOf(p.statement.Fingerprint), string(kindOf(p.statement.Webhook))
	for _, flag := range distinct(s.ShopperFlags, s.SessionFlags, s.WebhookFlags) {
		a := &r.flags
		a.StoreID, a.Flag, a.Kind = append(a.StoreID, s.StoreID), append(a.Flag, flag), append(a.Kind, kind)
		a.OccurredAt, a.EventID = append(a.OccurredAt, at), append(a.EventID, id)
		a.FromShopper = append(a.FromShopper, slices.Contains(s.ShopperFlags, flag))
		a.FromSession = append(a.FromSession, slices.Contains(s.SessionFlags, flag))
		a.FromWebhook = append(a.FromWebhook, slices.Contains(s.WebhookFlags, flag))
	}
	for _, product := range distinct(s.ProductIDs) {
		a := &r.products
		a.StoreID, a.ProductID, a.Kind = append(a.StoreID, s.StoreID), append(a.ProductID, product), append(a.Kind, kind)
		a.OccurredAt, a.EventID = append(a.OccurredAt, at), append(a.EventID, id)
	}
	for _, gondola := range distinct(s.GondolaIDs) {
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

// addCatalogue adds who and where: every delivery moves them, a duplicate too.
func (r *rows) addCatalogue(p *pending) {
	s, at := p.statement, p.occurredAt()
	key := func(id string) storeKey { return storeKey{s.StoreID, id} }
	needs := func(table string, parts ...string) bool {
		return r.seen.needs(catalogueKey(table, s.StoreID, parts...), at)
	}
	if needs("store", s.StoreExternalID, s.AifiUniqueStoreID) {
		row := r.stores[s.StoreID]
		newest := !at.Before(row.last)
		row.span = row.including(at)
		row.externalID = pick(newest, s.StoreExternalID, row.externalID)
		row.uniqueID = pick(newest, s.AifiUniqueStoreID, row.uniqueID)
		r.stores[s.StoreID] = row
		if s.StoreExternalID != "" {
			r.storeExternalIDs[key(s.StoreExternalID)] = struct{}{}
		}
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
		if needs("customer", id, c.ExternalID, c.Role, string(c.Metadata)) {
			row := r.customers[key(id)]
			newest := !at.Before(row.last)
			row.span = row.including(at)
			row.customer.ExternalID = pick(newest, c.ExternalID, row.customer.ExternalID)
			row.customer.Role = pick(newest, c.Role, row.customer.Role)
			row.customer.Metadata = []byte(pick(newest, string(c.Metadata), string(row.customer.Metadata)))
			r.customers[key(id)] = row
		}
	}
	if s.SessionID == "" {
		return
	}
	row := r.sessions[key(s.SessionID)]
	row.span = row.including(at)
	if row.state == nil || s.Session != nil && !s.Session.UpdatedAt.Before(row.state.UpdatedAt) {
		row.state = s.Session
		row.customerID = pick(true, s.CustomerID(), row.customerID)
	}
	r.sessions[key(s.SessionID)] = row
	for _, flag := range s.SessionFlags {
		if needs("session flag", s.SessionID, flag) {
			r.sessionFlags[[2]storeKey{key(s.SessionID), key(flag)}] = struct{}{}
		}
	}
}

// catalogueKey names a row of the catalogue.
func catalogueKey(table string, storeID int64, parts ...string) string {
	return table + "\x00" + strconv.FormatInt(storeID, 10) + "\x00" + strings.Join(parts, "\x00")
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

// insert runs the statements of all tables that have rows, in one transaction.
func (r *rows) insert(ctx context.Context, q *db.Queries, conn db.Conn) error {
	var p db.Pipeline
	if err := r.queue(ctx, q, &p); err != nil {
		return err
	}
	return p.Commit(ctx, conn)
}

// queue puts the statements of all tables that have rows into the pipeline.
func (r *rows) queue(ctx context.Context, q *db.Queries, p *db.Pipeline) error {
	stated, touched := r.sessionParams()
	steps := []struct {
		rows int
		run  func() error
	}{
		{len(r.events.ID), func() error { return q.InsertEvents(ctx, p, r.events) }},
		{len(r.heads), func() error { return q.InsertRequestHeads(ctx, p, r.headParams()) }},
		{len(r.deliveries.ID), func() error { return q.InsertDeliveries(ctx, p, r.deliveries) }},
		{len(r.bodies.DeliveryID), func() error { return q.InsertDeliveryBodies(ctx, p, r.bodies) }},
		{len(r.leaves), func() error { return q.QueueLeaves(ctx, p, r.leaves) }},
		{len(r.quarantine.DeliveryID), func() error { return q.InsertQuarantine(ctx, p, r.quarantine) }},
		{len(r.flags.Flag), func() error { return q.InsertEventFlags(ctx, p, r.flags) }},
		{len(r.products.ProductID), func() error { return q.InsertEventProducts(ctx, p, r.products) }},
		{len(r.gondolas.GondolaID), func() error { return q.InsertEventGondolas(ctx, p, r.gondolas) }},
		{len(r.personal.EventID), func() error { return q.InsertEventPersonalInfo(ctx, p, r.personal) }},
		{len(r.stores), func() error { return q.UpsertStores(ctx, p, r.storeParams()) }},
		{len(r.storeExternalIDs), func() error {
			stores, ids := columns(r.storeExternalIDs)
			return q.InsertStoreExternalIDs(ctx, p, db.InsertStoreExternalIDsParams{StoreID: stores, ExternalID: ids})
		}},
		{len(r.storeFlags), func() error {
			stores, flags := columns(r.storeFlags)
			return q.InsertStoreFlags(ctx, p, db.InsertStoreFlagsParams{StoreID: stores, Flag: flags})
		}},
		{len(r.storeWebhooks), func() error {
			stores, webhooks := columns(r.storeWebhooks)
			return q.InsertStoreWebhooks(ctx, p, db.InsertStoreWebhooksParams{StoreID: stores, Webhook: webhooks})
		}},
		{len(r.productCatalogue), func() error { return q.UpsertProducts(ctx, p, r.productParams()) }},
		{len(r.gondolaCatalogue), func() error { return q.UpsertGondolas(ctx, p, r.gondolaParams()) }},
		{len(r.customers), func() error { return q.UpsertCustomers(ctx, p, r.customerParams()) }},
		{len(stated.SessionID), func() error { return q.UpsertSessions(ctx, p, stated) }},
		{len(touched.SessionID), func() error { return q.TouchSessions(ctx, p, touched) }},
		{len(r.sessionFlags), func() error { return q.InsertSessionFlags(ctx, p, r.sessionFlagParams()) }},
		{len(r.counts), func() error { return q.UpsertEventDays(ctx, p, r.countParams()) }},
		{len(r.deliveryCounts), func() error { return q.UpsertDeliveryCounts(ctx, p, r.deliveryCountParams()) }},
	}
	for _, step := range steps {
		if step.rows > 0 {
			if err := step.run(); err != nil {
				return err
			}
		}
	}
	for _, a := range r.resolved {
		if err := q.ResolveQuarantine(ctx, p, a); err != nil {
			return err
		}
	}
	for _, a := range r.unresolved {
		if err := q.UpdateQuarantineReason(ctx, p, a); err != nil {
			return err
		}
	}
	return nil
}

func compareKeys(a, b storeKey) int {
	return cmp.Or(cmp.Compare(a.storeID, b.storeID), cmp.Compare(a.id, b.id))
}

func sortedKeys[V any](m map[storeKey]V) []storeKey {
	keys := make([]storeKey, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

func (r *rows) storeParams() (a db.UpsertStoresParams) {
	ids := make([]int64, 0, len(r.stores))
	for id := range r.stores {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		row := r.stores[id]
		a.StoreID = append(a.StoreID, id)
		a.ExternalID, a.AifiUniqueStoreID = append(a.ExternalID, row.externalID), append(a.AifiUniqueStoreID, row.uniqueID)
		a.FirstSeenAt, a.LastSeenAt = append(a.FirstSeenAt, row.first), append(a.LastSeenAt, row.last)
	}
	return a
}

// columns are the keys of rows that have nothing else, in order.
func columns(m map[storeKey]struct{}) (stores []int64, ids []string) {
	for _, k := range sortedKeys(m) {
		stores, ids = append(stores, k.storeID), append(ids, k.id)
	}
	return stores, ids
}

func (r *rows) productParams() (a db.UpsertProductsParams) {
	for _, k := range sortedKeys(r.productCatalogue) {
		a.StoreID, a.ProductID = append(a.StoreID, k.storeID), append(a.ProductID, k.id)
		a.FirstSeenAt = append(a.FirstSeenAt, r.productCatalogue[k].first)
		a.LastSeenAt = append(a.LastSeenAt, r.productCatalogue[k].last)
	}
	return a
}

func (r *rows) gondolaParams() (a db.UpsertGondolasParams) {
	for _, k := range sortedKeys(r.gondolaCatalogue) {
		a.StoreID, a.GondolaID = append(a.StoreID, k.storeID), append(a.GondolaID, k.id)
		a.FirstSeenAt = append(a.FirstSeenAt, r.gondolaCatalogue[k].first)
		a.LastSeenAt = append(a.LastSeenAt, r.gondolaCatalogue[k].last)
	}
	return a
}

func (r *rows) customerParams() (a db.UpsertCustomersParams) {
	for _, k := range sortedKeys(r.customers) {
		row := r.customers[k]
		a.StoreID, a.CustomerID = append(a.StoreID, k.storeID), append(a.CustomerID, k.id)
		a.ExternalID, a.Role = append(a.ExternalID, row.customer.ExternalID), append(a.Role, row.customer.Role)
		a.Metadata, a.SeenAt = append(a.Metadata, string(row.customer.Metadata)), append(a.SeenAt, row.last)
	}
	return a
}

func (r *rows) sessionFlagParams() (a db.InsertSessionFlagsParams) {
	keys := make([][2]storeKey, 0, len(r.sessionFlags))
	for k := range r.sessionFlags {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y [2]storeKey) int {
		return cmp.Or(compareKeys(x[0], y[0]), compareKeys(x[1], y[1]))
	})
	for _, k := range keys {
		a.StoreID, a.SessionID = append(a.StoreID, k[0].storeID), append(a.SessionID, k[0].id)
		a.Flag = append(a.Flag, k[1].id)
	}
	return a
}
