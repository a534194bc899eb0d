package store

import (
	"encoding/json"
	"time"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
)

type sessionRow struct {
	span
	customerID string
	state      *aifi.Session // nil: no webhook of the batch carried the session itself
}

// sessionParams parts the sessions whose state is to be written from the others.
func (r *rows) sessionParams() (stated db.UpsertSessionsParams, touched db.TouchSessionsParams) {
	for _, k := range sortedKeys(r.sessions) {
		row := r.sessions[k]
		if r.seen.needsState(k, row) {
			a := &stated
			a.StoreID, a.SessionID = append(a.StoreID, k.storeID), append(a.SessionID, k.id)
			a.FirstSeenAt, a.LastSeenAt = append(a.FirstSeenAt, row.first), append(a.LastSeenAt, row.last)
			a.CustomerID, a.State = append(a.CustomerID, row.customerID), append(a.State, sessionState(row.state))
			continue
		}
		a := &touched
		a.StoreID, a.SessionID = append(a.StoreID, k.storeID), append(a.SessionID, k.id)
		a.FirstSeenAt, a.LastSeenAt = append(a.FirstSeenAt, row.first), append(a.LastSeenAt, row.last)
		a.CustomerID = append(a.CustomerID, row.customerID)
	}
	return stated, touched
}

// sessionState is a session as a JSON object with the columns of table sessions.
func sessionState(s *aifi.Session) string {
	state := map[string]any{}
	text := func(column, value string) {
		if value != "" {
			state[column] = value
		}
	}
	when := func(column string, t time.Time) {
		if !t.IsZero() {
			state[column] = t
		}
	}
	text("aifi_id", s.ID)
	text("code", s.Code)
	text("status", s.Status)
	text("location_id", s.LocationID)
	text("session_token", s.SessionToken)
	text("referenced_session_id", s.ReferencedSessionID)
	text("store_id_scannable_at", s.StoreIDScannableAt)
	text("customer_payment_instrument_id", s.CustomerPaymentInstrumentID)
	when("created_at", s.CreatedAt)
	when("updated_at", s.UpdatedAt)
	when("expires_at", s.ExpiresAt)
	when("code_first_successfully_scanned_at", s.CodeFirstSuccessfullyScannedAt)
	when("code_last_successfully_scanned_at", s.CodeLastSuccessfullyScannedAt)
	when("customer_first_entered_at", s.CustomerFirstEnteredAt)
	when("customer_last_entered_at", s.CustomerLastEnteredAt)
	when("customer_first_exited_at", s.CustomerFirstExitedAt)
	when("customer_last_exited_at", s.CustomerLastExitedAt)
	state["customer_satisfaction"] = s.CustomerSatisfaction
	state["customer_satisfaction_submitted"] = s.CustomerSatisfactionSubmitted
	state["group_size"] = s.GroupSize
	state["visitors"] = s.Visitors
	state["priority"] = s.Priority
	state["stated_store_id"] = s.StoreID
	state["suspected_fraud"] = s.SuspectedFraud
	if s.Metadata != nil {
		state["metadata"] = json.RawMessage(s.Metadata)
	}
	b, err := json.Marshal(state)
	if err != nil {
		return "{}"
	}
	return string(b)
}
