package httpapi

import (
	"encoding/csv"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// column is a column of a CSV.
type column[T any] struct {
	name  string
	value func(T) string
}

// CSV writes RFC 4180 with a header, in UTF-8.
type CSV[T any] struct {
	w       *csv.Writer
	columns []column[T]
	record  []string
	raw     bool
}

// NewCSV writes the header. Unless raw, cells that a spreadsheet would take for a
// formula are preceded by an apostrophe.
func NewCSV[T any](w io.Writer, columns []column[T], raw bool) *CSV[T] {
	c := &CSV[T]{w: csv.NewWriter(w), columns: columns, record: make([]string, len(columns)), raw: raw}
	c.w.UseCRLF = true
	for i, col := range columns {
		c.record[i] = col.name
	}
	_ = c.w.Write(c.record) // buffered: Flush tells
	return c
}

// Write adds a row.
func (c *CSV[T]) Write(item T) error {
	for i, col := range c.columns {
		c.record[i] = col.value(item)
		if !c.raw {
			c.record[i] = harmless(c.record[i])
		}
	}
	return c.w.Write(c.record)
}

// Flush sends what is buffered and reports the first error.
func (c *CSV[T]) Flush() error {
	c.w.Flush()
	return c.w.Error()
}

// formula finds the start of what a spreadsheet runs: at the start of a cell or of
// a line in it, behind any white space.
var formula = regexp.MustCompile(`(?m)(^|\r)[\s\x{a0}]*[=+\-@\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]|^[\t\r]`)

var number = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

func harmless(cell string) string {
	// Most cells start with a letter or digit and have one line.
	if cell == "" || isAlphanumeric(cell[0]) && strings.IndexByte(cell, '\n') < 0 && strings.IndexByte(cell, '\r') < 0 {
		return cell
	}
	if !formula.MatchString(cell) || number.MatchString(cell) {
		return cell
	}
	return "'" + cell
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// download sends its headers with its first bytes.
type download struct {
	w           http.ResponseWriter
	name        string
	contentType string
	timeout     time.Duration // for a part to be accepted
	started     bool
}

func (d *download) start() {
	d.started = true
	h := d.w.Header()
	h.Set("Content-Type", d.contentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": d.name}))
	h.Set("Cache-Control", "no-store")
	d.w.WriteHeader(http.StatusOK)
}

func (d *download) Write(b []byte) (int, error) {
	if !d.started {
		d.start()
	}
	// A client that no longer reads must not hold a database connection for ever.
	_ = http.NewResponseController(d.w).SetWriteDeadline(time.Now().Add(d.timeout))
	return d.w.Write(b)
}

// What cells are made of. Absence is an empty cell; lists are joined by a bar.

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func maybeMoment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return moment(*t)
}

func integer(n int64) string { return strconv.FormatInt(n, 10) }

func maybeInteger(n *int64) string {
	if n == nil {
		return ""
	}
	return integer(*n)
}

func maybeBool(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}

func maybeID(id *uuid.UUID) string {
	if id == nil {
		return ""
	}
	return id.String()
}

func joined(list []string) string { return strings.Join(list, "|") }
