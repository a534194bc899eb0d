package main

import (
	"os"
	"runtime/debug"
)

const (
	garbagePercent = 400
	garbageLimit   = 512 << 20 // bytes of heap, from which on garbage is collected as it comes
)

// collectLess lets more garbage gather than Go does by itself: a webhook leaves little
// behind, and what is live is small. The environment variables of Go's runtime have the
// last word.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(garbageLimit)
	}
}
