//go:build !linux

package pgprivate

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// isPostmaster reports whether the process is a living PostgreSQL server, as far as
// ps tells: of which cluster, it does not. Where ps does not answer, it assumes yes.
func isPostmaster(pid int, _ string) bool {
	if !exists(pid) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // of a busy machine
	defer cancel()
	out, err := exec.CommandContext(ctx, "ps", "-o", "state=,comm=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return exists(pid)
	}
	line := strings.TrimSpace(string(out))
	if strings.HasPrefix(line, "Z") {
		return false
	}
	return strings.Contains(line, "postgres") || strings.Contains(line, "postmaster")
}
