//go:build linux

// Package crash runs the real program under load, kills it and its PostgreSQL at
// random instants, and checks that nothing that was acknowledged is lost, altered or
// there twice.
//
//	go test ./cmd/aifi-audit/crash -v -crash.rounds=1000 -crash.seed=42
//
// The seed decides which faults come, how long they last and what is sent. When they
// hit depends on the machine, so a run is not repeated exactly.
package crash

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var (
	rounds = flag.Int("crash.rounds", 24, "how many faults, shared by the private and the external PostgreSQL")
	seed   = flag.Uint64("crash.seed", 0, "seed of the faults and the load; 0 takes one from the clock")
	// patience is how long recovery may take, on a machine that is busy.
	patience = flag.Duration("crash.patience", 90*time.Second, "how long recovery may take")
)

// binary is the program, built by TestMain.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	dir, err := os.MkdirTemp("", "aifi-audit-crash-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "aifi-audit")
	if out, err := exec.Command("go", "build", "-o", binary, "aifi-audit/cmd/aifi-audit").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
