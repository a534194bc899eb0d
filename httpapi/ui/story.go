package ui

// Story is all that is known of one shopping session.
type Story struct {
	SessionID string
	StoreText string
	Status    string
	Alerts    []Tag
	Facts     []Fact // the newest state
	Steps     []Step
	Older     string // address of the first steps; "" if these are they
	Newer     string // address of the following steps
	Sources   []Source
	Zone      string
	Export    []Link
	Lookers   string // address of who looked at it; "" if that may not be seen
	Held      Held
}

// Fact is a name and what is known by it.
type Fact struct {
	Name string
	Cell Cell
}

// Step is one event of the session.
type Step struct {
	Title    string
	Kind     string // a CSS class: alcohol, fraud, registration, other
	Time     Moment
	Doubtful bool // the time is that of receipt, since the body has no usable one
	Day      string
	Facts    []Fact
	Changes  []Change
	Silent   string // why changes cannot be told; "" if they can
	Anchor   string // where to jump to
	Delivery string // address
	Times    int64  // how often it was delivered
	Marks    *Marks // nil if it cannot be marked
}

// Change is a member of the session that the webhook tells differently from the one
// before it.
type Change struct {
	Member        string
	Before, After string
}

// Source is a delivery that the story stands on.
type Source struct {
	ID, Href, Webhook, Hash string
	Received                Moment
}

// Marks is what staff said of an event, and the form to say more.
type Marks struct {
	History   []Mark
	Action    string // address of the form; "" if the token may not mark
	FormToken string
	Choices   []Choice
	Back      string
	Label     string // names the event to those who cannot see where the form stands
	ID        string // of the form, on its page
	Problem   string // what is wrong with what was sent; "" if nothing is
}

// Mark is one thing that was said.
type Mark struct {
	Tag     Tag
	By      string
	At      Moment
	Comment string
}

// Ambiguous asks which of several stores' sessions is meant.
type Ambiguous struct {
	SessionID string
	Choices   []Link
}
