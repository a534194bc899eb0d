package logrows

import (
	"encoding/json"

	"aifi-audit/store/aifi"
	"aifi-audit/store/translog"
)

// SubjectOf commits to whom an erasure is about: to the customer's id, or to what no id
// can be if more is known of him.
func SubjectOf(secret translog.Secret, customerID string, of aifi.Identifiers) (translog.Commitment, error) {
	if of.None() {
		return secret.Facts().Commit([]byte(customerID)), nil
	}
	text, err := json.Marshal(struct {
		CustomerID string `json:"customerId,omitempty"`
		aifi.Identifiers
	}{customerID, of.Normal()})
	return secret.Facts().Commit(append([]byte{0}, text...)), err
}
