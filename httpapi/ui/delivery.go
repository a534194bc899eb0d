package ui

// Delivery is one request of AiFi's.
type Delivery struct {
	ID         string
	Webhook    string
	Status     Tag
	Facts      []Fact // what was received
	Made       []Fact // the rows it made
	Headers    []Fact
	Repeats    []Repeat
	RepeatNote string
	Quarantine *Quarantined
	Marks      *Marks // nil if there is nothing to mark
	Anchor     string
	Body       Body
	Altered    bool
	Erased     bool // there is no body any more, by the rules
	NotJSON    bool
	Size       int64
	PrettyHref string
	RawHref    string
	Download   string
	Lookers    string // address of who looked at it; "" if that may not be seen
	Notice     string
	Held       Held
}

// Repeat is a delivery that states the same.
type Repeat struct {
	ID, Href string
	This     bool
	Received Moment
}

// Quarantined says why a delivery was not understood.
type Quarantined struct {
	Reason, Detail, Pointer string
	At                      Moment
	Replayed                *Moment
	Replay                  *Replay
}
