package aifi

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Person is whom a body names.
type Person struct {
	CustomerID string        // as [Statement.CustomerID]
	Info       *PersonalInfo // as [Statement.PersonalInfo]
}

// DecodePerson gives whom a body names, as the statement that Decode makes of it does,
// at a tenth of the cost. It gives false if that takes all of Decode to tell. It passes
// over what is not about the person without a look: if Decode makes no statement of
// the body, it may name anybody. It keeps no reference to body.
func DecodePerson(body []byte) (p Person, ok bool) {
	s := scanner{text: bytes.TrimPrefix(body, byteOrderMark)}
	if s.kind() != '{' {
		return Person{}, false
	}
	var customer, session string
	// Where names stand twice, the last one counts.
	for s.enter(); s.next(); {
		switch string(s.name) {
		case "customer":
			customer = s.textIn("id")
		case "session":
			session = s.textIn("customerId")
		case "customerPersonalInfo":
			p.Info = s.personalInfo()
		default:
			s.value()
		}
	}
	if s.lost {
		return Person{}, false
	}
	p.CustomerID = firstOf(customer, session)
	return p, true
}

// scanner walks a text that is taken for strict JSON: it checks nothing. It is lost
// where it meets what only reader understands.
type scanner struct {
	text []byte
	at   int
	name []byte // of the member under way
	lost bool
}

// kind is the first byte of the next value or of the end of an object, or 0.
func (s *scanner) kind() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
		default:
			return c
		}
	}
	return 0
}

// enter goes into the object that is the next value.
func (s *scanner) enter() { s.at++ }

// next goes to the next member of the object under way, or behind its end.
func (s *scanner) next() bool {
	switch c := s.kind(); {
	case s.lost:
		return false
	case c == '}':
		s.at++
		return false
	case c == '"':
		quoted := s.string()
		s.name = quoted[1 : len(quoted)-1]
		s.lost = s.lost || bytes.IndexByte(s.name, '\\') >= 0
	default:
		s.lost = true
	}
	return !s.lost
}

// value passes over the next value, and gives it.
func (s *scanner) value() jsontext.Value {
	c := s.kind()
	start := s.at
	switch c {
	case '"':
		return s.string()
	case '{', '[':
		s.nested()
	default:
		for s.at < len(s.text) && s.text[s.at] != ',' && s.text[s.at] != '}' && s.text[s.at] > ' ' {
			s.at++
		}
	}
	return s.text[start:s.at]
}

// nested passes over an object or a list.
func (s *scanner) nested() {
	for depth := 0; s.at < len(s.text); {
		switch s.text[s.at] {
		case '"':
			s.string()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.at++
		if depth == 0 {
			return
		}
	}
	s.lost = true
}

// string passes over a string, and gives it with its quotation marks.
func (s *scanner) string() jsontext.Value {
	start := s.at
	for from := start + 1; ; {
		n := bytes.IndexByte(s.text[from:], '"')
		if n < 0 {
			s.lost, s.at = true, len(s.text)
			return jsontext.Value(`""`)
		}
		from += n + 1
		backslashes := 0
		for s.text[from-2-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 { // else they escape the quotation mark
			s.at = from
			return s.text[start:from]
		}
	}
}

// object goes into an object. Null is absence.
func (s *scanner) object() bool {
	switch s.kind() {
	case '{':
		s.enter()
		return true
	case 'n':
		s.value()
	default:
		s.lost = true
	}
	return false
}

// textIn reads one member of an object; "" if it is not there.
func (s *scanner) textIn(member string) (text string) {
	if !s.object() {
		return ""
	}
	for s.next() {
		if string(s.name) == member {
			text = s.scalar()
		} else {
			s.value()
		}
	}
	return text
}

// scalar reads a string, or a number as it is written. Null is "".
func (s *scanner) scalar() string {
	switch v := s.value(); v.Kind() {
	case '"':
		text, _ := unquote(v)
		return string(text)
	case '0':
		return string(v)
	case 'n':
	default:
		s.lost = true
	}
	return ""
}

func (s *scanner) personalInfo() *PersonalInfo {
	if !s.object() {
		return nil
	}
	p := new(PersonalInfo)
	for s.next() {
		switch string(s.name) {
		case "email":
			p.Email = s.scalar()
		case "firstName":
			p.FirstName = s.scalar()
		case "lastName":
			p.LastName = s.scalar()
		case "phone":
			p.Phone = s.scalar()
		case "phoneNumber":
			p.PhoneNumber = s.scalar()
		default:
			s.value()
		}
	}
	return p
}
