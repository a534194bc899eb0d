package aifi

// sessionMember reads one member of the session object.
func (r *reader) sessionMember(st *Statement, name string) {
	s := st.Session
	switch name {
	case "id":
		s.ID = r.text()
	case "sessionId":
		s.SessionID = r.id()
	case "sessionToken":
		s.SessionToken = r.id()
	case "referencedSessionId":
		s.ReferencedSessionID = r.text()
	case "customerId":
		s.CustomerID = r.text()
	case "code":
		s.Code = r.text()
	case "status":
		s.Status = r.text()
	case "locationId":
		s.LocationID = r.text()
	case "storeId":
		s.StoreID = r.integer()
	case "storeIdScannableAt":
		s.StoreIDScannableAt = r.text()
	case "customerPaymentInstrumentId":
		s.CustomerPaymentInstrumentID = r.text()
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
		s.CodeFirstSuccessfullyScannedAt = r.time()
	case "codeLastSuccesfullyScannedAt", "codeLastSuccessfullyScannedAt":
		s.CodeLastSuccessfullyScannedAt = r.time()
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
		r.value()
	}
}
