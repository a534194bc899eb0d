package storetest

import (
	"testing"
	"time"

	"aifi-audit/store"
	"aifi-audit/store/storefill"
)

// FillStores is how many shops Fill makes.
const FillStores = 20

// Fill puts events into a database that holds none, spread evenly over a span of time
// that ends now. What they are is storefill's.
func Fill(t testing.TB, databaseURL string, s *store.Store, events int, span time.Duration) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	err := storefill.Fill(t.Context(), databaseURL, s, storefill.Options{Events: events, Stores: FillStores, From: now.Add(-span), Span: span})
	if err != nil {
		t.Fatal(err)
	}
}
