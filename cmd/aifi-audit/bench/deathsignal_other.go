//go:build !linux

package bench

import "syscall"

// setDeathSignal does nothing where the system has no such thing.
func setDeathSignal(*syscall.SysProcAttr) {}
