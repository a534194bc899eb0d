package aifi

// envelope reads a whole body.
func (r *reader) envelope() {
	if r.dec.PeekKind() != '{' {
		r.problem = &Problem{Reason: NotAnObject, Detail: "the body must be an object, not " + kindOf(r.value())}
		r.end()
		return
	}
	if _, err := r.dec.ReadToken(); err != nil {
		r.fail(err)
		return
	}
	for r.next() {
		r.envelopeMember(r.statement)
	}
	r.end()
}

func (r *reader) envelopeMember(s *Statement) {
	switch string(r.name) {
	case "sessionId":
		s.SessionID = r.id()
	case "session":
		r.session(s)
	case "customer":
		s.Customer = r.customer()
	case "shopper":
		r.shopper(s)
	case "store":
		r.store(s)
	case "storeId":
		r.storeIDs.envelope = r.storeID()
	case "storeExternalId":
		s.StoreExternalID = r.string()
	case "timeOfOrigin":
		s.TimeOfOrigin = r.time()
	case "timeOfIssue":
		s.TimeOfIssue = r.time()
	case "eventId":
		s.EventID = r.id()
	case "shopperId":
		r.shopperID = r.id()
	case "shoppingSessionFlags":
		s.WebhookFlags = r.ids()
	case "productIds":
		s.ProductIDs = r.ids()
	case "gondolaIds":
		s.GondolaIDs = r.ids()
	case "payment":
		r.payment(s)
	case "token":
		s.Token = r.id()
	case "tokenType":
		s.TokenType = r.string()
	case "checkInDeviceId":
		s.CheckInDeviceID = r.string()
	case "customerPersonalInfo":
		s.PersonalInfo = r.personalInfo()
	default:
		r.unknown()
	}
}

func (r *reader) customer() *Customer {
	if !r.enter("customer", false) {
		return nil
	}
	c := new(Customer)
	for r.next() {
		switch string(r.name) {
		case "id":
			c.ID = r.id()
		case "externalId":
			c.ExternalID = r.string()
		case "role":
			c.Role = r.string()
		case "metadata":
			c.Metadata = r.metadata()
		default:
			r.unknown()
		}
	}
	return c
}

func (r *reader) shopper(s *Statement) {
	if !r.enter("shopper", false) {
		return
	}
	for r.next() {
		switch string(r.name) {
		case "shopperId":
			s.ShopperID = r.id()
		case "shopperFlags":
			s.ShopperFlags = r.ids()
		default:
			r.unknown()
		}
	}
}

func (r *reader) store(s *Statement) {
	if !r.enter("store", false) {
		return
	}
	for r.next() {
		switch string(r.name) {
		case "oasisApiStoreId":
			r.storeIDs.store = r.storeID()
		case "aifiUniqueStoreId":
			s.AifiUniqueStoreID = r.string()
		default:
			r.unknown()
		}
	}
}

func (r *reader) payment(s *Statement) {
	if !r.enter("payment", true) {
		return
	}
	for r.next() {
		switch string(r.name) {
		case "paymentProvider":
			s.PaymentProvider = r.string()
		default:
			r.unknown()
		}
	}
}

func (r *reader) personalInfo() *PersonalInfo {
	if !r.enter("customerPersonalInfo", true) {
		return nil
	}
	p := new(PersonalInfo)
	for r.next() {
		switch string(r.name) {
		case "email":
			p.Email = r.string()
		case "firstName":
			p.FirstName = r.string()
		case "lastName":
			p.LastName = r.string()
		case "phone":
			p.Phone = r.string()
		case "phoneNumber":
			p.PhoneNumber = r.string()
		default:
			r.unknown()
		}
	}
	return p
}
