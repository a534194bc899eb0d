package ui_test

import (
	"testing"

	"pgregory.net/rapid"

	"aifi-audit/httpapi/ui"
)

func TestBarsStayInTheirChart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 0, 400).Draw(t, "values")
		bars := make([]ui.Bar, len(values))
		for i, v := range values {
			bars[i] = ui.Bar{Label: "x", Value: v}
		}
		c := ui.NewChart("c", "", "", bars)
		if len(c.Bars) != len(bars) || len(c.Labels) > 5 || len(c.Lines) < 1 || len(c.Lines) > 4 {
			t.Fatalf("%d bars, %d labels, %d lines", len(c.Bars), len(c.Labels), len(c.Lines))
		}
		for i, b := range c.Bars {
			if b.X < 0 || b.X+b.Width > float64(c.Width)+.2 || b.Y < 0 || b.Width <= 0 || (b.Height == 0) != (values[i] == 0) {
				t.Fatalf("bar %d of %d is at %+v", i, values[i], b)
			}
		}
	})
}

func TestHeatShowsEachHour(t *testing.T) {
	var counts [7][24]int64
	counts[4][22], counts[0][0] = 10, 1
	h := ui.NewHeat(counts)
	if len(h.Cells) != 7*24 || h.Total != 11 || h.Summary != "Most on Friday from 22 to 23: 10." {
		t.Errorf("%d cells, %d in all, %s", len(h.Cells), h.Total, h.Summary)
	}
	if first, peak := h.Cells[0], h.Cells[4*24+22]; first.Level != 1 || peak.Level != 5 || peak.Title != "Fri 22–23: 10" || h.Cells[1].Level != 0 {
		t.Errorf("%+v %+v", first, peak)
	}
	if h := ui.NewHeat([7][24]int64{}); h.Summary != "Nothing happened." {
		t.Error(h.Summary)
	}
}
