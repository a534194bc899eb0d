package store_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// However much of them is shared, deliveries come back as they were received.
func TestDeliveriesShareTheHeadsOfTheirRequests(t *testing.T) {
	s, url := open(t)
	usual := map[string]string{"Content-Type": "application/json", "User-Agent": "AiFi"}
	with := func(name, value string) map[string]string {
		headers := maps.Clone(usual)
		headers[name] = value
		return headers
	}
	sent := []struct {
		remoteAddr string
		headers    map[string]string
		shared     string // whether its row leaves all that it can to a head
	}{
		{"192.0.2.1", usual, "f"}, // the first of its kind
		{"192.0.2.1", usual, "t"},
		{"192.0.2.1", with("Traceparent", "00-1"), "t"}, // differs in what is of one request
		{"192.0.2.1", with("Traceparent", "00-2"), "t"},
		{"192.0.2.1", with("User-Agent", "another"), "f"},
		{"192.0.2.2", usual, "f"},
		{"192.0.2.2", usual, "t"},
		{"", nil, "f"},
		{"", map[string]string{}, "t"},
		{"192.0.2.1\x00", map[string]string{"User-Agent": "\xff\x00"}, "f"}, // what text cannot hold
		{"192.0.2.1\x00", map[string]string{"User-Agent": "\xff\x00"}, "t"},
	}
	for n, d := range sent {
		delivery := deliver(t, aifi.RestrictedProductsInteractions, fmt.Sprintf(`{"storeId":7,"eventId":"%d"}`, n))
		delivery.RemoteAddr, delivery.Headers = d.remoteAddr, d.headers
		record(t, s, delivery)
		shared := storetest.Query(t, url, "SELECT (head_id IS NOT NULL AND path IS NULL AND remote_addr IS NULL)::text FROM deliveries WHERE id = $1", delivery.ID)
		if shared[0][:1] != d.shared {
			t.Errorf("delivery %d is shared: %s", n, shared[0])
		}
		got, err := s.Delivery(t.Context(), store.Scope{}, delivery.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for name, value := range d.headers {
			want[name] = cleaned(value)
		}
		if got.Path != delivery.Path || got.RemoteAddr != cleaned(d.remoteAddr) || !cmp.Equal(want, got.Headers) {
			t.Errorf("delivery %d came back as %q from %q with %v", n, got.Path, got.RemoteAddr, got.Headers)
		}
	}
	if heads := storetest.Query(t, url, "SELECT count(*) FROM request_heads"); heads[0] != "4" {
		t.Errorf("%s heads are kept", heads[0])
	}
}

func cleaned(s string) string {
	switch s {
	case "192.0.2.1\x00":
		return "192.0.2.1\ufffd"
	case "\xff\x00":
		return "\ufffd\ufffd"
	}
	return s
}
