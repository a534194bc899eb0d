package store

import (
	"context"
	"time"

	"aifi-audit/store/internal/db"
)

// clocks tell what a store's clock shows.
type clocks struct {
	of     map[int64]*time.Location // each store's zone
	stores []int64
	within func(at, clock int64) bool // whether a quarter is asked for; in seconds, clock as if in UTC
	hours  map[clockDay][]clockHour   // what was computed already
}

// clockDay is a day of UTC, in seconds, seen in a zone.
type clockDay struct {
	zone *time.Location
	day  int64
}

// clockHour is what a clock shows during some quarters of a day of UTC.
type clockHour struct {
	first, end int // quarters, by number
	day        int64
	weekday    int
	hour       int
}

// clocks reads the time zones of stores; nil are all that were seen.
func (s *Store) clocks(ctx context.Context, conn db.DBTX, storeIDs []int64, within func(at, clock int64) bool) (*clocks, error) {
	rows, err := s.queries.ListZones(ctx, conn, storeIDs)
	if err != nil {
		return nil, err
	}
	c := &clocks{of: map[int64]*time.Location{}, within: within, hours: map[clockDay][]clockHour{}}
	for _, r := range rows {
		c.stores = append(c.stores, r.StoreID)
		c.of[r.StoreID] = s.Zone(Shop{TimeZone: r.TimeZone})
	}
	return c, nil
}

// hoursOf gives the hours that a store's clock shows during a day of UTC, as far as
// they are asked for.
func (c *clocks) hoursOf(storeID int64, day time.Time) []clockHour {
	key := clockDay{c.of[storeID], day.Unix()}
	hours, ok := c.hours[key]
	if !ok {
		hours = c.read(key)
		c.hours[key] = hours
	}
	return hours
}

func (c *clocks) read(of clockDay) (hours []clockHour) {
	offset, until := offsetAt(of.day, of.zone)
	for q := range db.QuartersOfDay {
		at := of.day + int64(q)*int64(quarter/time.Second)
		if at >= until {
			offset, until = offsetAt(at, of.zone)
		}
		clock := at + offset
		if !c.within(at, clock) {
			continue
		}
		h := hourOf(clock)
		h.first, h.end = q, q+1
		if n := len(hours); n > 0 && hours[n-1].end == q && hours[n-1].day == h.day && hours[n-1].hour == h.hour {
			hours[n-1].end = q + 1
		} else {
			hours = append(hours, h)
		}
	}
	return hours
}

// hourAt is what a store's clock shows at a time, and whether that is asked for.
func (c *clocks) hourAt(storeID int64, at time.Time) (clockHour, bool) {
	offset, _ := offsetAt(at.Unix(), c.of[storeID])
	clock := at.Unix() + offset
	return hourOf(clock), c.within(at.Unix(), clock)
}

// hourOf is the hour of a clock's time, given as if in UTC.
func hourOf(clock int64) clockHour {
	t := time.Unix(clock, 0).UTC()
	return clockHour{day: t.Truncate(fullDay).Unix(), weekday: (int(t.Weekday())+6)%7 + 1, hour: t.Hour()}
}

// offsetAt is how far a zone's clock is ahead of UTC at a time, and until when; all in
// seconds.
func offsetAt(at int64, zone *time.Location) (offset, until int64) {
	t := time.Unix(at, 0).In(zone)
	_, seconds := t.Zone()
	_, end := t.ZoneBounds()
	if end.IsZero() {
		return int64(seconds), 1<<63 - 1
	}
	return int64(seconds), end.Unix()
}
