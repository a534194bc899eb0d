//go:build !linux && !freebsd

package pgprivate

import "syscall"

// setDeathSignal does nothing: this system has no such signal, and the next Start
// stops an orphan.
func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}
