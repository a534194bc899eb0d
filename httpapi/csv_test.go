package httpapi

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// row writes one row of text cells, without the header.
func row(t interface{ Fatal(...any) }, texts []string, raw bool) string {
	columns := make([]column[[]string], len(texts))
	for i := range columns {
		columns[i] = column[[]string]{"x", func(c *cells, texts *[]string) { c.text((*texts)[i]) }}
	}
	var out bytes.Buffer
	enc := NewCSV(&out, columns, raw)
	if err := enc.Write(texts); err != nil {
		t.Fatal(err)
	}
	if err := enc.Flush(); err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(out.String(), "\r\n")
	return line
}

// Whatever is written is read again as it was, by another reader than the writer's.
func TestCellsAreReadAsTheyWereWritten(t *testing.T) {
	cell := rapid.OneOf(rapid.String(), rapid.StringMatching("[a \",|=+\\-@\t\r\n\\\\.é\u00a0\uff1d0-9]{0,8}"))
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(cell, 2, 6).Draw(t, "cells") // a line with one empty cell is no line
		raw := rapid.Bool().Draw(t, "raw")
		got, err := csv.NewReader(strings.NewReader(row(t, texts, raw))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		want := make([]string, len(texts))
		for i, s := range texts {
			if !raw {
				s = harmless(s)
			}
			want[i] = strings.ReplaceAll(s, "\r\n", "\n") // the reader's doing
		}
		if diff := cmp.Diff([][]string{want}, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Where encoding/csv writes text as it is, it writes the same bytes.
func TestCellsAreWrittenAsEncodingCSVDoes(t *testing.T) {
	cell := rapid.StringMatching("[a \",|\\\\.é\u00a00-9]{0,8}[a0]")
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(cell, 1, 6).Draw(t, "cells")
		var want bytes.Buffer
		w := csv.NewWriter(&want)
		w.UseCRLF = true
		if err := w.Write(texts); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		if diff := cmp.Diff(want.String(), row(t, texts, true)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestCells(t *testing.T) {
	id := uuid.MustParse("01a20b72-53f9-7237-8a50-aaa3100401cc")
	for _, test := range []struct {
		name string
		cell func(*cells)
		want string
	}{
		{"text", func(c *cells) { c.text("a b") }, "a b"},
		{"no text", func(c *cells) { c.maybeText(nil) }, ""},
		{"a quote", func(c *cells) { c.text(`say "a"`) }, `"say ""a"""`},
		{"lines stay as they are", func(c *cells) { c.text("a\nb\r\nc") }, "\"a\nb\r\nc\""},
		{"a formula", func(c *cells) { c.text("=1+1") }, "'=1+1"},
		{"a formula in a second line", func(c *cells) { c.text("a\n=1") }, "\"'a\n=1\""},
		{"a number is no formula", func(c *cells) { c.text("-5.25") }, "-5.25"},
		{"the end of COPY", func(c *cells) { c.text(`\.`) }, `"\."`},
		{"a list", func(c *cells) { c.list([]string{"b", "a"}) }, "b|a"},
		{"a formula in a list", func(c *cells) { c.list([]string{"=b", "a"}) }, "'=b|a"},
		{"an empty list", func(c *cells) { c.list(nil) }, ""},
		{"an integer", func(c *cells) { c.integer(-7) }, "-7"},
		{"a time", func(c *cells) { c.moment(time.Date(2026, 11, 1, 1, 0, 0, 250_000_000, time.FixedZone("", 3600))) }, "2026-11-01T00:00:00.250000Z"},
		{"a whole second", func(c *cells) { c.moment(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)) }, "2026-11-01T00:00:00.000000Z"},
		{"a time before our time", func(c *cells) { c.moment(time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)) }, "'-0001-01-01T00:00:00.000000Z"},
		{"a time of an older pack", func(c *cells) {
			c.shortTimes = true
			c.moment(time.Date(2026, 11, 1, 0, 0, 0, 250_000_000, time.UTC))
		}, "2026-11-01T00:00:00.25Z"},
		{"no time", func(c *cells) { c.maybeMoment(nil) }, ""},
		{"truth", func(c *cells) { c.boolean(true) }, "true"},
		{"an id", func(c *cells) { c.maybeID(&id) }, id.String()},
		{"bytes", func(c *cells) { c.hex([]byte{1, 0xab}) }, "01ab"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c cells
			if test.cell(&c); string(c.buf) != test.want {
				t.Errorf("got %q, want %q", c.buf, test.want)
			}
		})
	}
}
