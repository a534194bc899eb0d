package spool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A fault of every single operation, then a crash at once or at the end, with everything
// that a disk may have kept: what was promised holds.
func TestEveryFault(t *testing.T) {
	whole := newMemFS()
	m := newModel(whole)
	if err := scenario(m, nil); err != nil {
		t.Fatal(err)
	}
	if err := m.end(); err != nil {
		t.Fatal(err)
	}
	ops := whole.ops
	for _, kind := range []string{"mkdir", "lock", "list", "create", "write", "sync", "find", "syncdir", "open", "read", "rename", "truncate", "remove", "close", "unlock"} {
		if kind != "truncate" && kind != "rename" && !strings.Contains(strings.Join(ops, "\n"), kind+" ") {
			t.Errorf("the scenario has no %s", kind)
		}
	}
	// What a crash keeps of that which was not synced. A tear keeps half.
	crashes := map[string]func(n int) int{
		"nothing kept": func(int) int { return 0 },
		"all kept":     func(n int) int { return n - 1 },
		"torn":         func(n int) int { return n / 3 },
	}
	runs := 0
	for i := 0; i < len(ops)+8; i++ { // a fault may cause more operations
		for how, name := range map[outcome]string{failsNot: "not done", failsDone: "done", failsShort: "short"} {
			for _, failure := range []error{syscall.EIO, syscall.ENOSPC} {
				for crash, choose := range crashes {
					for _, atOnce := range []bool{true, false} {
						runs++
						files := newMemFS()
						files.failAt, files.how, files.err = i, how, failure
						m := newModel(files)
						var stop func() bool
						if atOnce {
							stop = func() bool { return len(files.ops) > i }
						}
						err := scenario(m, stop)
						if err == nil {
							err = neverAgain(files.ops, i)
						}
						if err == nil {
							err = m.down(choose)
						}
						if err == nil {
							err = m.end()
						}
						if n := m.spool.Stats().Damaged; err == nil && n > 0 {
							err = fmt.Errorf("%d records are taken for damaged", n)
						}
						if err != nil {
							t.Fatalf("fault in operation %d (%s), %s, %v, crash at once %v, %s: %v\n%s",
								i, files.ops[min(i, len(files.ops)-1)], name, failure, atOnce, crash, err, strings.Join(files.ops, "\n"))
						}
					}
				}
			}
		}
	}
	t.Logf("%d operations, %d runs", len(ops), runs)
}

// neverAgain checks that a file is not written after its fsync failed.
func neverAgain(ops []string, failed int) error {
	if failed >= len(ops) {
		return nil
	}
	file, ok := strings.CutPrefix(ops[failed], "sync ")
	if ok && slices.Contains(ops[failed+1:], "write "+file) && strings.HasSuffix(file, ".spool") {
		return errors.New("written after a failed fsync")
	}
	return nil
}

// scenario does a bit of everything. It ends early when stop says so. Errors of the disk
// are part of it; only broken promises are returned.
func scenario(m *model, stop func() bool) error {
	steps := []func() error{
		m.step(m.appendOnly), m.step(m.appendOnly), m.step(m.appendOnly),
		m.take(2, m.finish),
		m.step(m.appendOnly), m.step(m.appendOnly), m.step(m.appendOnly), m.step(m.appendOnly),
		m.take(1, func(b *Batch) { m.setAside(b, 0); m.finish(b) }),
		m.take(3, m.retry),
		m.step(m.appendOnly),
		m.take(1, m.finish),
		m.reopen,
		m.step(m.appendOnly),
		m.take(2, func(b *Batch) { m.setAside(b, 0); m.retry(b) }),
		m.drain,
		m.step(m.appendOnly), m.step(m.appendOnly),
		m.drain,
		m.step(m.appendOnly), m.step(m.appendOnly),
	}
	err := m.open()
	for range 3 {
		if err != nil {
			err = m.open()
		}
	}
	for i, step := range steps {
		if err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		if stop != nil && stop() {
			return nil
		}
		err = step()
	}
	return err
}

// step makes a step of something whose errors are part of the scenario.
func (m *model) step(do func() error) func() error {
	return func() error { _ = do(); return nil }
}

func (m *model) appendOnly() error { return m.append() }

func (m *model) take(records int, then func(*Batch)) func() error {
	return func() error {
		b, err := m.next(records, 1000)
		if b != nil {
			then(b)
		}
		return err
	}
}

func (m *model) reopen() error {
	closed := m.spool.Close()
	err := m.open()
	for range 3 {
		if err != nil {
			if closed != nil { // the lock that could not be released
				m.fs.mu.Lock()
				m.fs.locked = false
				m.fs.mu.Unlock()
			}
			err = m.open()
		}
	}
	return err
}
