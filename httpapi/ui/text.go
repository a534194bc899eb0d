package ui

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Moment is a time, shown in the zone of the store where it happened.
type Moment struct {
	At   time.Time
	Zone *time.Location
}

// In gives the moment of a time in a zone.
func In(zone *time.Location, at time.Time) Moment { return Moment{at, zone} }

// Maybe is nil for no time.
func Maybe(zone *time.Location, at *time.Time) *Moment {
	if at == nil {
		return nil
	}
	return &Moment{*at, zone}
}

func (m Moment) local() time.Time { return m.At.In(m.Zone) }

// Clock is the time of the day, with the zone if the clock shows it twice that day.
func (m Moment) Clock() string {
	if m.Twice() {
		return m.local().Format("15:04:05 MST")
	}
	return m.local().Format("15:04:05")
}

// Twice reports whether the clock shows this time twice, since it is set back.
func (m Moment) Twice() bool {
	_, offset := m.local().Zone()
	first, last := OnClock(m.At.UTC().Add(time.Duration(offset)*time.Second), m.Zone)
	return first.Before(last)
}

// OnClock tells when the clock of a zone shows a time, which is given as if in UTC, first
// and last. If it never does, as it is set forward then, these are what a clock not yet
// set, and one set already, would have shown it at, the earlier first.
func OnClock(shown time.Time, zone *time.Location) (first, last time.Time) {
	at := func(near time.Time) time.Time {
		_, offset := near.In(zone).Zone()
		return shown.Add(-time.Duration(offset) * time.Second).In(zone)
	}
	shows := func(t time.Time) bool { return t.Format(time.DateTime) == shown.Format(time.DateTime) }
	before, after := at(shown.Add(-24*time.Hour)), at(shown.Add(24*time.Hour))
	switch {
	case shows(before) && !shows(after):
		return before, before
	case shows(after) && !shows(before):
		return after, after
	case after.Before(before):
		return after, before
	}
	return before, after
}

// Day is the date in full.
func (m Moment) Day() string { return m.local().Format("Monday 2 January 2006") }

// Date is the date in short.
func (m Moment) Date() string { return m.local().Format("2 Jan 2006") }

// Full is date, time and zone.
func (m Moment) Full() string { return m.local().Format("2 Jan 2006 15:04:05 MST") }

// Abbreviation of the zone at that time.
func (m Moment) Abbreviation() string { return m.local().Format("MST") }

// UTC is the time for those who compare it with AiFi's.
func (m Moment) UTC() string { return m.At.UTC().Format("2006-01-02 15:04:05.999 UTC") }

// ISO is the time for machines.
func (m Moment) ISO() string { return m.At.UTC().Format(time.RFC3339Nano) }

// Number groups the digits of a number by thousands.
func Number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// Bytes is a size as people read it.
func Bytes(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " bytes"
	}
	size, unit := float64(n), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB", "PB", "EB"} {
		if size /= 1000; size < 999.95 {
			break
		}
	}
	return strconv.FormatFloat(size, 'f', 1, 64) + " " + unit
}

// Lag says how much later b is than a, to what people care about.
func Lag(a, b time.Time) string {
	d := b.Sub(a)
	sign := ""
	if d < 0 {
		d, sign = -d, "−"
	}
	switch {
	case d < time.Second:
		return sign + strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return fmt.Sprintf("%s%.1f s", sign, d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%s%d min %d s", sign, int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%s%d h %d min", sign, int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%s%d days", sign, int(d.Hours()/24))
}

// Visible makes the characters of a text visible that a browser would hide, or that
// would turn the text around: what is evidence must not be able to look like
// something else. Line ends and tabs stay.
func Visible(s string) string {
	if !strings.ContainsFunc(s, hidden) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, "‹%02x›", s[i])
		case hidden(r):
			fmt.Fprintf(&b, "‹U+%04X›", r)
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// Senders choose how long their texts are, and how many there are. What a page shows of
// them is bounded: all of it is in the CSV, and in the body.
const (
	briefly  = 2000 // characters of a text
	longHref = 8192 // bytes: who follows a longer one is refused
)

// Brief is Visible, of the beginning of a long text.
func Brief(s string) string {
	shown := 0
	for end := range s {
		if shown == briefly {
			return Visible(s[:end]) + "… and " + Number(int64(utf8.RuneCountInString(s[end:]))) + " more characters"
		}
		shown++
	}
	return Visible(s)
}

// reachable reports whether there is an address, and not one too long to be followed.
func reachable(href string) bool { return href != "" && len(href) <= longHref }

func hidden(r rune) bool {
	if r == '\n' || r == '\t' || r == '\r' {
		return false
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// Human makes a word of AiFi's readable: POTENTIALLY_INTERACTED_WITH_ALCOHOL is
// "Potentially interacted with alcohol". Text that is not such a word stays.
func Human(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') && (r < '0' || r > '9') }) {
		return Visible(s)
	}
	words := strings.ToLower(strings.ReplaceAll(s, "_", " "))
	return strings.ToUpper(words[:1]) + words[1:]
}
