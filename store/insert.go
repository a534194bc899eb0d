package store

import (
	"cmp"
	"context"
	"slices"

	"aifi-audit/store/internal/db"
)

// insert runs the statements of all tables that have rows, in one transaction. It fails if
// the tables are not those that the rows are made for: others lack what was written before.
func (r *rows) insert(ctx context.Context, q *db.Queries, conn db.Conn, tables int64) error {
	var p db.Pipeline
	if err := r.queue(ctx, q, &p); err != nil {
		return err
	}
	if !p.Empty() {
		// The last one: from then on nobody can make the tables anew before the commit.
		if err := q.ExpectTables(ctx, &p, tables); err != nil {
			return err
		}
	}
	return p.Commit(ctx, conn)
}

// queue puts the statements of all tables that have rows into the pipeline.
func (r *rows) queue(ctx context.Context, q *db.Queries, p *db.Pipeline) error {
	stated, touched := r.sessionParams()
	replays := r.replays()
	steps := []struct {
		rows int
		run  func() error
	}{
		{len(replays.DeliveryID), func() error { return q.ExpectQuarantined(ctx, p, replays) }},
		{len(replays.DeliveryID), func() error { return q.ExpectBodies(ctx, p, db.ExpectBodiesParams(replays)) }},
		{len(r.refused.DeliveryID), func() error { return q.MarkRefusedReplayed(ctx, p, r.refused) }},
		{len(r.expected.ID), func() error { return q.ExpectEvents(ctx, p, db.ExpectEventsParams(r.expected)) }},
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

// replays are the deliveries that are understood now. What was erased, or retired, since
// it was read must not come back.
func (r *rows) replays() (a db.ExpectQuarantinedParams) {
	for _, q := range r.resolved {
		a.StoreID, a.ReceivedAt, a.DeliveryID = append(a.StoreID, q.StoreID), append(a.ReceivedAt, q.ReceivedAt), append(a.DeliveryID, q.DeliveryID)
	}
	return a
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
		a.ExternalID, a.Role = append(a.ExternalID, row.externalID), append(a.Role, row.role)
		a.Metadata = append(a.Metadata, row.metadata)
		a.FirstSeenAt, a.LastSeenAt = append(a.FirstSeenAt, row.first), append(a.LastSeenAt, row.last)
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
