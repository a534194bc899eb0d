package store

import (
	"cmp"
	"encoding/json"
	"time"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
)

type sessionRow struct {
	span
	customerID string        // whom a state names that says when it was updated
	otherwise  string        // whom others name
	state      *aifi.Session // nil: no webhook of the batch carried the session itself
}

// sessionParams parts the sessions whose state is to be written from the others. In both
// is whose customer may fill a gap beside the state.
func (r *rows) sessionParams() (stated db.UpsertSessionsParams, touched db.TouchSessionsParams) {
	for _, k := range sortedKeys(r.sessions) {
		row := r.sessions[k]
		var state string
		needed := false
		if row.state != nil {
			state = sessionStateOf(row.state)
			needed = r.seen.needsState(k, row, state)
		}
		if needed {
			a := &stated
			a.StoreID, a.SessionID = append(a.StoreID, k.storeID), append(a.SessionID, k.id)
			a.FirstSeenAt, a.LastSeenAt = append(a.FirstSeenAt, row.first), append(a.LastSeenAt, row.last)
			a.CustomerID, a.State = append(a.CustomerID, row.customerID), append(a.State, state)
			if row.customerID != "" || row.otherwise == "" {
				continue
			}
		}
		a := &touched
		a.StoreID, a.SessionID = append(a.StoreID, k.storeID), append(a.SessionID, k.id)
		a.FirstSeenAt, a.LastSeenAt = append(a.FirstSeenAt, row.first), append(a.LastSeenAt, row.last)
		a.CustomerID = append(a.CustomerID, cmp.Or(row.customerID, row.otherwise))
	}
	return stated, touched
}

// sessionState is a session as a JSON object with the columns of table sessions.
type sessionState struct {
	AiFiID                         string          `json:"aifi_id,omitempty"`
	Code                           string          `json:"code,omitempty"`
	Status                         string          `json:"status,omitempty"`
	LocationID                     string          `json:"location_id,omitempty"`
	SessionToken                   string          `json:"session_token,omitempty"`
	ReferencedSessionID            string          `json:"referenced_session_id,omitempty"`
	StoreIDScannableAt             string          `json:"store_id_scannable_at,omitempty"`
	CustomerPaymentInstrumentID    string          `json:"customer_payment_instrument_id,omitempty"`
	CreatedAt                      time.Time       `json:"created_at,omitzero"`
	UpdatedAt                      time.Time       `json:"updated_at,omitzero"`
	ExpiresAt                      time.Time       `json:"expires_at,omitzero"`
	CodeFirstSuccessfullyScannedAt time.Time       `json:"code_first_successfully_scanned_at,omitzero"`
	CodeLastSuccessfullyScannedAt  time.Time       `json:"code_last_successfully_scanned_at,omitzero"`
	CustomerFirstEnteredAt         time.Time       `json:"customer_first_entered_at,omitzero"`
	CustomerLastEnteredAt          time.Time       `json:"customer_last_entered_at,omitzero"`
	CustomerFirstExitedAt          time.Time       `json:"customer_first_exited_at,omitzero"`
	CustomerLastExitedAt           time.Time       `json:"customer_last_exited_at,omitzero"`
	CustomerSatisfaction           *int64          `json:"customer_satisfaction,omitempty"`
	CustomerSatisfactionSubmitted  *bool           `json:"customer_satisfaction_submitted,omitempty"`
	GroupSize                      *int64          `json:"group_size,omitempty"`
	Visitors                       *int64          `json:"visitors,omitempty"`
	Priority                       *int64          `json:"priority,omitempty"`
	StatedStoreID                  *int64          `json:"stated_store_id,omitempty"`
	SuspectedFraud                 *bool           `json:"suspected_fraud,omitempty"`
	Metadata                       json.RawMessage `json:"metadata,omitempty"`
}

func sessionStateOf(s *aifi.Session) string {
	b, err := json.Marshal(sessionState{ //nolint:gosec // the token is of a visit, and kept
		AiFiID: s.ID, Code: s.Code, Status: s.Status, LocationID: s.LocationID, SessionToken: s.SessionToken,
		ReferencedSessionID: s.ReferencedSessionID, StoreIDScannableAt: s.StoreIDScannableAt,
		CustomerPaymentInstrumentID: s.CustomerPaymentInstrumentID,
		CreatedAt:                   s.CreatedAt, UpdatedAt: s.UpdatedAt, ExpiresAt: s.ExpiresAt,
		CodeFirstSuccessfullyScannedAt: s.CodeFirstSuccessfullyScannedAt, CodeLastSuccessfullyScannedAt: s.CodeLastSuccessfullyScannedAt,
		CustomerFirstEnteredAt: s.CustomerFirstEnteredAt, CustomerLastEnteredAt: s.CustomerLastEnteredAt,
		CustomerFirstExitedAt: s.CustomerFirstExitedAt, CustomerLastExitedAt: s.CustomerLastExitedAt,
		CustomerSatisfaction: s.CustomerSatisfaction, CustomerSatisfactionSubmitted: s.CustomerSatisfactionSubmitted,
		GroupSize: s.GroupSize, Visitors: s.Visitors, Priority: s.Priority, StatedStoreID: s.StoreID,
		SuspectedFraud: s.SuspectedFraud, Metadata: s.Metadata,
	})
	if err != nil {
		return "{}"
	}
	return string(b)
}
