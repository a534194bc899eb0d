package ui

// Search is a page with a list: its filters, and a page of what they find.
type Search struct {
	Heading string
	Intro   string // a sentence on what is listed
	Noun    string // what one may have found "12" of
	Filters Filters
	Columns []Column
	Groups  []Group
	Total   Total
	Newer   string // address of the page before this one; "" if this is the first
	Older   string
	Oldest  bool   // the oldest come first
	Live    *Live  // nil where nothing is counted on top
	Export  string // address of the CSV; "" if the token may not export
	// ExportCount is the address that answers {"count": n} with how many rows the CSV
	// has; "" if Total tells.
	ExportCount string
	Pack        string // address of the evidence pack; "" if there is none
	Empty       *Empty // not nil if nothing was found
	Replay      *Replay
	Notice      string // what a form that was sent did
}

// Total is how many items match.
type Total struct {
	Count int64
	More  bool // Count is only where counting stopped
}

// String is the number as people read it.
func (t Total) String() string {
	if t.More {
		return "more than " + Number(t.Count)
	}
	return Number(t.Count)
}

// Live is how the script learns what is new.
type Live struct {
	Count string // address that answers {"count": n}, and perhaps {"late": n}
	First string // address of the first page
	Late  bool   // what arrives late is counted too
}

// Filters is the form above a list.
type Filters struct {
	Stores     []Choice // empty if there are too many to choose from
	StoreLabel string   // what is chosen; "" where nothing is of a store
	StoreIDs   []string // where there is no choice
	From, To   string   // local times, as a form field takes them
	Seconds    bool     // they have seconds
	Dates      bool     // they are days
	Ranges     []Link
	RangeLabel string
	Fields     []Field
	More       bool // a filter that is not in sight is set
	Active     []Link
	Clear      string // address without filters; "" if there are none
	Keep       []Field
	Zone       string
	Fault      Fault
}

// Fault is what is wrong with a field of a form; its Field is "" if nothing is.
type Fault struct{ Field, Text string }

// Choice is a box to tick, or one of a list.
type Choice struct {
	Value, Text string
	Chosen      bool
}

// Field is a text field of the form, which may be there several times.
type Field struct {
	Name, Label string
	Values      []string
	Options     []Choice // if not nil, a list to choose from
}

// Column is a column's heading.
type Column struct {
	Name, Class string
	Sort        string // address of the list in the other order; "" if it has none
}

// Group is the rows of one day.
type Group struct {
	Day  string
	Rows []Row
}

// Row is a row of a list.
type Row struct{ Cells []Cell }

// Cell is a cell of a row; what is empty is not shown.
type Cell struct {
	Label, Class string
	Time         *Moment
	Text, Href   string
	Links        []Link
	Tags         []Tag
	Note         string
}

// clipped reports whether a list may have no room for the whole text.
func (c Cell) clipped() bool { return c.Class == "id" && len(c.Text) > 18 || len(c.Text) > 24 }

// wide reports whether the cell needs a line of its own among facts.
func (c Cell) wide() bool { return len(c.Text) > 80 || len(c.Links) > 6 }

// Tag is a short word in a frame.
type Tag struct{ Text, Title, Class string }

// Empty explains that nothing was found.
type Empty struct {
	Why  string
	Tips []Link
}

// Replay is the form that tries all of quarantine again that match.
type Replay struct {
	Action    string // address
	FormToken string
	Count     Total
}
