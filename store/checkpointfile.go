package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"aifi-audit/store/translog"
)

// checkpointFile remembers a checkpoint across a crash. An empty path remembers
// nothing.
type checkpointFile struct{ path string }

// load gives the empty tree if nothing is remembered yet.
func (f checkpointFile) load(v *translog.Verifier) (translog.Checkpoint, error) {
	if f.path == "" {
		return translog.Checkpoint{}, nil
	}
	note, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return translog.Checkpoint{}, nil
	}
	if err != nil {
		return translog.Checkpoint{}, fmt.Errorf("reading the remembered checkpoint: %w", err)
	}
	c, err := v.Open(note)
	if err != nil {
		return c, fmt.Errorf("%w: %s: %w", ErrRolledBack, f.path, err)
	}
	return c, nil
}

// save replaces what is remembered, durably and at once.
func (f checkpointFile) save(c translog.Checkpoint) error {
	if f.path == "" {
		return nil
	}
	return WriteDurably(f.path, c.Note, 0o644)
}
