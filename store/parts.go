package store

import "time"

// A page is read part by part, in its order, until it is full. Each part is a span of
// time. That keeps a page's cost from growing with the years that are kept: the
// planner sees a few monthly partitions, not all of them, and nearly all pages are
// full after the first part.
//
// Some lists merge an ordered index scan for each store, or each store and value: see
// scans. Where these are many, the newest rows of all stores are looked through first:
// what is asked for is mostly common, and then nothing has to be merged.

// part of the time that a list spans; nil is without end. from is inclusive, to is not.
type part struct {
	from, to *time.Time
	merged   bool // read by merging stores
}

// paging says when stores are merged.
type paging struct {
	looksThrough int64 // rows of all stores, before stores are merged: as quick as merging a few hundred
	mergesGladly int   // ordered scans, without that
	sparesEach   int64 // rows of a scan, beyond twice its share of a page
	neverMerges  bool  // Citus refuses what a merge is: LATERAL with LIMIT
}

var defaultPaging = paging{looksThrough: 2000, mergesGladly: 32, sparesEach: 8}

// partsOf divides a list by months: first one, then twice as many each time. The list
// is walked from start on; a nil start is now, or, for a list from old to new, not
// known, and then all is one part.
func partsOf(whole part, start *time.Time, ascending bool, now time.Time) []part {
	const doublings = 5
	switch {
	case !ascending && start != nil && start.Before(now):
		now = *start
	case ascending && (start == nil || start.Before(now.AddDate(0, -1<<doublings, 0))):
		return []part{whole}
	case ascending:
		now = *start
	}
	month := monthOf(now)
	var parts []part
	rest := whole
	for i := range doublings {
		months := 1<<i - 1 // before this one
		if ascending {
			edge := month.AddDate(0, 2*months+1, 0)
			if rest.to != nil && !edge.Before(*rest.to) {
				break
			}
			parts = append(parts, part{rest.from, &edge, whole.merged})
			rest.from = &edge
			continue
		}
		edge := month.AddDate(0, -months, 0)
		if rest.from != nil && !edge.After(*rest.from) {
			break
		}
		parts = append(parts, part{&edge, rest.to, whole.merged})
		rest.to = &edge
	}
	return append(parts, rest)
}

// lookingThrough has the first rows of the first part looked through, up to one whose
// time is at; none if there are not as many. The rest is merged.
func lookingThrough(parts []part, at []time.Time, ascending bool) []part {
	first := parts[0]
	if len(at) == 0 {
		parts[0].merged = false
		return parts
	}
	looked, rest := first, first
	looked.merged = false
	if ascending {
		behind := at[0].Add(time.Microsecond) // all rows of that time
		looked.to, rest.from = &behind, &behind
	} else {
		looked.from, rest.to = &at[0], &at[0]
	}
	return append([]part{looked, rest}, parts[1:]...)
}

// inParts has rows read part by part until there are as many as the limit. read gives
// their number, and inParts that of all.
func inParts(parts []part, limit int64, read func(p part, limit int64) (int64, error)) (total int64, err error) {
	for _, p := range parts {
		n, err := read(p, limit-total)
		if err != nil {
			return 0, err
		}
		if total += n; total >= limit {
			break
		}
	}
	return total, nil
}

// startOf is where a list is walked from, given its bounds and the position that its
// rows are older or newer than.
func startOf(whole part, older, newer *time.Time, ascending bool) *time.Time {
	switch {
	case ascending && newer != nil:
		return newer
	case ascending:
		return whole.from
	case older != nil:
		return older
	}
	return whole.to
}
