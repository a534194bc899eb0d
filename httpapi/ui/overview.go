package ui

// Overview is the first page: what happened in a period, and what needs attention.
type Overview struct {
	Filters    Filters
	Figures    []Figure
	Attention  []Attention
	Charts     []Chart
	Span       string // what a bar stands for: day or week
	Bars       []Count
	Heat       Heat
	Stores     []Count
	MoreStores int64 // not listed, if positive
	Reviews    []Count
}

// Figure is one large number.
type Figure struct {
	Label, Href string
	Value       int64
}

// Attention is something that somebody should look at.
type Attention struct {
	Tag  Tag
	Text string
	Do   string // what to do
	Href string
}

// Count is a line of numbers, with the lists that they count.
type Count struct {
	Tag                    *Tag // instead of Text
	Text, Href             string
	Alcohol, Fraud         int64
	AlcoholHref, FraudHref string
	Note                   *Moment
}
