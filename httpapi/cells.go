package httpapi

import (
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// cells appends the cells of a CSV to a buffer. Absence is an empty cell; lists are
// joined by a bar.
type cells struct {
	buf        []byte
	raw        bool // text is not looked at for formulas
	shortTimes bool // of a fraction of a second no digits but those that it needs
}

func (c *cells) separate(column int) {
	if column > 0 {
		c.buf = append(c.buf, ',')
	}
}

func (c *cells) endLine() { c.buf = append(c.buf, "\r\n"...) }

// text writes any text: quoted if it must be, and unless raw no formula.
func (c *cells) text(s string) {
	// Nearly all of it starts with a letter or digit, and has nothing to quote.
	if s == "" || isAlphanumeric(s[0]) && !hasSpecial(s) {
		c.buf = append(c.buf, s...)
		return
	}
	if !c.raw {
		s = harmless(s)
	}
	if !mustQuote(s) {
		c.buf = append(c.buf, s...)
		return
	}
	c.buf = append(c.buf, '"')
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			break
		}
		c.buf = append(c.buf, s[:i]...)
		c.buf = append(c.buf, `""`...)
		s = s[i+1:]
	}
	c.buf = append(c.buf, s...)
	c.buf = append(c.buf, '"')
}

func (c *cells) maybeText(s *string) {
	if s != nil {
		c.text(*s)
	}
}

func (c *cells) list(items []string) {
	c.text(joined(items)) // of one it is that one
}

func (c *cells) moment(t time.Time) {
	at := len(c.buf)
	if t = t.UTC(); c.shortTimes {
		c.buf = t.AppendFormat(c.buf, time.RFC3339Nano)
	} else {
		c.buf = appendTime(c.buf, t)
	}
	if t.Year() < 0 { // a minus comes first
		written := string(c.buf[at:])
		c.buf = c.buf[:at]
		c.text(written)
	}
}

// appendTime appends a time of UTC with six digits of a fraction, needed or not: pandas
// takes the shape of a column's first time for that of all. Of a layout of one's own
// package time makes several times the work of RFC3339.
func appendTime(b []byte, t time.Time) []byte {
	b = t.AppendFormat(b, time.RFC3339)
	b[len(b)-1] = '.' // in place of the Z
	for micros, digit := t.Nanosecond()/1000, 100_000; digit > 0; digit /= 10 {
		b = append(b, byte('0'+micros/digit%10))
	}
	return append(b, 'Z')
}

func (c *cells) maybeMoment(t *time.Time) {
	if t != nil {
		c.moment(*t)
	}
}

func (c *cells) integer(n int64) { c.buf = strconv.AppendInt(c.buf, n, 10) }

func (c *cells) maybeInteger(n *int64) {
	if n != nil {
		c.integer(*n)
	}
}

func (c *cells) boolean(b bool) { c.buf = strconv.AppendBool(c.buf, b) }

func (c *cells) maybeBoolean(b *bool) {
	if b != nil {
		c.boolean(*b)
	}
}

func (c *cells) hex(b []byte) { c.buf = hex.AppendEncode(c.buf, b) }

func (c *cells) id(id uuid.UUID) {
	for i, part := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			c.buf = append(c.buf, '-')
		}
		c.hex(part)
	}
}

func (c *cells) maybeID(id *uuid.UUID) {
	if id != nil {
		c.id(*id)
	}
}

// special are the bytes that a cell must be quoted for.
var special = [256]bool{',': true, '"': true, '\r': true, '\n': true}

func hasSpecial(s string) bool {
	for i := range len(s) {
		if special[s[i]] {
			return true
		}
	}
	return false
}

// mustQuote reports whether a reader could take an unquoted cell for something else:
// some drop white space around it, and PostgreSQL ends its input at \.
func mustQuote(s string) bool {
	return hasSpecial(s) || s == `\.` || s != strings.TrimSpace(s)
}

// formula finds the start of what a spreadsheet runs: at the start of a cell or of
// a line in it, behind any white space.
var formula = regexp.MustCompile(`(?m)(^|\r)[\s\x{a0}]*[=+\-@\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]|^[\t\r]`)

var number = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// harmless puts an apostrophe before what a spreadsheet would run.
func harmless(cell string) string {
	if !formula.MatchString(cell) || number.MatchString(cell) {
		return cell
	}
	return "'" + cell
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// The same for the other places where values become text.

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func maybeMoment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return moment(*t)
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func maybeInteger(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

// joined has a list in one cell, from which it can be split again.
func joined(list []string) string {
	escaped := make([]string, len(list))
	for i, value := range list {
		escaped[i] = cellSeparators.Replace(value)
	}
	return strings.Join(escaped, "|")
}

var cellSeparators = strings.NewReplacer(`\`, `\\`, `|`, `\|`)
