//go:build linux || freebsd

package pgprivate

import "syscall"

// setDeathSignal has the kernel send sig to the child when we die. It survives the
// change of user: Go asks for it after that change, and executing a program that is
// not set-uid keeps it.
func setDeathSignal(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
