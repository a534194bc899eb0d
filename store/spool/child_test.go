package spool

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// roleVariable has the test binary play a part instead of running tests. The directory
// and a number come as arguments.
const roleVariable = "SPOOL_TEST_ROLE"

func runChild(role string) int {
	dir := os.Args[1]
	number, err := strconv.ParseUint(os.Args[2], 10, 64)
	if err == nil {
		switch role {
		case "busy":
			err = beBusy(dir, number)
		case "limited":
			err = beLimited(dir)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, role, err)
		return 1
	}
	return 0
}

func child(t *testing.T, role, dir string, number uint64) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), self, dir, strconv.FormatUint(number, 10))
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

// beBusy appends from several goroutines and drains, until it is killed. It says
// "kept PAYLOAD" after an Append and "got PAYLOAD" before Done. In odd rounds it does not
// drain, so that the next has something left.
func beBusy(dir string, round uint64) error {
	s, err := Open(Config{Dir: dir, SegmentBytes: 8 << 10})
	if err != nil {
		return err
	}
	errs := make(chan error)
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				p := killPayload(fmt.Sprintf("%d-%d-%d", round, w, i))
				if err := s.Append(context.Background(), []byte(p)); err != nil {
					errs <- err
				}
				_, _ = os.Stdout.WriteString("kept " + p + "\n") // one write: whole or not at all
			}
		}()
	}
	go func() {
		for i := uint64(0); round%2 == 0; i++ {
			b, err := s.Next(context.Background(), 10, 4000)
			if err != nil {
				errs <- err
				return
			}
			if i%3 == 0 {
				b.Retry()
				continue
			}
			for _, r := range b.Records {
				_, _ = os.Stdout.WriteString("got " + string(r.Payload) + "\n")
			}
			b.Done()
		}
	}()
	return <-errs
}

// killPayload is recognizable as a whole.
func killPayload(id string) string { return id + strings.Repeat("."+id, len(id)*11%17) + "!" }

// A process that is killed at any instant loses nothing that it said was kept.
func TestKilled(t *testing.T) {
	const rounds = 12
	dir := t.TempDir()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	kept, got := map[string]bool{}, map[string]bool{}
	for round := range uint64(rounds) {
		cmd := child(t, "busy", dir, round)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		limit := random.IntN(1500)
		for n := 0; lines.Scan(); n++ {
			if n == limit {
				must(t, cmd.Process.Kill())
			}
			verb, payload, _ := strings.Cut(lines.Text(), " ")
			switch {
			case !strings.HasSuffix(payload, "!"):
			case verb == "kept":
				kept[payload] = true
			default:
				got[payload] = true
			}
		}
		must(t, lines.Err())
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the process ended otherwise: %v", err)
		}
	}
	s := mustOpen(t, Config{Dir: dir})
	last := map[string]bool{}
	for {
		b, err := s.fill(t.Context(), 100, 1<<20)
		must(t, err)
		if b == nil {
			break
		}
		for _, r := range b.Records {
			p := string(r.Payload)
			if last[p] {
				t.Errorf("%s comes twice", p)
			}
			got[p], last[p] = true, true
		}
		b.Done()
	}
	for p := range kept {
		if !got[p] {
			t.Errorf("%s is lost", p)
		}
	}
	for p := range got {
		id, _, _ := strings.Cut(strings.TrimSuffix(p, "!"), ".")
		if p != killPayload(id) {
			t.Errorf("%q was never appended", p)
		}
	}
	must(t, s.Close())
	if st := s.Stats(); st.Damaged != 0 || st.Records != 0 {
		t.Errorf("got %+v", st)
	}
	t.Logf("%d kills, %d records kept, %d got, %d of them at the end", rounds, len(kept), len(got), len(last))
}

// As many processes as may want it, one has the spool.
func TestOneProcess(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Config{Dir: dir})
	var group sync.WaitGroup
	for range 3 {
		cmd := child(t, "busy", dir, 1)
		var said strings.Builder
		cmd.Stderr = &said
		group.Go(func() {
			if err := cmd.Run(); err == nil || !strings.Contains(said.String(), ErrLocked.Error()) {
				t.Errorf("got %v: %s", err, said.String())
			}
		})
	}
	group.Wait()
	mustAppend(t, s, "mine")
}
