package store

import (
	"cmp"
	"slices"
	"time"

	"aifi-audit/store/internal/db"
)

// deliveryCountKey names a row of delivery_counts.
type deliveryCountKey struct {
	storeID int64
	webhook string
	bucket  time.Time // in UTC
}

type deliveryCount struct {
	deliveries int64
	last       time.Time
}

// countDelivery counts a delivery that was not kept before.
func (r *rows) countDelivery(p *pending) {
	at := p.receivedAt.UTC()
	key := deliveryCountKey{p.storeID(), webhookLabel(p.delivery.Webhook), at.Truncate(quarter)}
	c := r.deliveryCounts[key]
	c.deliveries++
	if at.After(c.last) {
		c.last = at
	}
	r.deliveryCounts[key] = c
}

func (r *rows) deliveryCountParams() (a db.UpsertDeliveryCountsParams) {
	keys := make([]deliveryCountKey, 0, len(r.deliveryCounts))
	for k := range r.deliveryCounts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y deliveryCountKey) int {
		return cmp.Or(cmp.Compare(x.storeID, y.storeID), cmp.Compare(x.webhook, y.webhook), x.bucket.Compare(y.bucket))
	})
	for _, k := range keys {
		c := r.deliveryCounts[k]
		a.StoreID, a.Webhook, a.Bucket = append(a.StoreID, k.storeID), append(a.Webhook, k.webhook), append(a.Bucket, k.bucket)
		a.Deliveries, a.LastAt = append(a.Deliveries, c.deliveries), append(a.LastAt, c.last)
	}
	return a
}
