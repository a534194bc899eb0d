package storetest

import (
	"testing"
	"time"
)

// Eventually waits until a condition holds; it fails the test after a minute.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatal("not in time: ", what)
		case <-tick.C:
		}
	}
}
