package httpapi

import (
	"fmt"
	"time"

	"aifi-audit/httpapi/ui"
)

// barsMost is how many days are shown singly; longer periods are shown by week.
const barsMost = 100

// bars draws the counts of each day, or of each week of a long period.
func (o *overview) bars(view *ui.Overview) {
	alcohol, fraud := map[string]int64{}, map[string]int64{}
	var allAlcohol, allFraud int64
	for _, n := range o.byDay {
		alcohol[n.Day] += n.AlcoholInteractions
		fraud[n.Day] += n.FraudAlerts
		allAlcohol += n.AlcoholInteractions
		allFraud += n.FraudAlerts
	}
	first, end := midnight(o.day(o.period.From)), o.day(o.period.To)
	view.Span, view.Bars = "day", nil
	width := 1
	if end.Sub(first) > barsMost*24*time.Hour {
		view.Span, width = "week", 7
	}
	var alcoholBars, fraudBars []ui.Bar
	for from := first; from.Before(end); {
		to := from.AddDate(0, 0, width)
		if width == 7 { // weeks begin on Monday
			to = from.AddDate(0, 0, 7-(int(from.Weekday())+6)%7)
		}
		line := ui.Count{Text: from.Format("Mon 2 Jan 2006")}
		for day := from; day.Before(to) && day.Before(end); day = day.AddDate(0, 0, 1) {
			line.Alcohol += alcohol[day.Format(time.DateOnly)]
			line.Fraud += fraud[day.Format(time.DateOnly)]
		}
		line.AlcoholHref = o.listed("/alcohol-interactions", o.instant(from), o.instant(to))
		line.FraudHref = o.listed("/fraud-alerts", o.instant(from), o.instant(to))
		view.Bars = append(view.Bars, line)
		bar := func(n int64) ui.Bar {
			return ui.Bar{Label: from.Format("2 Jan"), Title: line.Text + ": " + ui.Number(n), Value: n}
		}
		alcoholBars, fraudBars = append(alcoholBars, bar(line.Alcohol)), append(fraudBars, bar(line.Fraud))
		from = to
	}
	from, to := o.whole()
	view.Figures = append(view.Figures,
		ui.Figure{Label: "Alcohol interactions", Value: allAlcohol, Href: o.listed("/alcohol-interactions", from, to)},
		ui.Figure{Label: "Fraud alerts", Value: allFraud, Href: o.listed("/fraud-alerts", from, to)})
	view.Charts = []ui.Chart{
		ui.NewChart("alcohol", "Alcohol interactions", summaryOf(alcoholBars, view.Span), alcoholBars),
		ui.NewChart("fraud", "Fraud alerts", summaryOf(fraudBars, view.Span), fraudBars),
	}
}

// summaryOf says in a sentence what a chart shows.
func summaryOf(bars []ui.Bar, span string) string {
	var most ui.Bar
	for _, b := range bars {
		if b.Value > most.Value {
			most = b
		}
	}
	if most.Value == 0 {
		return "None in this period."
	}
	return fmt.Sprintf("Most in one %s: %s, %s.", span, ui.Number(most.Value), most.Label)
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}
