package aifi

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep a body may be nested.
const MaxDepth = 512

// maxUnreadable bounds Statement.Unreadable.
const maxUnreadable = 32

var byteOrderMark = []byte("\xef\xbb\xbf")

// reader walks one body. Its methods record what they cannot read, so that the
// callers stay plain lists of members.
type reader struct {
	dec        *jsontext.Decoder
	problem    *Problem // the first fault that makes the body unusable
	unreadable []string
	lossy      bool // the statement says less than the body
}

// member is a top-level member that Decode does not know.
type member struct {
	name  string
	value []byte
}

// envelope collects what Decode needs beside the statement until the end.
type envelope struct {
	statement    *Statement
	storeIDs     [2]int64 // storeId and store.oasisApiStoreId
	shopperID    string
	timeOfOrigin []byte // as written
	unknown      []member
}

// Decode reads what a body states. It returns a statement or a problem, never both.
func Decode(webhook Webhook, body []byte) (*Statement, *Problem) {
	text := bytes.TrimPrefix(body, byteOrderMark)
	if depth(text) > MaxDepth {
		return nil, &Problem{Reason: TooDeep, Detail: "the body is nested too deeply"}
	}
	value := jsontext.Value(text)
	if !value.IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
		return nil, &Problem{Reason: NotJSON, Detail: "the body is not one JSON value"}
	}
	if value.Kind() != '{' {
		return nil, &Problem{Reason: NotAnObject, Detail: "the body is JSON, but not an object"}
	}
	r := &reader{dec: jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	e := &envelope{statement: &Statement{Webhook: webhook}}
	r.object(func(name string) { r.envelopeMember(e, name) })
	if r.problem != nil {
		return nil, r.problem
	}
	s := e.statement
	r.settle(e)
	if webhook.Modelled() && s.empty() {
		return nil, &Problem{Reason: StatesNothing, Detail: "the body names no session, customer, shopper, store, product, gondola or flag"}
	}
	s.Unreadable = r.unreadable
	var bodyHash []byte
	if r.lossy {
		sum := sha256.Sum256(body)
		bodyHash = sum[:]
	}
	s.Fingerprint = fingerprint(e, bodyHash)
	return s, nil
}

func (r *reader) envelopeMember(e *envelope, name string) {
	s := e.statement
	switch name {
	case "sessionId":
		s.SessionID = r.id()
	case "session":
		s.Session = nil
		if r.beginObject() {
			s.Session = &Session{}
			r.members(func(name string) { r.sessionMember(s, name) })
		}
	case "customer":
		s.Customer = nil
		if r.beginObject() {
			s.Customer = &Customer{}
			r.members(func(name string) { r.customerMember(s.Customer, name) })
		}
	case "shopper":
		s.ShopperID, s.ShopperFlags = "", nil
		if r.beginObject() {
			r.members(func(name string) { r.shopperMember(s, name) })
		}
	case "store":
		if r.beginObject() {
			r.members(func(name string) { r.storeMember(e, name) })
		}
	case "storeId":
		e.storeIDs[0] = r.storeID()
	case "storeExternalId":
		s.StoreExternalID = r.text()
	case "timeOfOrigin":
		var raw []byte
		s.TimeOfOrigin, raw = r.timeAndRaw()
		e.timeOfOrigin = raw
	case "timeOfIssue":
		s.TimeOfIssue = r.time()
	case "eventId":
		s.EventID = r.id()
	case "shopperId":
		e.shopperID = r.id()
	case "shoppingSessionFlags":
		s.WebhookFlags = r.ids()
	case "productIds":
		s.ProductIDs = r.ids()
	case "gondolaIds":
		s.GondolaIDs = r.ids()
	case "payment":
		if v := r.value(); v.Kind() == '{' {
			r.paymentProvider(s, v)
			e.unknown = append(e.unknown, member{name, bytes.Clone(v)})
		} else if v.Kind() != 'n' {
			r.doubt()
		}
	case "token":
		s.Token = r.id()
	case "tokenType":
		s.TokenType = r.text()
	case "checkInDeviceId":
		s.CheckInDeviceID = r.text()
	case "customerPersonalInfo":
		s.PersonalInfo = nil
		if r.dec.PeekKind() != '{' {
			if r.value().Kind() != 'n' {
				r.doubt()
			}
			return
		}
		s.PersonalInfo = &PersonalInfo{}
		r.object(func(name string) { r.personalInfoMember(s.PersonalInfo, name) })
	default:
		e.unknown = append(e.unknown, member{name, bytes.Clone(r.value())})
	}
}

func (r *reader) customerMember(c *Customer, name string) {
	switch name {
	case "id":
		c.ID = r.id()
	case "externalId":
		c.ExternalID = r.text()
	case "role":
		c.Role = r.text()
	case "metadata":
		c.Metadata = r.metadata()
	default:
		r.value()
	}
}

func (r *reader) shopperMember(s *Statement, name string) {
	switch name {
	case "shopperId":
		s.ShopperID = r.id()
	case "shopperFlags":
		s.ShopperFlags = r.ids()
	default:
		r.value()
	}
}

func (r *reader) storeMember(e *envelope, name string) {
	switch name {
	case "oasisApiStoreId":
		e.storeIDs[1] = r.storeID()
	case "aifiUniqueStoreId":
		e.statement.AifiUniqueStoreID = r.text()
	default:
		r.value()
	}
}

func (r *reader) personalInfoMember(p *PersonalInfo, name string) {
	switch name {
	case "email":
		p.Email = r.text()
	case "firstName":
		p.FirstName = r.text()
	case "lastName":
		p.LastName = r.text()
	case "phone":
		p.Phone = r.text()
	case "phoneNumber":
		p.PhoneNumber = r.text()
	default:
		r.value()
	}
}

// paymentProvider reads payment.paymentProvider. The whole object also counts as
// an unknown member, since its other parts may tell one alert from another.
func (r *reader) paymentProvider(s *Statement, payment jsontext.Value) {
	sub := &reader{dec: jsontext.NewDecoder(bytes.NewBuffer(bytes.Clone(payment)), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	sub.object(func(name string) {
		if name == "paymentProvider" {
			s.PaymentProvider = sub.text()
			return
		}
		sub.value()
	})
	for _, pointer := range sub.unreadable {
		r.doubtAt("/payment" + pointer)
	}
	r.lossy = r.lossy || sub.lossy
}

// settle fills the fields that several members can give.
func (r *reader) settle(e *envelope) {
	s := e.statement
	s.StoreID = e.storeIDs[0]
	if s.StoreID == 0 {
		s.StoreID = e.storeIDs[1]
	}
	if s.StoreID == 0 && s.Session != nil && s.Session.StoreID != nil {
		s.StoreID = *s.Session.StoreID
	}
	if s.ShopperID == "" {
		s.ShopperID = e.shopperID
	}
	if ses := s.Session; ses != nil {
		stated := ses.SessionID
		if stated == "" {
			stated = ses.SessionToken
		}
		if s.SessionID == "" {
			s.SessionID = stated
		} else if stated != "" && stated != s.SessionID {
			r.doubtAt("/session/sessionId")
			r.lossy = true
		}
	}
	if s.SessionID == "" && s.Webhook == RemoteRegister {
		s.SessionID = s.Token
	}
}

func (s *Statement) empty() bool {
	return s.SessionID == "" && s.Session == nil && s.Customer == nil && s.ShopperID == "" && s.EventID == "" &&
		len(s.ShopperFlags)+len(s.WebhookFlags)+len(s.ProductIDs)+len(s.GondolaIDs) == 0 &&
		s.StoreID == 0 && s.StoreExternalID == "" && s.AifiUniqueStoreID == "" && s.Token == "" && s.PersonalInfo == nil
}

// object reads an object that is known to be one.
func (r *reader) object(each func(name string)) {
	_, _ = r.dec.ReadToken()
	r.members(each)
}

// beginObject enters an object of the envelope; null is absence, and anything else
// makes the body unusable.
func (r *reader) beginObject() bool {
	switch r.dec.PeekKind() {
	case '{':
		_, _ = r.dec.ReadToken()
		return true
	case 'n':
		r.value()
		return false
	}
	r.value()
	r.wrongType("must be an object")
	return false
}

// members reads the rest of an object. each must consume the member's value.
func (r *reader) members(each func(name string)) {
	seen := make([]string, 0, 32)
	for r.dec.PeekKind() == '"' {
		name := r.unquote(r.value())
		if slices.Contains(seen, name) {
			r.doubt()
			r.lossy = true
		}
		seen = append(seen, name)
		each(name)
	}
	_, _ = r.dec.ReadToken()
}

// value reads one value, valid until the next read. The body is known to be valid
// JSON, so that no read can fail.
func (r *reader) value() jsontext.Value {
	v, _ := r.dec.ReadValue()
	return v
}

func (r *reader) wrongType(detail string) {
	if r.problem == nil {
		r.problem = &Problem{Reason: WrongType, Pointer: clean(string(r.dec.StackPointer())), Detail: detail}
	}
}

// doubt notes that the member just read is not what the body says.
func (r *reader) doubt() { r.doubtAt(string(r.dec.StackPointer())) }

func (r *reader) doubtAt(pointer string) {
	pointer = clean(pointer)
	if len(r.unreadable) < maxUnreadable && !slices.Contains(r.unreadable, pointer) {
		r.unreadable = append(r.unreadable, pointer)
	}
}

// depth is how deep the brackets of text nest outside of strings.
func depth(text []byte) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}
