package bench

import (
	"fmt"
	"io"
)

func (m *Search) write(w io.Writer) error {
	last := len(m.Sizes) - 1
	if _, err := fmt.Fprintf(w, "\nSearch, over HTTP, with the entry in the access log committed first. Milliseconds; buffers of 8 kB that the statements touch.\n"+
		"  growth: p50 at %d events in those at %d (%s), and the same of buffers. look-ups: p50 in those of a look-up over HTTP (%s).\n",
		m.Sizes[last], m.Sizes[0], "at most "+number(m.Growth.AtMost), "at most "+number(m.PerLook.AtMost)); err != nil {
		return err
	}
	var t table
	head := []string{"", "page"}
	for _, size := range m.Sizes {
		head = append(head, fmt.Sprintf("p50 at %s", count(size)), "p99", "buffers")
	}
	t.add(append(head, "growth", "of buffers", "look-ups")...)
	for _, p := range m.LookUps {
		t.add(p.cells()...)
	}
	for _, p := range m.Pages {
		more := ""
		if p.MoreBuffers > 0 {
			more = number(p.MoreBuffers)
		}
		t.add(append(p.cells(), number(p.Growth)+not(m.Growth, p.Growth), more, number(p.LookUps)+not(m.PerLook, p.LookUps))...)
	}
	return t.write(w)
}

func (p *Page) cells() []string {
	cells := []string{p.Name, p.Place}
	for _, at := range p.At {
		buffers := ""
		if at.Buffers != nil {
			buffers = number(*at.Buffers)
		}
		cells = append(cells, number(at.P50), number(at.P99), buffers)
	}
	return cells
}

// not marks what does not reach its target.
func not(t Target, v float64) string {
	if t.Met(v) {
		return "  "
	}
	return " !"
}

// count is a number of events, short.
func count(n int) string {
	switch {
	case n >= 1e6 && n%1e5 == 0:
		return fmt.Sprintf("%g million", float64(n)/1e6)
	case n >= 1e3 && n%1e3 == 0:
		return fmt.Sprintf("%g thousand", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}
