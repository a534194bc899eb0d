package pgprivate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// layout names what lies in a data directory.
type layout struct{ dataDir string }

func (l layout) cluster() string    { return filepath.Join(l.dataDir, "postgres") }
func (l layout) unfinished() string { return filepath.Join(l.dataDir, "postgres.new") }
func (l layout) log() string        { return filepath.Join(l.dataDir, "postgres.log") }
func (l layout) lock() string       { return filepath.Join(l.dataDir, "postgres.lock") }
func (l layout) pidFile() string    { return filepath.Join(l.cluster(), "postmaster.pid") }

// HasCluster reports whether a data directory has a cluster that was made completely:
// its server has run there, or could have.
func HasCluster(dataDir string) bool {
	major, err := layout{dataDir: dataDir}.clusterVersion()
	return err == nil && major > 0
}

// DefaultDataDir returns the data directory to use when none is named. For an
// ordinary user it is $XDG_STATE_HOME/aifi-audit, or ~/.local/state/aifi-audit if
// that variable is unset or not absolute. For root it is /var/lib/aifi-audit: the
// server cannot run as root, and its user cannot reach below /root. It fails if an
// ordinary user has no home directory.
func DefaultDataDir() (string, error) {
	return defaultDataDir(os.Geteuid(), os.Getenv("XDG_STATE_HOME"), os.UserHomeDir)
}

func defaultDataDir(uid int, stateHome string, home func() (string, error)) (string, error) {
	if uid == 0 {
		return "/var/lib/aifi-audit", nil
	}
	if filepath.IsAbs(stateHome) {
		return filepath.Join(stateHome, "aifi-audit"), nil
	}
	h, err := home()
	if err != nil {
		return "", fmt.Errorf("no place for the data directory: %w", err)
	}
	return filepath.Join(h, ".local", "state", "aifi-audit"), nil
}

// prepare makes the data directory, and makes sure that the server's user can
// reach it. It never widens the permissions of a directory that exists.
func (l layout) prepare(who identity) error {
	for {
		missing := missingDirs(l.dataDir)
		existing := l.dataDir
		if len(missing) > 0 {
			existing = filepath.Dir(missing[0])
		}
		// Before anything is made, so that a refusal leaves no trace.
		if err := who.checkReach(existing); err != nil {
			return fmt.Errorf("data directory %s: %w, or choose a data directory that this user can reach, such as /var/lib/aifi-audit", l.dataDir, err)
		}
		if len(missing) == 0 {
			break
		}
		if err := l.makeDirs(missing, who); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
	}
	info, err := os.Stat(l.dataDir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("data directory %s is not a directory", l.dataDir)
	}
	return nil
}

// missingDirs lists dir and those of its parents that do not exist, outermost
// first.
func missingDirs(dir string) []string {
	var missing []string
	for {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			return missing
		}
		missing = append([]string{dir}, missing...)
		parent := filepath.Dir(dir)
		if parent == dir {
			return missing
		}
		dir = parent
	}
}

// makeDirs makes the missing directories, of which the last is the data directory.
// It does so under another name, so that no other process of ours sees them before
// they have their owners and modes. There is no error if somebody was faster.
func (l layout) makeDirs(missing []string, who identity) error {
	outermost := missing[0]
	tmp, err := os.MkdirTemp(filepath.Dir(outermost), "."+filepath.Base(outermost)+".")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }() // gone from there on success
	for _, dir := range missing {
		made := filepath.Join(tmp, strings.TrimPrefix(dir, outermost))
		if dir != outermost {
			if err := os.Mkdir(made, 0o700); err != nil {
				return err
			}
		}
		if err := setMode(made, dir == l.dataDir, who); err != nil {
			return err
		}
	}
	// A directory can be renamed over an empty one, but the data directory of somebody
	// faster than us must stay: so none of them is ever empty.
	lockFile := filepath.Join(tmp, strings.TrimPrefix(l.lock(), outermost))
	if err := os.WriteFile(lockFile, nil, 0o600); err != nil {
		return err
	}
	err = os.Rename(tmp, outermost)
	if _, statErr := os.Stat(outermost); statErr == nil {
		return nil
	}
	return err
}

// setMode is explicit about the mode, since a strict umask would otherwise lock the
// server's user out of what root has just made for it.
func setMode(dir string, last bool, who identity) error {
	switch {
	case !who.switched:
		return os.Chmod(dir, 0o700) //nolint:gosec // a directory is entered
	case !last:
		return os.Chmod(dir, 0o755) //nolint:gosec // the server's user must pass through
	}
	// The server's user may pass through to the cluster, and no more: what else lies
	// here belongs to root.
	if err := os.Lchown(dir, -1, int(who.gid)); err != nil {
		return err
	}
	return os.Chmod(dir, 0o710) //nolint:gosec // as the comment says
}

// ownedDir makes dir, or takes it as it is, and sees to it that it is a directory
// of the server's user that nobody else can enter. It refuses symbolic links and
// what belongs to others, since dir may lie in a directory that all can write.
func ownedDir(dir string, who identity) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("not a directory of our own: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	uid, _ := owner(info)
	switch {
	case uid == who.uid:
	case uid == uint32(os.Geteuid()): //nolint:gosec // ids of users have 32 bits
		if err := f.Chown(int(who.uid), int(who.gid)); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s belongs to user id %d, not to us: remove it, or choose another place", dir, uid)
	}
	return f.Chmod(0o700)
}

func owner(info fs.FileInfo) (uid, gid uint32) {
	st := info.Sys().(*syscall.Stat_t) //nolint:forcetypeassert // so on every Unix system
	return st.Uid, st.Gid
}
