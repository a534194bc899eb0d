package httpapi

import (
	"time"

	"aifi-audit/httpapi/ui"
)

// period is a half-open range of time that people have a name for.
type period struct {
	name     string
	from, to time.Time
}

// periods are the quick ranges as of now, by the calendar of a zone. A licensing week
// runs from Monday to Sunday.
func periods(now time.Time, zone *time.Location) []period {
	y, m, d := now.In(zone).Date()
	day := func(offset int) time.Time { return time.Date(y, m, d+offset, 0, 0, 0, 0, zone) }
	monday := -(int(now.In(zone).Weekday()) + 6) % 7
	return []period{
		{"Today", day(0), day(1)},
		{"Last night", time.Date(y, m, d-1, 18, 0, 0, 0, zone), time.Date(y, m, d, 6, 0, 0, 0, zone)},
		{"Yesterday", day(-1), day(0)},
		{"7 days", day(-6), day(1)},
		{"Licensing week", day(monday), day(monday + 7)},
		{"Last licensing week", day(monday - 7), day(monday)},
		{"This month", time.Date(y, m, 1, 0, 0, 0, 0, zone), time.Date(y, m+1, 1, 0, 0, 0, 0, zone)},
	}
}

// dayOf is the day that a time lies in.
func dayOf(t time.Time, zone *time.Location) (from, to time.Time) {
	y, m, d := t.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone), time.Date(y, m, d+1, 0, 0, 0, 0, zone)
}

func (c *pageContext) ranges(from, to *time.Time) []ui.Link {
	links := []ui.Link{{Text: "All times", Href: c.address(with(with(c.filtersOnly(), "from", ""), "to", "")), Current: from == nil && to == nil}}
	for _, p := range periods(c.now, c.zone) {
		links = append(links, ui.Link{
			Text:    p.name,
			Href:    c.address(with(with(c.filtersOnly(), "from", stamp(p.from)), "to", stamp(p.to))),
			Current: from != nil && to != nil && from.Equal(p.from) && to.Equal(p.to),
		})
	}
	return links
}

// rangeLabel says which period is shown.
func (c *pageContext) rangeLabel(from, to *time.Time) string {
	text := func(t time.Time) string { return t.In(c.zone).Format("Mon 2 Jan 2006, 15:04") }
	switch {
	case from == nil && to == nil:
		return "of all times"
	case to == nil:
		return "since " + text(*from)
	case from == nil:
		return "before " + text(*to)
	}
	return text(*from) + " – " + text(*to)
}
