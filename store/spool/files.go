package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// FS is all that a spool asks of a file system. The zero Config uses the operating
// system's; tests inject faults. Errors are those of package os.
type FS interface {
	// MakeDir makes a directory, 0700, and its missing parents, durably. One that is
	// there is left as it is.
	MakeDir(dir string) error
	// List has the files of a directory, without its directories, in any order. It
	// leaves out those that vanish meanwhile.
	List(dir string) ([]FileInfo, error)
	// Create makes a file, 0600, that must not be there.
	Create(path string) (File, error)
	// Open opens a file for reading.
	Open(path string) (File, error)
	// Holds is nil if a path still leads to a file that is open, and fs.ErrNotExist if it
	// leads to none, or to another.
	Holds(path string, file File) error
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir makes what was created, renamed and removed in a directory durable.
	SyncDir(dir string) error
	// Lock makes the file if needed and locks it until closed, or returns ErrLocked.
	Lock(path string) (io.Closer, error)
}

// File is an open file of an FS.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// FileInfo is a file's name within its directory, and its size in bytes.
type FileInfo struct {
	Name string
	Size int64
}

// osFS is the operating system's file system.
type osFS struct{}

func (f osFS) MakeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
		if err := f.MakeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return fmt.Errorf("%s is not a directory", dir)
		}
		return err
	}
	if err != nil {
		return err
	}
	return f.SyncDir(filepath.Dir(dir))
}

func (osFS) List(dir string) ([]FileInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []FileInfo
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, FileInfo{Name: e.Name(), Size: info.Size()})
	}
	return files, nil
}

func (osFS) Create(path string) (File, error) {
	return asFile(os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
}

func (osFS) Open(path string) (File, error) {
	return asFile(os.Open(path))
}

func (osFS) Holds(path string, file File) error {
	there, err := os.Lstat(path)
	if err != nil {
		return err
	}
	own, err := file.(*os.File).Stat()
	if err == nil && !os.SameFile(there, own) {
		err = &fs.PathError{Op: "find", Path: path, Err: fs.ErrNotExist}
	}
	return err
}

// asFile keeps a nil *os.File from becoming a File that is not nil.
func asFile(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }

func (osFS) Remove(path string) error { return os.Remove(path) }

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Lock uses flock: the kernel releases it when the process ends in whatever way. The
// file stays, since removing it would let two processes lock two files of one name.
func (osFS) Lock(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, ErrLocked
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}
