package spool

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// outcome is what an operation of a memFS does.
type outcome int

const (
	works      outcome = iota
	failsNot           // it fails and did not happen
	failsDone          // it fails and did happen
	failsShort         // a write fails and did half of it
)

// errDead is what operations return after the machine went down.
var errDead = errors.New("the machine is down")

// memFS is a disk in memory that knows what is on it for sure. Data that was not synced,
// and names in a directory that was not synced, may be lost or torn in a crash. After a
// sync that failed they count as written, as with Linux: a later sync does not save them.
type memFS struct {
	mu     sync.Mutex
	dirs   map[string]*memDir
	locked bool
	dead   bool
	room   int64  // for all data, in bytes; negative: no limit
	salts  uint64 // given out

	ops     []string           // what was done, "kind path"
	failAt  int                // index of the operation that fails, if how says so
	how     outcome            // of that operation
	pending map[string]outcome // of the next operation of a kind
	err     error              // what failing operations return
}

// memDir is a directory: the names in it now, those on disk for sure, and what was done in
// between.
type memDir struct {
	live, durable map[string]*inode
	changes       []*dirChange
}

// dirChange puts a file under a name, or takes the name away. One of a rename is in two
// directories.
type dirChange struct {
	puts map[*memDir]map[string]*inode // nil: taken away
}

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

func newMemFS() *memFS {
	return &memFS{dirs: map[string]*memDir{}, room: -1, pending: map[string]outcome{}, err: syscall.EIO}
}

// Read gives the salts of segments: each another.
func (m *memFS) Read(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.salts++
	return binary.Encode(b, binary.LittleEndian, m.salts)
}

// op notes an operation and says what it does. The caller holds mu.
func (m *memFS) op(kind, path string) (outcome, error) {
	if m.dead {
		return failsNot, errDead
	}
	index := len(m.ops)
	m.ops = append(m.ops, kind+" "+filepath.Base(path))
	if how, ok := m.pending[kind]; ok {
		delete(m.pending, kind)
		return how, m.err
	}
	if m.how != works && index == m.failAt {
		return m.how, m.err
	}
	return works, nil
}

// do runs an operation as it is to turn out.
func (m *memFS) do(kind, path string, act func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	how, failure := m.op(kind, path)
	switch how {
	case works:
		return act()
	case failsDone:
		if err := act(); err != nil {
			return err
		}
	}
	return &fs.PathError{Op: kind, Path: path, Err: failure}
}

func (m *memFS) MakeDir(dir string) error {
	return m.do("mkdir", dir, func() error {
		if m.dirs[dir] == nil {
			m.dirs[dir] = &memDir{live: map[string]*inode{}, durable: map[string]*inode{}}
		}
		return nil
	})
}

func (m *memFS) List(dir string) ([]FileInfo, error) {
	var files []FileInfo
	err := m.do("list", dir, func() error {
		d := m.dirs[dir]
		if d == nil {
			return fs.ErrNotExist
		}
		for name, node := range d.live {
			files = append(files, FileInfo{Name: name, Size: int64(len(node.live))})
		}
		return nil
	})
	return files, err
}

// in finds the directory of a path. The caller holds mu.
func (m *memFS) in(path string) (*memDir, string, error) {
	d := m.dirs[filepath.Dir(path)]
	if d == nil {
		return nil, "", fs.ErrNotExist
	}
	return d, filepath.Base(path), nil
}

func (m *memFS) Create(path string) (File, error) {
	var file *memFile
	err := m.do("create", path, func() error {
		d, name, err := m.in(path)
		if err != nil {
			return err
		}
		if d.live[name] != nil {
			return fs.ErrExist
		}
		if m.room == 0 {
			return syscall.ENOSPC
		}
		node := &inode{}
		d.live[name] = node
		d.changes = append(d.changes, &dirChange{puts: map[*memDir]map[string]*inode{d: {name: node}}})
		file = &memFile{fs: m, node: node, path: path}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return file, nil
}

func (m *memFS) Open(path string) (File, error) {
	var file *memFile
	err := m.do("open", path, func() error {
		d, name, err := m.in(path)
		if err != nil {
			return err
		}
		if d.live[name] == nil {
			return fs.ErrNotExist
		}
		file = &memFile{fs: m, node: d.live[name], path: path}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return file, nil
}

func (m *memFS) Rename(from, to string) error {
	return m.do("rename", from, func() error {
		d1, name1, err1 := m.in(from)
		d2, name2, err2 := m.in(to)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		node := d1.live[name1]
		if node == nil {
			return fs.ErrNotExist
		}
		delete(d1.live, name1)
		d2.live[name2] = node
		c := &dirChange{puts: map[*memDir]map[string]*inode{d1: {name1: nil}, d2: {name2: node}}}
		d1.changes, d2.changes = append(d1.changes, c), append(d2.changes, c)
		return nil
	})
}

func (m *memFS) Remove(path string) error {
	return m.do("remove", path, func() error {
		d, name, err := m.in(path)
		if err != nil {
			return err
		}
		if d.live[name] == nil {
			return fs.ErrNotExist
		}
		delete(d.live, name)
		d.changes = append(d.changes, &dirChange{puts: map[*memDir]map[string]*inode{d: {name: nil}}})
		return nil
	})
}

func (m *memFS) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	how, failure := m.op("syncdir", dir)
	d := m.dirs[dir]
	if d == nil || m.dead {
		return errors.Join(fs.ErrNotExist, failure)
	}
	if how == works || how == failsDone {
		for _, c := range d.changes {
			m.settle(c)
		}
	}
	d.changes = nil
	return failure
}

// settle makes a change of names durable, in all directories concerned.
func (m *memFS) settle(c *dirChange) {
	for d, names := range c.puts {
		for name, node := range names {
			if node == nil {
				delete(d.durable, name)
			} else {
				d.durable[name] = node
			}
		}
		d.changes = slices.DeleteFunc(slices.Clone(d.changes), func(other *dirChange) bool { return other == c })
	}
}

func (m *memFS) Lock(path string) (io.Closer, error) {
	err := m.do("lock", path, func() error {
		if m.locked {
			return ErrLocked
		}
		m.locked = true
		return nil
	})
	if err != nil {
		m.mu.Lock()
		m.locked = m.locked && errors.Is(err, ErrLocked) // closed with the file that failed
		m.mu.Unlock()
		return nil, err
	}
	return unlocker{m}, nil
}

type unlocker struct{ m *memFS }

func (u unlocker) Close() error {
	return u.m.do("unlock", "", func() error { u.m.locked = false; return nil })
}

// used is the sum of all files. The caller holds mu.
func (m *memFS) used() int64 {
	var sum int64
	for _, d := range m.dirs {
		for _, node := range d.live {
			sum += int64(len(node.live))
		}
	}
	return sum
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

type memFile struct {
	fs   *memFS
	node *inode
	path string
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	err := f.fs.do("read", f.path, func() error {
		if off < int64(len(f.node.live)) {
			n = copy(b, f.node.live[off:])
		}
		return nil
	})
	if err == nil && n < len(b) {
		err = io.EOF
	}
	return n, err
}

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	how, err := f.fs.op("write", f.path)
	n := len(b)
	switch how {
	case failsNot:
		n = 0
	case failsShort:
		n /= 2
	}
	if grow := off + int64(n) - int64(len(f.node.live)); f.fs.room >= 0 && grow > f.fs.room-f.fs.used() {
		n = int(max(0, int64(n)-grow+max(0, f.fs.room-f.fs.used())))
		err = errors.Join(err, syscall.ENOSPC)
	}
	if n > 0 {
		c := change{at: off, data: slices.Clone(b[:n])}
		f.node.live = c.apply(f.node.live)
		f.node.changes = append(f.node.changes, c)
	}
	return n, err
}

func (f *memFile) Truncate(size int64) error {
	return f.fs.do("truncate", f.path, func() error {
		c := change{at: size}
		f.node.live = c.apply(f.node.live)
		f.node.changes = append(f.node.changes, c)
		return nil
	})
}

func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	how, err := f.fs.op("sync", f.path)
	if f.fs.dead {
		return err
	}
	if how == works || how == failsDone {
		for _, c := range f.node.changes {
			f.node.durable = c.apply(f.node.durable)
		}
	}
	f.node.changes = nil
	return err
}

func (f *memFile) Close() error {
	return f.fs.do("close", f.path, func() error { return nil })
}
