package ui

// Erasures is the page of the requests to erase customers.
type Erasures struct {
	Notice    string
	Ask       AskErasure
	Rows      []Erasure
	Next      string // address of what follows; "" if that is all
	FormToken string
}

// AskErasure is the form that asks for an erasure: first for what is kept, then, with
// that in sight, for the erasure itself.
type AskErasure struct {
	Customer, Reason   string
	Email, Phone, Name string // what he is known by beside, or instead
	Whom               string // all of it in words
	Fault              Fault
	Found              []Fact // what is kept; nil at first
	Others             string // customers who have some of it too; "" if there are none
	Namesakes          string // customers whom the retailer knows by the same id; "" if there are none
}

// Erasure is a request.
type Erasure struct {
	ID, By, Reason string
	At, Expires    Moment
	Customer       Cell // whom it is about, as long as that is known
	Found          string
	State          Tag
	Decided        *Decided // nil: by nobody yet
	Erased         *Erased  // nil: it was not carried out
	Digest         string   // what an approval repeats
	Approve        string   // address of the form that approves; "" if that cannot be done, as below
	Reject         string
	Withdraw       string
	CarryOut       bool // it waits to be carried out
}

// Decided says who decided what.
type Decided struct {
	What, By string
	At       Moment
}

// Erased says what was erased.
type Erased struct {
	At         Moment
	What       string
	Text, JSON string // addresses of the certificate
}
