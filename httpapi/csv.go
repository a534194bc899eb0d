package httpapi

import (
	"io"
)

// column is a column of a CSV. cell writes at most one cell; none is an empty one.
type column[T any] struct {
	name string
	cell func(*cells, *T)
}

// CSV writes RFC 4180 with a header, in UTF-8. Text comes out as it went in, byte for
// byte: encoding/csv, which takes a third of an export's time, rewrites the ends of
// lines within a cell, too.
type CSV[T any] struct {
	w       io.Writer
	columns []column[T]
	cells   cells
	item    T
}

// csvPart is how much is written at a time, in bytes: fewer, longer writes cost less,
// and beyond this it makes no difference.
const csvPart = 64 << 10

// NewCSV writes the header. Unless raw, cells that a spreadsheet would take for a
// formula are preceded by an apostrophe.
func NewCSV[T any](w io.Writer, columns []column[T], raw bool) *CSV[T] {
	c := &CSV[T]{w: w, columns: columns, cells: cells{buf: make([]byte, 0, csvPart+csvPart/8), raw: raw}}
	for i, col := range columns {
		c.cells.separate(i)
		c.cells.text(col.name)
	}
	c.cells.endLine()
	return c
}

// Write adds a row. What is written may wait for Flush.
func (c *CSV[T]) Write(item T) error {
	c.item = item // a pointer to the parameter would cost an allocation
	for i, col := range c.columns {
		c.cells.separate(i)
		col.cell(&c.cells, &c.item)
	}
	c.cells.endLine()
	if len(c.cells.buf) < csvPart {
		return nil
	}
	return c.Flush()
}

// Flush sends what is buffered.
func (c *CSV[T]) Flush() error {
	_, err := c.w.Write(c.cells.buf)
	c.cells.buf = c.cells.buf[:0]
	return err
}
