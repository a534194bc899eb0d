package store

import (
	"context"
	"time"

	"aifi-audit/store/internal/db"
)

// days counts the events of days of UTC, from first to before end. Of a day that counts
// as one, the sum is read; of others, the quarters of an hour, which takes ten times as
// long.
func (c *counting) days(ctx context.Context, first, end time.Time) error {
	// The ends of a period are not the same instants on all clocks.
	inner, outer := first.Add(2*fullDay), end.Add(-2*fullDay)
	var whole, others []int64
	byZone := map[*time.Location]bool{}
	for _, id := range c.clocks.stores {
		zone := c.clocks.of[id]
		isWhole, known := byZone[zone]
		if !known {
			isWhole = inner.Before(outer) && c.whole(id, inner, outer)
			byZone[zone] = isWhole
		}
		if isWhole {
			whole = append(whole, id)
		} else {
			others = append(others, id)
		}
	}
	for _, part := range []struct {
		count      func(ctx context.Context, stores []int64, first, end time.Time) error
		stores     []int64
		first, end time.Time
	}{
		{c.dayQuarters, whole, first, inner}, {c.daySums, whole, inner, outer}, {c.dayQuarters, whole, outer, end}, {c.dayQuarters, others, first, end},
	} {
		if len(part.stores) == 0 {
			continue
		}
		if err := part.count(ctx, part.stores, part.first, part.end); err != nil {
			return err
		}
	}
	return nil
}

// whole reports whether each of some days of UTC counts as one for a store: all of it is
// asked for, and no sum tells its hours apart.
func (c *counting) whole(storeID int64, first, end time.Time) bool {
	for day := first; day.Before(end); day = day.Add(fullDay) {
		hours := c.clocks.hoursOf(storeID, day)
		if len(hours) == 0 {
			return false
		}
		from, to := hours[0], hours[len(hours)-1]
		if from.first != 0 || to.end != db.QuartersOfDay {
			return false
		}
		for _, sum := range c.sums {
			if sum.by.Hour || (sum.by.Day || sum.by.Weekday) && from.day != to.day {
				return false
			}
		}
	}
	return true
}

func (c *counting) daySums(ctx context.Context, stores []int64, first, end time.Time) error {
	return c.queries.StreamDaySums(ctx, c.conn, db.ListDaySumsParams{StoreIds: stores, Kinds: c.kinds, FirstDay: first, EndDay: end},
		func(r db.ListDaySumsRow) error {
			c.add(r.StoreID, r.Kind, c.clocks.hoursOf(r.StoreID, r.Day)[0], Unmarked, r.Events)
			return nil
		})
}

func (c *counting) dayQuarters(ctx context.Context, stores []int64, first, end time.Time) error {
	return c.queries.StreamEventDays(ctx, c.conn, db.ListEventDaysParams{StoreIds: stores, Kinds: c.kinds, FirstDay: first, EndDay: end},
		func(r db.ListEventDaysRow) error {
			for _, h := range c.clocks.hoursOf(r.StoreID, r.Day) {
				n := int64(0)
				for _, events := range r.Quarters.Events[h.first:h.end] {
					n += int64(events)
				}
				c.add(r.StoreID, r.Kind, h, Unmarked, n)
			}
			return nil
		})
}
