package bench

import (
	"strings"
	"syscall"

	"github.com/prometheus/procfs"
)

// describeHardware fills in what the kernel tells.
func describeHardware(m *Machine) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return
	}
	if cpus, err := fs.CPUInfo(); err == nil && len(cpus) > 0 {
		m.Processor = cpus[0].ModelName
	}
	if memory, err := fs.Meminfo(); err == nil && memory.MemTotal != nil {
		m.MemoryMB = *memory.MemTotal >> 10
	}
	if load, err := fs.LoadAvg(); err == nil {
		m.Load = load.Load1
	}
}

// fileSystem is the type of that which a directory lies on; empty if it is not known.
func fileSystem(dir string) string {
	self, err := procfs.Self()
	if err != nil {
		return ""
	}
	mounts, err := procfs.GetProcMounts(self.PID)
	if err != nil {
		return ""
	}
	return longestMount(mounts, dir)
}

func longestMount(mounts []*procfs.MountInfo, dir string) (fsType string) {
	longest := -1
	for _, m := range mounts {
		rest, below := strings.CutPrefix(dir, strings.TrimSuffix(m.MountPoint, "/"))
		if below && (rest == "" || rest[0] == '/') && len(m.MountPoint) >= longest {
			longest, fsType = len(m.MountPoint), m.FSType
		}
	}
	return fsType
}

// freeBytes is how much room there is where a directory lies.
func freeBytes(dir string) (bytes int64, known bool) {
	var fs syscall.Statfs_t
	if syscall.Statfs(dir, &fs) != nil {
		return 0, false
	}
	return int64(fs.Bavail) * fs.Bsize, true //nolint:gosec // of a disk
}
