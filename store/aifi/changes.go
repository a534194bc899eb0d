package aifi

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Change is one member of the session that two webhooks tell differently, in AiFi's
// words. "" is what a webhook does not say.
type Change struct {
	Member        string
	Before, After string
}

// Changes compares the session of two statements, member by member, in the order of
// AiFi's documentation. It is empty if one of them carries no session: silence is no
// change. updatedAt is left out, since it changes whenever anything does.
func Changes(before, after *Statement) []Change {
	if before == nil || after == nil || before.Session == nil || after.Session == nil {
		return nil
	}
	was, is := members(before), members(after)
	var changes []Change
	for i, m := range is {
		if was[i].value != m.value {
			changes = append(changes, Change{m.name, was[i].value, m.value})
		}
	}
	return changes
}

type told struct{ name, value string }

func members(st *Statement) []told {
	s := st.Session
	return []told{
		{"status", s.Status},
		{"suspectedFraud", boolText(s.SuspectedFraud)},
		{"shoppingSessionFlags", listText(st.SessionFlags)},
		{"groupSize", intText(s.GroupSize)},
		{"visitors", intText(s.Visitors)},
		{"customerFirstEnteredAt", timeText(s.CustomerFirstEnteredAt)},
		{"customerLastEnteredAt", timeText(s.CustomerLastEnteredAt)},
		{"customerFirstExitedAt", timeText(s.CustomerFirstExitedAt)},
		{"customerLastExitedAt", timeText(s.CustomerLastExitedAt)},
		{"customerId", s.CustomerID},
		{"customerPaymentInstrumentId", s.CustomerPaymentInstrumentID},
		{"customerSatisfaction", intText(s.CustomerSatisfaction)},
		{"customerSatisfactionSubmitted", boolText(s.CustomerSatisfactionSubmitted)},
		{"code", s.Code},
		{"codeFirstSuccesfullyScannedAt", timeText(s.CodeFirstSuccessfullyScannedAt)},
		{"codeLastSuccesfullyScannedAt", timeText(s.CodeLastSuccessfullyScannedAt)},
		{"createdAt", timeText(s.CreatedAt)},
		{"expiresAt", timeText(s.ExpiresAt)},
		{"id", s.ID},
		{"sessionToken", s.SessionToken},
		{"referencedSessionId", s.ReferencedSessionID},
		{"locationId", s.LocationID},
		{"priority", intText(s.Priority)},
		{"storeId", intText(s.StoreID)},
		{"storeIdScannableAt", s.StoreIDScannableAt},
		{"metadata", string(bytes.TrimSpace(s.Metadata))},
	}
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func intText(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

func boolText(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}

// listText does not tell lists apart that differ in order alone.
func listText(list []string) string { return strings.Join(slices.Sorted(slices.Values(list)), ", ") }
