package ui

// Status is the page of how the installation does.
type Status struct {
	Facts    []Fact
	Traffic  []Traffic
	Filtered bool  // only of some stores
	More     int64 // not shown, if positive
}

// Traffic is what came of one webhook of one store.
type Traffic struct {
	Store, Href string // the store, and its address on this page
	Webhook     string
	Last        Moment
	Lag         string // from AiFi's sending to the receipt of the last; "" if unknown
	Hour, Day   int64
	Usual       string // in this hour of the week
	Silent      string // what was missed; "" if that is nothing unusual
}

// Refused is the page of the webhooks that came without a good token.
type Refused struct {
	Tokens    []RefusedToken
	Kept      bool   // whether such are kept at all
	Export    string // address of the CSV; "" if there is nothing
	FormToken string
	Notice    string
}

// RefusedToken is what came with one token.
type RefusedToken struct {
	Fingerprint, Why string
	Webhooks, From   []string
	First, Last      Moment
	Kept, Open       int64
	Action           string // address that records what is open; "" if nothing is
}
