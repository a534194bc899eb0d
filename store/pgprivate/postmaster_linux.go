package pgprivate

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// isPostmaster reports whether the process is a living PostgreSQL server of this
// cluster. An id alone proves nothing: after a restart of the machine, or of a
// container, it may be that of any other process. Where the system hides the
// answer, it assumes yes.
func isPostmaster(pid int, cluster string) bool {
	if !exists(pid) {
		return false
	}
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(proc, "stat"))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) || !procMounted()
	}
	// 4711 (name) S …, where the name itself may hold parentheses.
	text := string(stat)
	first, last := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if first < 0 || last < first || len(text) < last+3 {
		return true
	}
	if state := text[last+2]; state == 'Z' || state == 'X' {
		return false // dead; nobody has waited for it
	}
	name := text[first+1 : last]
	if !strings.Contains(name, "postgres") && !strings.Contains(name, "postmaster") {
		return false
	}
	cwd, err := os.Stat(filepath.Join(proc, "cwd")) // a server works in its cluster
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	own, err := os.Stat(cluster)
	return err != nil || os.SameFile(cwd, own)
}

func procMounted() bool {
	_, err := os.Stat("/proc/self/stat")
	return err == nil
}
