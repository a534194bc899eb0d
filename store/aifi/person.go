package aifi

import "bytes"

// Person is whom a body names.
type Person struct {
	CustomerID string        // as [Statement.CustomerID]
	Info       *PersonalInfo // as [Statement.PersonalInfo]
}

// DecodePerson gives whom a body names, as the statement that Decode makes of it does,
// at a third of the cost. It gives false if that takes all of Decode to tell. It keeps
// no reference to body.
func DecodePerson(body []byte) (p Person, ok bool) {
	r := readers.Get().(*reader) //nolint:forcetypeassert // the pool holds nothing else
	defer r.release()
	// Where names stand twice, the last one counts, as it is noted last.
	r.begin(bytes.TrimPrefix(body, byteOrderMark), anyJSON)
	if r.dec.PeekKind() != '{' {
		return Person{}, false
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return Person{}, false
	}
	var customer, session string
	for r.next() {
		switch string(r.name) {
		case "customer":
			customer = r.idIn("customer", "id", r.id)
		case "session":
			session = r.idIn("session", "customerId", r.string)
		case "customerPersonalInfo":
			p.Info = r.personalInfo()
		default:
			r.skip()
		}
	}
	r.end()
	if r.err != nil || r.problem != nil {
		return Person{}, false
	}
	p.CustomerID = firstOf(customer, session)
	return p, true
}

// idIn reads one member of an object of the envelope; "" if it is not there.
func (r *reader) idIn(object, member string, read func() string) (id string) {
	if !r.enter(object, false) {
		return ""
	}
	for r.next() {
		if string(r.name) == member {
			id = read()
		} else {
			r.skip()
		}
	}
	return id
}
