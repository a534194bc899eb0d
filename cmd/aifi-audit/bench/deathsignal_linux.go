package bench

import "syscall"

// setDeathSignal has the kernel kill a child when we die.
func setDeathSignal(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
