package aifi

import "time"

func (r *reader) session(st *Statement) {
	if !r.enter("session", false) {
		return
	}
	st.Session = new(Session)
	for r.next() {
		r.sessionMember(st, st.Session)
	}
}

func (r *reader) sessionMember(st *Statement, s *Session) {
	switch string(r.name) {
	case "id":
		s.ID = r.string()
	case "sessionId":
		s.SessionID = r.id()
	case "sessionToken":
		s.SessionToken = r.id()
	case "referencedSessionId":
		s.ReferencedSessionID = r.string()
	case "customerId":
		s.CustomerID = r.string()
	case "code":
		s.Code = r.string()
	case "status":
		s.Status = r.string()
	case "locationId":
		s.LocationID = r.string()
	case "storeId":
		s.StoreID = r.integer()
	case "storeIdScannableAt":
		s.StoreIDScannableAt = r.string()
	case "customerPaymentInstrumentId":
		s.CustomerPaymentInstrumentID = r.string()
	case "customerSatisfaction":
		s.CustomerSatisfaction = r.integer()
	case "customerSatisfactionSubmitted":
		s.CustomerSatisfactionSubmitted = r.boolean()
	case "groupSize":
		s.GroupSize = r.integer()
	case "visitors":
		s.Visitors = r.integer()
	case "priority":
		s.Priority = r.integer()
	case "suspectedFraud":
		s.SuspectedFraud = r.boolean()
	case "createdAt":
		s.CreatedAt = r.time()
	case "updatedAt":
		s.UpdatedAt = r.time()
	case "expiresAt":
		s.ExpiresAt = r.time()
	case "codeFirstSuccesfullyScannedAt", "codeFirstSuccessfullyScannedAt":
		s.CodeFirstSuccessfullyScannedAt = later(s.CodeFirstSuccessfullyScannedAt, r.time())
	case "codeLastSuccesfullyScannedAt", "codeLastSuccessfullyScannedAt":
		s.CodeLastSuccessfullyScannedAt = later(s.CodeLastSuccessfullyScannedAt, r.time())
	case "customerFirstEnteredAt":
		s.CustomerFirstEnteredAt = r.time()
	case "customerLastEnteredAt":
		s.CustomerLastEnteredAt = r.time()
	case "customerFirstExitedAt":
		s.CustomerFirstExitedAt = r.time()
	case "customerLastExitedAt":
		s.CustomerLastExitedAt = r.time()
	case "shoppingSessionFlags":
		st.SessionFlags = r.ids()
	case "metadata":
		s.Metadata = r.metadata()
	default:
		r.unknown()
	}
}

// later decides between AiFi's spelling of a name and the dictionary's, should a
// body have both.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
