package store

import (
	"cmp"
	"slices"
	"time"
)

// countSum sums by one grouping.
type countSum struct {
	by     Grouping
	counts map[countKey]*Count
	last   countKey
	count  *Count // of last
}

type countKey struct {
	storeID       int64
	day           int64
	weekday, hour int
	disposition   Disposition
}

func newCountSum(by Grouping) *countSum { return &countSum{by: by, counts: map[countKey]*Count{}} }

func (t *countSum) add(storeID int64, kind string, h clockHour, d Disposition, n int64) {
	var key countKey
	if !t.by.AllStores {
		key.storeID = storeID
	}
	if t.by.Day {
		key.day = h.day
	}
	if t.by.Weekday {
		key.weekday = h.weekday
	}
	if t.by.Hour {
		key.hour = h.hour
	}
	if t.by.Disposition {
		key.disposition = d
	}
	// Rows come day by day: mostly it is the same count as before.
	if t.count == nil || key != t.last {
		t.last, t.count = key, t.counts[key]
		if t.count == nil {
			t.count = &Count{StoreID: key.storeID, Weekday: key.weekday, Hour: key.hour, Disposition: key.disposition}
			t.counts[key] = t.count
		}
	}
	switch Kind(kind) {
	case AlcoholInteraction:
		t.count.AlcoholInteractions += n
	case FraudAlert:
		t.count.FraudAlerts += n
	case Registration:
		t.count.Registrations += n
	default:
		t.count.Other += n
	}
}

func (t *countSum) sorted() []Count {
	keys := make([]countKey, 0, len(t.counts))
	for k, n := range t.counts {
		if n.AlcoholInteractions+n.FraudAlerts+n.Registrations+n.Other > 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b countKey) int {
		return cmp.Or(cmp.Compare(b.day, a.day), cmp.Compare(a.storeID, b.storeID), cmp.Compare(a.weekday, b.weekday),
			cmp.Compare(a.hour, b.hour), cmp.Compare(a.disposition, b.disposition))
	})
	counts := make([]Count, len(keys))
	for i, k := range keys {
		counts[i] = *t.counts[k]
		if t.by.Day {
			counts[i].Day = time.Unix(k.day, 0).UTC().Format(time.DateOnly)
		}
	}
	return counts
}
