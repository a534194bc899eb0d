package bench

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"aifi-audit/store/storefill"
)

// searchCase is a list and the filters that staff give. The values are drawn anew for
// each request.
type searchCase struct {
	list    string
	filters []string
}

// name is the list with its filters.
func (c searchCase) name() string {
	if len(c.filters) == 0 {
		return c.list
	}
	return c.list + "?" + strings.Join(c.filters, "&")
}

// searchCases are all filters of the lists, and the combinations that are asked for:
// last week in this shop; that product at that shelf; what nobody has looked at yet.
var searchCases = []searchCase{
	{"alcohol-interactions", nil},
	{"alcohol-interactions", []string{"storeId"}},
	{"alcohol-interactions", []string{"storeId", "storeId", "storeId"}},
	{"alcohol-interactions", []string{"storeExternalId"}},
	{"alcohol-interactions", []string{"week"}},
	{"alcohol-interactions", []string{"storeId", "week"}},
	{"alcohol-interactions", []string{"to"}},
	{"alcohol-interactions", []string{"productId"}},
	{"alcohol-interactions", []string{"productId", "storeId", "week"}},
	{"alcohol-interactions", []string{"gondolaId"}},
	{"alcohol-interactions", []string{"gondolaId", "storeId"}},
	{"alcohol-interactions", []string{"flag"}},
	{"alcohol-interactions", []string{"flag", "gondolaId", "productId"}},
	{"alcohol-interactions", []string{"flag=NEVER_SEEN"}},
	{"alcohol-interactions", []string{"productId=never-seen"}},
	{"alcohol-interactions", []string{"storeId=999999999"}},
	{"alcohol-interactions", []string{"sessionId"}},
	{"alcohol-interactions", []string{"sessionId=never-seen"}},
	{"alcohol-interactions", []string{"customerId"}},
	{"alcohol-interactions", []string{"customerId=never-seen"}},
	{"alcohol-interactions", []string{"customerId", "storeId"}},
	{"alcohol-interactions", []string{"disposition=none"}},
	{"alcohol-interactions", []string{"disposition=none", "storeId", "week"}},
	{"alcohol-interactions", []string{"disposition=confirmed"}},
	{"alcohol-interactions", []string{"disposition=confirmed", "storeId"}},
	{"fraud-alerts", nil},
	{"fraud-alerts", []string{"storeId"}},
	{"fraud-alerts", []string{"week"}},
	{"fraud-alerts", []string{"flag"}},
	{"registrations", nil},
	{"registrations", []string{"storeId", "week"}},
	{"registrations", []string{"customerId"}},
	{"sessions", nil},
	{"sessions", []string{"storeId"}},
	{"sessions", []string{"storeId", "storeId"}},
	{"sessions", []string{"week"}},
	{"sessions", []string{"flag"}},
	{"sessions", []string{"flag=NEVER_SEEN"}},
	{"sessions", []string{"customerId"}},
	{"sessions/SESSION", nil},
	{"deliveries", nil},
	{"deliveries", []string{"storeId"}},
	{"deliveries", []string{"storeId", "storeId"}},
	{"deliveries", []string{"week"}},
	{"deliveries", []string{"sessionId"}},
	{"deliveries", []string{"webhook"}},
	{"deliveries", []string{"webhook=never-seen"}},
	{"deliveries", []string{"storeId", "webhook"}},
	{"stores", nil},
	{"quarantine", nil},
	{"summary", nil},
	{"summary", []string{"storeId", "by=weekday", "by=hour"}},
}

// target draws what is asked for, below /api/v1.
func (c searchCase) target(rnd *rand.Rand, f *filled) string {
	sessions := max(1, f.events/10)
	session := fmt.Sprintf("session-%d", rnd.IntN(sessions))
	query := url.Values{}
	for _, filter := range c.filters {
		name, value, fixed := strings.Cut(filter, "=")
		switch {
		case fixed:
		case name == "storeId":
			value = fmt.Sprint(1 + rnd.IntN(f.stores))
		case name == "storeExternalId":
			value = fmt.Sprintf("SHOP-%d", 1+rnd.IntN(f.stores))
		case name == "productId":
			value = fmt.Sprintf("product-%d", rnd.IntN(storefill.Products))
		case name == "gondolaId":
			value = fmt.Sprint(1 + rnd.IntN(storefill.Gondolas))
		case name == "sessionId":
			value = session
		case name == "customerId":
			value = fmt.Sprintf("customer-%d", rnd.IntN(min(storefill.Customers, sessions)))
		case name == "flag":
			value = storefill.Flag
		case name == "webhook":
			value = "suspected-fraud"
		case name == "to":
			value = f.from.Add(time.Duration((0.1 + 0.2*rnd.Float64()) * float64(f.span))).Format(time.RFC3339)
		case name == "week":
			const week = 7 * 24 * time.Hour
			from := f.from.Add(time.Duration(rnd.Float64() * float64(max(0, f.span-week))))
			query.Set("from", from.Format(time.RFC3339))
			name, value = "to", from.Add(week).Format(time.RFC3339)
		}
		query.Add(name, value)
	}
	target := "/api/v1/" + strings.ReplaceAll(c.list, "SESSION", session)
	if len(query) == 0 {
		return target
	}
	return target + "?" + query.Encode()
}
