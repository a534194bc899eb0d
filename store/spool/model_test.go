package spool

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const testDir = "/spool"

// fate is what the model knows of an appended record.
type fate struct {
	rank    int  // by time of append; those appended at the same time have the same
	acked   bool // Append returned nil
	done    bool
	aside   bool // the caller set it aside
	excused bool // a bit of it was flipped
}

// model checks a spool on a memFS against what was promised. All methods that find a
// promise broken return an error that says so.
type model struct {
	fs    *memFS
	spool *Spool
	fates []fate // by record

	// Of this life of the spool.
	out     []*Batch
	handed  map[int]bool // and not given back
	highest int          // rank handed out
}

func newModel(files *memFS) *model { return &model{fs: files, handed: map[int]bool{}} }

func testConfig(files *memFS) Config {
	return Config{Dir: testDir, FS: files, SegmentBytes: 400, Now: testNow, Random: files}
}

func testNow() time.Time { return time.Unix(1_700_000_000, 0) }

// payloadOf is a payload that tells its number and cannot be mistaken for another. Some
// contain the magic.
func payloadOf(id int) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(id))
	return append(b, strings.Repeat(fmt.Sprintf("%d%s", id, magic), id*7%13)...)
}

func numberOf(payload []byte) (int, error) {
	if len(payload) >= 4 {
		id := int(binary.LittleEndian.Uint32(payload))
		if id < 1<<20 && bytes.Equal(payload, payloadOf(id)) {
			return id, nil
		}
	}
	return 0, fmt.Errorf("a payload that was never appended: %q", payload)
}

// open opens the spool; it may fail if faults are pending.
func (m *model) open() error {
	s, err := Open(testConfig(m.fs))
	if err != nil {
		return err
	}
	<-s.surveyed // so that the order of operations is always the same
	m.spool, m.out, m.handed, m.highest = s, nil, map[int]bool{}, -1
	return nil
}

// reserve numbers the next record.
func (m *model) reserve(rank int) int {
	m.fates = append(m.fates, fate{rank: rank})
	return len(m.fates) - 1
}

func (m *model) append() error {
	id := m.reserve(len(m.fates))
	err := m.spool.Append(context.Background(), payloadOf(id))
	m.fates[id].acked = err == nil
	return err
}

// next takes a batch if there is one, and checks it.
func (m *model) next(records, size int) (*Batch, error) {
	var b *Batch
	var err error
	for range 3 * (readAttempts + 1) { // faults are met by trying again
		if b, err = m.spool.fill(context.Background(), records, size); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("next: %w", err)
	}
	if b == nil {
		return nil, nil //nolint:nilnil // nothing there
	}
	last := -1
	for _, r := range b.Records {
		id, err := numberOf(r.Payload)
		if err != nil {
			return nil, err
		}
		if id >= len(m.fates) {
			return nil, fmt.Errorf("record %d was never appended", id)
		}
		rank := m.fates[id].rank
		known, ok := m.handed[id]
		if known {
			return nil, fmt.Errorf("record %d comes twice", id)
		}
		m.handed[id] = true
		if m.fates[id].done {
			continue // in an earlier life; its file may have come back after newer ones
		}
		if rank < last {
			return nil, fmt.Errorf("record %d comes out of order", id)
		}
		last = rank
		if !ok && rank < m.highest {
			return nil, fmt.Errorf("record %d comes late", id)
		}
		m.highest = max(m.highest, rank)
	}
	m.out = append(m.out, b)
	return b, nil
}

func (m *model) drop(b *Batch) {
	m.out = slices.DeleteFunc(m.out, func(other *Batch) bool { return other == b })
}

func (m *model) finish(b *Batch) {
	for i, r := range b.Records {
		id, _ := numberOf(r.Payload)
		if f := &m.fates[id]; !b.entries[i].aside {
			f.done, f.aside = true, false // also if it was set aside in an earlier life
		}
	}
	b.Done()
	m.drop(b)
}

func (m *model) retry(b *Batch) {
	for i, r := range b.Records {
		if id, _ := numberOf(r.Payload); !b.entries[i].aside {
			m.handed[id] = false
		}
	}
	b.Retry()
	m.drop(b)
}

func (m *model) setAside(b *Batch, i int) {
	id, _ := numberOf(b.Records[i].Payload)
	m.fates[id].aside = true
	b.SetAside(i, "a test")
}

// drain takes all there is, and checks that nothing is missing that must be there.
func (m *model) drain() error {
	for {
		b, err := m.next(5, 200)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		m.finish(b)
	}
	for id, f := range m.fates {
		if _, ok := m.handed[id]; f.acked && !f.done && !f.aside && !f.excused && !ok {
			return fmt.Errorf("record %d is missing", id)
		}
	}
	return nil
}

// checkAside checks that what was set aside is still there: in damaged/, or in a segment.
func (m *model) checkAside() error {
	for id, f := range m.fates {
		if !f.aside || f.excused {
			continue
		}
		found := m.handed[id] // came again
		for _, dir := range []string{testDir, filepath.Join(testDir, damagedDir)} {
			for _, b := range m.fs.files(dir, "") {
				found = found || bytes.Contains(b, payloadOf(id))
			}
		}
		if !found {
			return fmt.Errorf("record %d was set aside and is lost", id)
		}
	}
	return nil
}

// down ends the machine and comes up with what the disk has then.
func (m *model) down(choose func(int) int) error {
	after := m.fs.crash(choose)
	err := m.spool.Close()
	if err != nil && !errors.Is(err, errDead) {
		return err
	}
	m.fs = after
	return m.open()
}

// end drains what is left, without faults, and checks that the spool is empty then.
func (m *model) end() error {
	m.fs.mu.Lock()
	m.fs.how, m.fs.pending, m.fs.room = works, map[string]outcome{}, -1
	m.fs.mu.Unlock()
	for _, b := range slices.Clone(m.out) {
		m.finish(b)
	}
	if err := m.drain(); err != nil {
		return err
	}
	if err := m.checkAside(); err != nil {
		return err
	}
	st := m.spool.Stats()
	if st.Records != 0 || st.Bytes != 0 || st.Segments != 0 || st.Counting || !st.Oldest.IsZero() {
		return fmt.Errorf("the drained spool is not empty: %+v", st)
	}
	if left := m.fs.files(testDir, ".spool"); len(left) > 0 {
		// A file that was made although making it failed, or that was unlinked and is back.
		known := func() error { return m.spool.Close() }
		if err := known(); err != nil {
			return err
		}
		if err := m.open(); err != nil {
			return err
		}
		if err := m.drain(); err != nil {
			return err
		}
		if left = m.fs.files(testDir, ".spool"); len(left) > 0 {
			return fmt.Errorf("the drained spool has segments: %v", left)
		}
	}
	return m.spool.Close()
}
