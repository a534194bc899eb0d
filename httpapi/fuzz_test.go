package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"aifi-audit/httpapi"
)

// searched are all lists, with a filter that most of them know.
var searched = []string{
	"alcohol-interactions", "fraud-alerts", "registrations", "sessions", "sessions/s", "deliveries", "quarantine", "stores", "summary",
	"alcohol-interactions.csv", "sessions.csv", "deliveries.csv", "quarantine.csv", "stores.csv", "summary.csv",
}

// FuzzQuery sends any query to any list: it is answered, or refused by name, but
// never fails.
func FuzzQuery(f *testing.F) {
	s := serve(f)
	stock(f, s)
	for list := range searched {
		for _, query := range []string{
			"", "storeId=7", "storeId=7&storeId=8&from=2019-01-01&to=2020-01-01T00:00:00Z", "storeExternalId=string&flag=F&limit=1", "sessionId=%00", "customerId=%ff",
			"productId=';DROP TABLE events;--", "gondolaId=../../etc/passwd", "from=9999-12-31T23:59:59.999999999Z", "from=0000-01-01", "to=0001-01-01T00:00:00-12:00",
			"limit=0", "limit=99999999999999999999", "cursor=", "cursor=AAAA", "storeId=9223372036854775808", "flag=%F0%9F%8D%BA", "raw=true", "raw=maybe", "replayed=false",
			"a;b", "%zz", "storeId", "=", "&&&", "limit=1&limit=2", "webhook=%22%5C%7B%7D,",
		} {
			f.Add(uint8(list), query)
		}
	}
	f.Fuzz(func(t *testing.T, list uint8, query string) {
		path := "/api/v1/" + searched[int(list)%len(searched)]
		r, err := url.ParseRequestURI(s.URL + path + "?" + query)
		if err != nil {
			t.Skip("not a URL that a client can send")
		}
		answersQuery(t, s, path+"?"+strings.NewReplacer(" ", "%20", "#", "%23").Replace(r.RawQuery))
	})
}

// FuzzCursor forges cursors: each is good for its list, or refused.
func FuzzCursor(f *testing.F) {
	s := serve(f)
	stock(f, s)
	for list := range searched[:8] {
		for _, payload := range []string{
			`{}`, `{"t":1}`, `{"t":9223372036854775807}`, `{"t":-9223372036854775808}`, `{"i":"\u0000"}`, `{"i":"x"}`, `{"s":-1,"i":"s"}`,
			`{"t":1566656122000000,"s":0,"i":"d3a00526-1864-4f6e-bb2d-46e3ab7fa780"}`, `null`, `[]`, `{"i":"` + "\xff" + `"}`, ``,
		} {
			f.Add(uint8(list), []byte(payload))
		}
	}
	f.Fuzz(func(t *testing.T, list uint8, payload []byte) {
		path := "/api/v1/" + searched[int(list)%8]
		answersQuery(t, s, path+"?cursor="+httpapi.ForgeCursor(payload, path+"?"))
	})
}

func answersQuery(t *testing.T, s *server, path string) {
	t.Helper()
	a := s.get(t, path)
	switch a.status {
	case http.StatusOK:
	case http.StatusBadRequest:
		var p httpapi.Problem
		if err := json.Unmarshal(a.body, &p); err != nil || p.Parameter == "" && p.Title != "Invalid query" {
			t.Errorf("%s: the answer names no parameter: %s", path, a.body)
		}
	case http.StatusNotFound:
	default:
		t.Errorf("%s: answer %d: %s", path, a.status, a.body)
	}
}
