package aifi

import (
	"strings"
	"time"
)

// parseTime reads a time of RFC 3339, with any number of digits behind the second
// (those after the sixth are cut off). It also takes what is close to it and leaves
// no doubt: lower case, a space for the T, no zone (then UTC), and zones without
// the colon or the minutes. A leap second is the second after it. Only the years 1
// to 9999 of UTC count, without their very first microsecond, which is Go's zero
// time: what sends 0001-01-01T00:00:00Z means that it knows none.
func parseTime(text []byte) (time.Time, bool) {
	const layout = "0000-00-00t00:00:00" // a digit stands for any digit
	if len(text) < len(layout) {
		return time.Time{}, false
	}
	for i, c := range text[:len(layout)] {
		switch layout[i] {
		case '0':
			if c < '0' || c > '9' {
				return time.Time{}, false
			}
		case 't':
			if c != 'T' && c != 't' && c != ' ' {
				return time.Time{}, false
			}
		default:
			if c != layout[i] {
				return time.Time{}, false
			}
		}
	}
	year, month, day := number(text[0:4]), number(text[5:7]), number(text[8:10])
	hour, minute, second := number(text[11:13]), number(text[14:16]), number(text[17:19])
	microsecond, rest, ok := parseFraction(text[len(layout):])
	if !ok || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, false
	}
	zone, ok := parseZone(string(rest))
	if !ok {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if t.Day() != day { // the 30th of February is not the 2nd of March
		return time.Time{}, false
	}
	seconds := (hour*60+minute)*60 + second
	t = t.Add(time.Duration(seconds)*time.Second + time.Duration(microsecond)*time.Microsecond - zone)
	return t, t.Year() >= 1 && t.Year() <= 9999 && !t.IsZero()
}

// number is the value of digits.
func number(digits []byte) int {
	n := 0
	for _, c := range digits {
		n = n*10 + int(c-'0')
	}
	return n
}

// parseFraction reads the digits behind the second, if there are any.
func parseFraction(text []byte) (microsecond int, rest []byte, ok bool) {
	if len(text) == 0 || text[0] != '.' {
		return 0, text, true
	}
	text = text[1:]
	digits := 0
	for unit := 100_000; digits < len(text) && '0' <= text[digits] && text[digits] <= '9'; digits++ {
		microsecond += int(text[digits]-'0') * unit
		unit /= 10
	}
	return microsecond, text[digits:], digits > 0
}

// parseZone reads an offset from UTC: Z, ±hh:mm, ±hhmm, ±hh or nothing.
func parseZone(text string) (offset time.Duration, ok bool) {
	if text == "" || text == "Z" || text == "z" {
		return 0, true
	}
	sign := time.Duration(1)
	if text[0] == '-' {
		sign = -1
	}
	digits := strings.Replace(text[1:], ":", "", 1)
	colon := len(text) == len("+00:00") && text[3] == ':'
	if text[0] != '+' && text[0] != '-' || !allDigits([]byte(digits)) || len(digits) != len(text)-1 && !colon {
		return 0, false
	}
	var hours, minutes int
	switch len(digits) {
	case 2:
		hours = number([]byte(digits))
	case 4:
		hours, minutes = number([]byte(digits[:2])), number([]byte(digits[2:]))
	default:
		return 0, false
	}
	return sign * (time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute), hours <= 23 && minutes <= 59
}
