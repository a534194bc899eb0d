//go:build !linux

package bench

// describeHardware fills in nothing where the system is not asked.
func describeHardware(*Machine) {}

// fileSystem is not known.
func fileSystem(string) string { return "" }

// freeBytes is not known.
func freeBytes(string) (bytes int64, known bool) { return 0, false }
