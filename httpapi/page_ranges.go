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
	text := func(t time.Time) string {
		if ui.In(c.zone, t).Twice() {
			return t.In(c.zone).Format("Mon 2 Jan 2006, 15:04 MST")
		}
		return t.In(c.zone).Format("Mon 2 Jan 2006, 15:04")
	}
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

// dayRanges are the quick ranges of the overview: whole days, on each store's clock.
func (c *pageContext) dayRanges(from, to string) []ui.Link {
	today := midnight(c.now.In(c.zone))
	days := func(n int) time.Time { return today.AddDate(0, 0, n) }
	monday := days(-(int(today.Weekday()) + 6) % 7)
	month := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, c.zone)
	links := []ui.Link{{Text: "30 days", Href: c.address(with(with(c.filtersOnly(), "from", ""), "to", "")), Current: from == "" && to == ""}}
	for _, p := range []period{
		{"Today", today, days(1)},
		{"7 days", days(-6), days(1)},
		{"Licensing week", monday, monday.AddDate(0, 0, 7)},
		{"Last licensing week", monday.AddDate(0, 0, -7), monday},
		{"This month", month, month.AddDate(0, 1, 0)},
		{"Last month", month.AddDate(0, -1, 0), month},
		{"12 weeks", monday.AddDate(0, 0, -77), monday.AddDate(0, 0, 7)},
		{"12 months", month.AddDate(0, -11, 0), month.AddDate(0, 1, 0)},
	} {
		first, end := p.from.Format(time.DateOnly), p.to.Format(time.DateOnly)
		links = append(links, ui.Link{Text: p.name, Href: c.address(with(with(c.filtersOnly(), "from", first), "to", end)), Current: from == first && to == end})
	}
	return links
}
