package spool

import (
	"maps"
	"slices"
	"strings"
)

// inode is a file: its bytes now, those on disk for sure, and what was done in between.
type inode struct {
	live, durable []byte
	changes       []change
}

// change is a write, or with nil data a cut.
type change struct {
	at   int64
	data []byte
}

func (c change) apply(b []byte) []byte {
	if c.data == nil {
		if int64(len(b)) > c.at {
			return slices.Clone(b[:c.at])
		}
		return append(slices.Clone(b), make([]byte, c.at-int64(len(b)))...)
	}
	grown := make([]byte, max(len(b), int(c.at)+len(c.data)))
	copy(grown, b)
	copy(grown[c.at:], c.data)
	return grown
}

// crash is the disk as it may be after the machine went down. choose(n) picks one of n
// possibilities.
func (m *memFS) crash(choose func(n int) int) *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	for _, path := range slices.Sorted(maps.Keys(m.dirs)) {
		for _, c := range slices.Clone(m.dirs[path].changes) {
			if choose(2) == 1 {
				m.settle(c)
			}
		}
	}
	after := newMemFS()
	after.room, after.salts = m.room, m.salts
	for _, path := range slices.Sorted(maps.Keys(m.dirs)) {
		after.dirs[path] = &memDir{live: map[string]*inode{}, durable: map[string]*inode{}}
		for _, name := range slices.Sorted(maps.Keys(m.dirs[path].durable)) {
			b := m.dirs[path].durable[name].survivor(choose)
			node := &inode{live: b, durable: slices.Clone(b)}
			after.dirs[path].live[name], after.dirs[path].durable[name] = node, node
		}
	}
	return after
}

// survivor is what a crash leaves of a file: some of what was not synced, the last of it
// perhaps in part: its beginning, or its end behind zeros.
func (n *inode) survivor(choose func(n int) int) []byte {
	b := slices.Clone(n.durable)
	kept := choose(len(n.changes) + 1)
	for _, c := range n.changes[:kept] {
		b = c.apply(b)
	}
	if kept < len(n.changes) && len(n.changes[kept].data) > 0 {
		c := n.changes[kept]
		cut := choose(len(c.data))
		if choose(4) == 3 {
			zeros := append(make([]byte, cut), c.data[cut:]...)
			return change{at: c.at, data: zeros}.apply(b)
		}
		b = change{at: c.at, data: c.data[:cut]}.apply(b)
	}
	return b
}

// files are the bytes of the files in a directory.
func (m *memFS) files(dir, suffix string) map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[string][]byte{}
	if d := m.dirs[dir]; d != nil {
		for name, node := range d.live {
			if strings.HasSuffix(name, suffix) {
				found[name] = slices.Clone(node.live)
			}
		}
	}
	return found
}

// flip turns a bit of a file over, if it is on disk for sure.
func (m *memFS) flip(path string, bit int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, name, err := m.in(path)
	if err != nil || d.live[name] == nil || len(d.live[name].changes) > 0 || len(d.live[name].durable) <= bit/8 || len(d.live[name].live) <= bit/8 {
		return false
	}
	d.live[name].live[bit/8] ^= 1 << (bit % 8)
	d.live[name].durable[bit/8] ^= 1 << (bit % 8)
	return true
}
