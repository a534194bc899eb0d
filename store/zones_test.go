package store_test

import (
	"errors"
	"testing"
	"time"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

func TestTimeZones(t *testing.T) {
	s, _ := open(t)
	record(t, s, deliver(t, aifi.SuspectedFraud, `{"storeId":7,"sessionId":"s","timeOfOrigin":"2026-01-31T20:00:00Z"}`))
	day := func() string {
		t.Helper()
		period := store.Period{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
		counts, err := s.Counts(t.Context(), store.Scope{}, store.Filter{}, store.Grouping{Day: true}, period)
		if err != nil || len(counts) != 1 {
			t.Fatal(counts, err)
		}
		return counts[0].Day
	}
	if got := day(); got != "2026-01-31" {
		t.Errorf("in UTC it is %s", got)
	}
	name := "Asia/Kathmandu"
	shop, err := s.SetTimeZone(t.Context(), store.OnlyStores([]int64{7}), 7, &name)
	if err != nil || s.Zone(shop).String() != name {
		t.Errorf("got %v, %v", shop, err)
	}
	if got := day(); got != "2026-02-01" {
		t.Errorf("in Kathmandu it is %s", got)
	}
	for _, bad := range []string{
		"", "Local", "CET", "GMT+5", "utc", "Europe/london", "Europe/Atlantis", "right/Europe/London", "posix/Europe/London",
		"../../etc/passwd", "/etc/localtime", "Europe/London\x00", "\xff/x", "UTC' OR 1=1--",
	} {
		if _, err := s.SetTimeZone(t.Context(), store.Scope{}, 7, &bad); !errors.Is(err, store.ErrTimeZone) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := s.SetTimeZone(t.Context(), store.Scope{}, 8, &name); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a store that was never seen: %v", err)
	}
	if _, err := s.SetTimeZone(t.Context(), store.OnlyStores([]int64{8}), 7, &name); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a store outside of the scope: %v", err)
	}
	if shop, err = s.SetTimeZone(t.Context(), store.Scope{}, 7, nil); err != nil || shop.TimeZone != nil || s.Zone(shop) != time.UTC {
		t.Errorf("got %v, %v", shop, err)
	}
	// A webhook that updates the store leaves its time zone alone.
	if _, err := s.SetTimeZone(t.Context(), store.Scope{}, 7, &name); err != nil {
		t.Fatal(err)
	}
	record(t, s, deliver(t, aifi.SuspectedFraud, `{"storeId":7,"sessionId":"s","timeOfOrigin":"2026-01-31T21:00:00Z"}`))
	if got := day(); got != "2026-02-01" {
		t.Errorf("after another webhook it is %s", got)
	}
}

func TestTheInstallationsTimeZone(t *testing.T) {
	url := storetest.URL(t)
	chatham, err := time.LoadLocation("Pacific/Chatham")
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, TimeZone: chatham})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	record(t, s, deliver(t, aifi.SuspectedFraud, `{"storeId":7,"sessionId":"s","timeOfOrigin":"2026-01-31T10:20:00Z"}`))
	// 10:15Z is midnight there.
	day := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	counts, err := s.Counts(t.Context(), store.Scope{}, store.Filter{}, store.Grouping{Day: true}, store.Period{From: day, To: day.AddDate(0, 0, 1), OnClock: true})
	if err != nil || len(counts) != 1 || counts[0].Day != "2026-02-01" || s.TimeZone() != chatham {
		t.Errorf("got %v, %v", counts, err)
	}
	if _, err := store.Open(t.Context(), store.Config{DatabaseURL: url, TimeZone: time.FixedZone("x", 3600)}); !errors.Is(err, store.ErrTimeZone) {
		t.Errorf("a zone of no place: %v", err)
	}
}
