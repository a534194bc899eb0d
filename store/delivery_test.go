package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store"
)

// A clock that was ahead once does not date what comes after it was set right.
func TestIDsAreOfThePresent(t *testing.T) {
	seen := map[uuid.UUID]bool{}
	for _, now := range []time.Time{
		time.Now().Add(24 * time.Hour), time.Now(), time.Now().Add(-24 * time.Hour), time.Date(2062, 1, 2, 3, 4, 5, 999_999_999, time.UTC), time.Now(),
	} {
		for range 1000 {
			id, err := store.NewDeliveryIDAt(now)
			if err != nil {
				t.Fatal(err)
			}
			if seen[id] || id.Version() != 7 || id.Variant() != uuid.RFC4122 {
				t.Fatalf("%s is there twice, or no UUIDv7", id)
			}
			seen[id] = true
			if off := store.ReceivedAt(id).Sub(now).Abs(); off > time.Second {
				t.Fatalf("at %s an id says %s", now, store.ReceivedAt(id))
			}
		}
	}
}
