package bench

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is text in columns: the first begins at the left, the others end at the right.
type table struct{ rows [][]string }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) error {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line.WriteString("  " + cell + space)
			} else {
				line.WriteString("  " + space + cell)
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// number is short, and as exact as it is known: three digits.
func number(v float64) string {
	switch {
	case v >= 100 || v == 0:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// text is the median with the lowest and the highest.
func (s *Sample) text() string {
	switch {
	case s == nil || len(s.Values) == 0:
		return ""
	case len(s.Values) == 1:
		return number(s.Median)
	}
	return fmt.Sprintf("%s (%s to %s)", number(s.Median), number(s.Low), number(s.High))
}

// median is the median alone.
func (s *Sample) median() string {
	if s == nil || len(s.Values) == 0 {
		return ""
	}
	return number(s.Median)
}

// text says what is to be reached, and whether the median does.
func (t *Target) text(s *Sample) string {
	if t == nil || s == nil || len(s.Values) == 0 {
		return ""
	}
	want := "at least " + number(t.AtLeast)
	if t.AtMost != 0 {
		want = "at most " + number(t.AtMost)
	}
	if t.Met(s.Median) {
		return want + ": yes"
	}
	return want + ": NO"
}
