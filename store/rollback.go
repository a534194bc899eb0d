package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	"aifi-audit/store/translog"
)

// ErrContinues says that there is nothing to accept: the log in the database continues
// what was signed.
var ErrContinues = errors.New("the log in the database continues what was signed before; there is nothing to accept")

// Rollback is that the database has another log than was signed: what was given up, and
// what is left.
type Rollback struct {
	Signed translog.Checkpoint // signed last, as is remembered outside of the database
	Left   translog.Checkpoint // of the log in the database
}

// String tells of it in one line.
func (r Rollback) String() string {
	return fmt.Sprintf("signed were %d leaves, root %s; the database has %d, root %s", r.Signed.N, r.Signed.Hash, r.Left.N, r.Left.Hash)
}

// Rollback tells how the log in the database differs from what is remembered outside of
// it. ErrContinues if it does not; ErrRolledBack or ErrLogDamaged if it is no log at all,
// so that nothing can be signed behind it.
func (s *Store) Rollback(ctx context.Context) (Rollback, error) {
	v := s.sequencer.config.Verifier
	if v == nil {
		return Rollback{}, ErrNoLog
	}
	signed, err := s.sequencer.memory.load(v)
	if err != nil {
		return Rollback{}, err
	}
	_, left, err := s.reader().Intact(ctx, v)
	if err != nil {
		return Rollback{}, knownLog(err)
	}
	r := Rollback{signed, left}
	err = s.reader().Continues(ctx, left, signed)
	switch {
	case err == nil:
		return r, ErrContinues
	case errors.Is(err, ErrRolledBack):
		return r, nil
	}
	return r, knownLog(err)
}

// AcceptRollback has the log go on from what the database has. Who did so, why, and what
// was given up becomes an entry of the access log, and so a leaf. The checkpoint that was
// remembered is kept in a file beside, whose name it returns.
func (s *Store) AcceptRollback(ctx context.Context, actor, reason string) (r Rollback, kept string, err error) {
	if r, err = s.Rollback(ctx); err != nil {
		return r, "", err
	}
	err = s.LogAccess(ctx, Access{
		Action: "accept-rollback", Path: "aifi-audit log accept", Detail: fmt.Sprintf("%s: %s; %s", actor, reason, r),
	})
	if err != nil {
		return r, "", fmt.Errorf("writing who accepts it: %w", err)
	}
	kept, err = s.sequencer.memory.forget(r.Signed, r.Left)
	return r, kept, err
}

// forget remembers another checkpoint, and keeps the one before aside.
func (f checkpointFile) forget(before, now translog.Checkpoint) (aside string, err error) {
	aside = fmt.Sprintf("%s.abandoned-%d", f.path, before.N)
	for n := 2; exists(aside); n++ {
		aside = fmt.Sprintf("%s.abandoned-%d.%d", f.path, before.N, n)
	}
	if err := WriteDurably(aside, before.Note, 0o644); err != nil {
		return "", err
	}
	if now.N == 0 {
		return aside, os.Remove(f.path)
	}
	return aside, f.save(now)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
