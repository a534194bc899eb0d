package bench

import (
	"fmt"
	"os"

	"github.com/prometheus/procfs"
)

// memory watches what a process holds in memory. Only Linux tells.
type memory struct {
	fs     procfs.FS
	pid    int
	before uint64 // bytes
}

// watchMemory begins with what the process holds now; known is false if it is not told.
func watchMemory(pid int) (m memory, known bool) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return memory{}, false
	}
	m = memory{fs: fs, pid: pid}
	now, err := m.status()
	m.before = now.VmRSS
	return m, err == nil && m.forgetPeak() == nil
}

// forgetPeak has the kernel begin anew with the peak.
func (m memory) forgetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", m.pid), []byte("5"), 0)
}

// growth is how many MB more than at first the process held at its peak.
func (m memory) growth() (float64, error) {
	now, err := m.status()
	return (float64(now.VmHWM) - float64(m.before)) / (1 << 20), err
}

func (m memory) status() (procfs.ProcStatus, error) {
	p, err := m.fs.Proc(m.pid)
	if err != nil {
		return procfs.ProcStatus{}, fmt.Errorf("reading the memory of a process: %w", err)
	}
	return p.NewStatus()
}
