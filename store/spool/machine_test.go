package spool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// Whatever happens in whatever order, with faults of the disk, crashes and flipped bits:
// what was promised holds.
func TestMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(newMemFS())
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		check(m.open())
		defer func() {
			m.fs.mu.Lock()
			m.fs.dead = true
			m.fs.mu.Unlock()
			_ = m.spool.Close()
		}()
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }
		batch := func() *Batch {
			if len(m.out) == 0 {
				t.Skip("no batch is out")
			}
			return m.out[choose(len(m.out))]
		}
		// reopen opens what was closed or lost; pending faults may make that fail.
		reopen := func() {
			err := m.open()
			for i := 0; err != nil && i < 30; i++ {
				m.fs.mu.Lock()
				m.fs.locked = false
				m.fs.mu.Unlock()
				err = m.open()
			}
			check(err)
		}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) { _ = m.append() },
			"append concurrently": func(t *rapid.T) {
				rank := len(m.fates)
				var group sync.WaitGroup
				errs := make([]error, rapid.IntRange(2, 12).Draw(t, "appends"))
				for i := range errs {
					id := m.reserve(rank)
					group.Go(func() { errs[i] = m.spool.Append(context.Background(), payloadOf(id)) })
				}
				group.Wait()
				for i, err := range errs {
					m.fates[rank+i].acked = err == nil
				}
			},
			"next": func(t *rapid.T) {
				_, err := m.next(rapid.IntRange(0, 6).Draw(t, "records"), rapid.IntRange(0, 300).Draw(t, "bytes"))
				check(err)
			},
			"done":  func(t *rapid.T) { m.finish(batch()) },
			"retry": func(t *rapid.T) { m.retry(batch()) },
			"set aside": func(t *rapid.T) {
				b := batch()
				m.setAside(b, choose(len(b.Records)))
			},
			"drain": func(t *rapid.T) { check(m.drain()) },
			"close and open": func(t *rapid.T) {
				_ = m.spool.Close()
				reopen()
			},
			"crash": func(t *rapid.T) {
				after := m.fs.crash(choose)
				if err := m.spool.Close(); err != nil && !errors.Is(err, errDead) {
					t.Fatal(err)
				}
				m.fs = after
				reopen()
			},
			"killed": func(t *rapid.T) { // the process ends, the machine does not
				m.fs.mu.Lock()
				m.fs.dead = true
				m.fs.mu.Unlock()
				_ = m.spool.Close()
				m.fs.mu.Lock()
				m.fs.dead, m.fs.locked = false, false
				m.fs.mu.Unlock()
				reopen()
			},
			"fault": func(t *rapid.T) {
				kind := rapid.SampledFrom([]string{"mkdir", "list", "create", "write", "sync", "syncdir", "open", "read", "rename", "truncate", "remove", "close"}).Draw(t, "kind")
				how := rapid.SampledFrom([]outcome{failsNot, failsDone, failsShort}).Draw(t, "how")
				m.fs.mu.Lock()
				defer m.fs.mu.Unlock()
				m.fs.pending[kind] = how
				m.fs.err = rapid.SampledFrom([]error{syscall.EIO, syscall.ENOSPC}).Draw(t, "error")
			},
			"disk full": func(t *rapid.T) {
				m.fs.mu.Lock()
				defer m.fs.mu.Unlock()
				m.fs.room = m.fs.used() + rapid.Int64Range(0, 200).Draw(t, "room")
			},
			"disk free": func(t *rapid.T) {
				m.fs.mu.Lock()
				defer m.fs.mu.Unlock()
				m.fs.room = -1
			},
			"flip": func(t *rapid.T) {
				files := m.fs.files(testDir, ".spool")
				if len(files) == 0 {
					t.Skip("no segment")
				}
				name := slices.Sorted(maps.Keys(files))[choose(len(files))]
				if len(files[name]) > 0 {
					m.flip(name, files[name], choose(8*len(files[name])))
				}
			},
			"": func(*rapid.T) {},
		})
		check(m.end())
	})
}

// flip damages a segment and excuses the record that was hit.
func (m *model) flip(name string, before []byte, bit int) {
	sc := newScanner(memReader(before), name, int64(len(before)))
	if !m.fs.flip(filepath.Join(testDir, name), bit) {
		return
	}
	for {
		p, err := sc.next(false)
		if err != nil {
			return
		}
		if at := int64(bit / 8); p.kind == intact && at >= p.offset && at < p.offset+p.size {
			if id, err := numberOf(p.payload); err == nil {
				m.fates[id].excused = true
			} else {
				panic(fmt.Sprint("the segment has a record that was never appended: ", err))
			}
		}
	}
}
