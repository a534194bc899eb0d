package spool

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
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

func (m *memFS) Holds(path string, file File) error {
	return m.do("find", path, func() error {
		d, name, err := m.in(path)
		if err == nil && d.live[name] != file.(*memFile).node {
			err = fs.ErrNotExist
		}
		return err
	})
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
