package ui

// Held says that something is on legal hold, or that it can be put on hold.
type Held struct {
	Holds     []Hold
	Action    string // address of the form that places a hold; "" if the token may not
	FormToken string
}

// Hold is a legal hold in force.
type Hold struct {
	Reason, By, Covers string
	At                 Moment
}

// Holds is the page with all legal holds.
type Holds struct {
	Rows      []HoldRow
	Lifted    bool   // those that were lifted are listed too
	Other     string // address of the list with them, or without
	Next      string // address of what follows; "" if that is all
	FormToken string
}

// HoldRow is a line of that page.
type HoldRow struct {
	Hold
	Lifted *LiftedHold // nil: it is in force
	Lift   string      // address of the form that lifts it; "" if that cannot be done
}

// LiftedHold says what became of a hold.
type LiftedHold struct {
	By, Reason string
	At         Moment
}
