package ui

import (
	"fmt"
	"time"
)

// Size of a chart, in units of its own that the browser scales.
const (
	chartWidth  = 520
	chartHeight = 180
	chartLeft   = 40 // for the numbers
	chartTop    = 10
	chartBottom = 22 // for the dates
	chartTicks  = 4  // at most so many lines above the ground
	chartLabels = 5  // at most so many dates
)

// Bar is what a chart is made of.
type Bar struct {
	Label string // below it
	Title string // on hover
	Value int64
}

// Chart is a chart of bars, laid out.
type Chart struct {
	ID, Title, Summary string
	Bars               []LaidBar
	Lines              []Rule
	Labels             []Label
	Width, Height      int
	Ground             float64
}

// LaidBar is a bar with its place.
type LaidBar struct {
	X, Y, Width, Height float64
	Title               string
}

// Rule is a line across the chart, with its number.
type Rule struct {
	Y    float64
	Text string
}

// Label is a text below the ground.
type Label struct {
	X    float64
	Text string
}

// NewChart lays a chart out. id must be unique on its page.
func NewChart(id, title, summary string, bars []Bar) Chart {
	c := Chart{ID: id, Title: title, Summary: summary, Width: chartWidth, Height: chartHeight, Ground: chartHeight - chartBottom}
	top := int64(1)
	for _, b := range bars {
		top = max(top, b.Value)
	}
	step := tick(top)
	top = (top + step - 1) / step * step
	tall := c.Ground - chartTop
	for v := step; v <= top; v += step {
		c.Lines = append(c.Lines, Rule{Y: round(c.Ground - tall*float64(v)/float64(top)), Text: Number(v)})
	}
	if len(bars) == 0 {
		return c
	}
	slot := float64(chartWidth-chartLeft) / float64(len(bars))
	gap := min(slot*.25, 6)
	every := (len(bars) + chartLabels - 1) / chartLabels
	for i, b := range bars {
		x := chartLeft + slot*float64(i)
		height := tall * float64(b.Value) / float64(top)
		if b.Value > 0 {
			height = max(height, 1.5) // what there is can be seen
		}
		c.Bars = append(c.Bars, LaidBar{X: round(x + gap/2), Y: round(c.Ground - height), Width: round(slot - gap), Height: round(height), Title: b.Title})
		if i%every == 0 {
			c.Labels = append(c.Labels, Label{X: round(x + slot/2), Text: b.Label})
		}
	}
	return c
}

// tick is a round distance of lines for values up to top: 1, 2 or 5 times a power of ten.
func tick(top int64) int64 {
	for power := int64(1); ; power *= 10 {
		for _, n := range []int64{1, 2, 5} {
			if top <= n*power*chartTicks {
				return n * power
			}
		}
	}
}

func round(f float64) float64 { return float64(int64(f*10+.5)) / 10 }

// Heat is a map of the hours of the week.
type Heat struct {
	Cells         []HeatCell
	Days          []Label // Y is given by their order
	Hours         []Label
	Rows          []HeatRow
	Width, Height int
	Total         int64
	Summary       string
}

// HeatCell is one hour of one day of the week.
type HeatCell struct {
	X, Y, Level int
	Title       string
}

// HeatRow is a day of the week as a row of a table.
type HeatRow struct {
	Day   string
	Hours [24]int64
}

const (
	heatCell = 26
	heatTall = 26
	heatLeft = 46
)

// NewHeat lays a map out. counts has the days from Monday, each with its 24 hours.
func NewHeat(counts [7][24]int64) Heat {
	h := Heat{Width: heatLeft + 24*heatCell, Height: 7*heatTall + 20}
	var most int64
	var mostDay, mostHour int
	for d, hours := range counts {
		for hour, n := range hours {
			h.Total += n
			if n > most {
				most, mostDay, mostHour = n, d, hour
			}
		}
	}
	for d, hours := range counts {
		name := time.Weekday((d + 1) % 7).String()
		h.Rows = append(h.Rows, HeatRow{name, hours})
		h.Days = append(h.Days, Label{X: float64(d*heatTall + heatTall*7/10), Text: name[:3]})
		for hour, n := range hours {
			level := 0
			if n > 0 {
				level = int((n*5 + most - 1) / most)
			}
			h.Cells = append(h.Cells, HeatCell{
				X: heatLeft + hour*heatCell, Y: d * heatTall, Level: level, Title: fmt.Sprintf("%s %02d–%02d: %s", name[:3], hour, (hour+1)%24, Number(n)),
			})
		}
	}
	for hour := 0; hour < 24; hour += 3 {
		h.Hours = append(h.Hours, Label{X: float64(heatLeft + hour*heatCell), Text: fmt.Sprintf("%02d", hour)})
	}
	h.Summary = "Nothing happened."
	if most > 0 {
		h.Summary = fmt.Sprintf("Most on %s from %02d to %02d: %s.", time.Weekday((mostDay+1)%7), mostHour, (mostHour+1)%24, Number(most))
	}
	return h
}
