//go:build !linux

package pgprivate

import (
	"encoding/binary"
	"syscall"
)

// memory is that of the machine. 0 means unknown.
func memory() uint64 {
	for _, name := range []string{"hw.memsize", "hw.physmem"} { // macOS, the BSDs
		s, err := syscall.Sysctl(name)
		if err != nil || len(s) > 8 {
			continue
		}
		// Sysctl takes the number for a string and cuts a zero byte off its end.
		var b [8]byte
		copy(b[:], s)
		return binary.LittleEndian.Uint64(b[:])
	}
	return 0
}
