package spool

import (
	"errors"
	"io"
	"slices"
	"syscall"
)

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
