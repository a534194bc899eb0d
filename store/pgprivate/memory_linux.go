package pgprivate

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// memory is that of the machine, or less if a container or a service manager
// grants less. 0 means unknown.
func memory() uint64 {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return 0
	}
	//nolint:unconvert // uint32 on some architectures
	total := uint64(info.Totalram) * uint64(info.Unit)
	for _, file := range cgroupLimits() {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if limit, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil { // "max" is none
			total = min(total, limit)
		}
	}
	return total
}

// cgroupLimits lists the files that may hold a limit: of the group that we are in
// and those above it (version 2), and of a container (version 1).
func cgroupLimits() []string {
	const root = "/sys/fs/cgroup"
	files := []string{root + "/memory/memory.limit_in_bytes", root + "/memory.max"}
	b, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(b)) {
		if group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			for _, dir := range ancestors(filepath.Join("/", group)) {
				files = append(files, filepath.Join(root, dir, "memory.max"))
			}
		}
	}
	return files
}
