package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteDurably replaces a file at once: after a crash it is the old or the new one.
func WriteDurably(path string, content []byte, mode fs.FileMode) (err error) {
	dir := filepath.Dir(path)
	t, err := os.CreateTemp(dir, filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(t.Name())
		}
	}()
	_, err = t.Write(content)
	err = errors.Join(err, t.Chmod(mode), t.Sync(), t.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(t.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
