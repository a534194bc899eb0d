//go:build unix

package pgprivate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// identity is the user as whom the PostgreSQL programs run.
type identity struct {
	uid, gid uint32
	name     string
	switched bool // it is not the user we run as
}

// chooseIdentity returns the user for a cluster directory, which need not exist.
// PostgreSQL refuses to run as root, so root becomes the owner of the cluster if
// there is one, else one of the users made for such purposes.
func chooseIdentity(cluster string) (identity, error) {
	if uid := os.Geteuid(); uid != 0 {
		return identity{uid: uint32(uid), gid: uint32(os.Getegid()), name: userName(uint32(uid))}, nil //nolint:gosec // ids of users have 32 bits
	}
	if info, err := os.Stat(cluster); err == nil {
		if uid, gid := owner(info); uid != 0 {
			return ownerIdentity(uid, gid)
		}
		if _, err := os.Stat(filepath.Join(cluster, "PG_VERSION")); err == nil {
			return identity{}, fmt.Errorf("the cluster %s belongs to root, as whom PostgreSQL does not run: give it to another user, such as with chown -R postgres %s", cluster, cluster)
		}
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := parseID(u.Uid)
		gid, gidErr := parseID(u.Gid)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return identity{}, fmt.Errorf("user %s: %w", name, err)
		}
		if uid != 0 {
			return identity{uid: uid, gid: gid, name: name, switched: true}, nil
		}
	}
	return identity{}, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody: make one, or do not run as root")
}

// ownerIdentity prefers the user's own group to that of the directory, which
// could be a group that gives more than the server should have.
func ownerIdentity(uid, gid uint32) (identity, error) {
	id := identity{uid: uid, gid: gid, name: userName(uid), switched: true}
	if u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
		own, err := parseID(u.Gid)
		if err != nil {
			return identity{}, fmt.Errorf("user %s: %w", u.Username, err)
		}
		id.gid = own
	}
	return id, nil
}

// parseID reads a user or group id; some systems write that of nobody as -2.
func parseID(s string) (uint32, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	return uint32(n), err //nolint:gosec // as some systems mean it
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// inherited are the variables that reach the server. All others stay away: PG*
// would change its settings, LC_* the language of its messages, and ours may hold
// secrets.
var inherited = []string{
	"PATH", "TZDIR", "LOCALE_ARCHIVE",
	"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH",
}

// command prepares a program to run as this user in the given directory.
func (id identity) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // PostgreSQL's own programs
	cmd.Dir = dir
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range inherited {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	// A group of its own, so that Ctrl-C on a terminal reaches us only, and we stop
	// the server in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if id.switched {
		// No Groups: the supplementary groups of root are dropped.
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: id.uid, Gid: id.gid}
	}
	return cmd
}

// checkReach fails if this user cannot enter dir, and then names the outermost
// directory that stops it. It tries instead of reading modes, because access
// control lists and capabilities count too.
func (id identity) checkReach(dir string) error {
	if !id.switched {
		return nil // what we cannot enter fails by itself, with its name
	}
	failure := id.enter(dir)
	if failure == nil {
		return nil
	}
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	if err := id.enter("/"); err != nil {
		return fmt.Errorf("PostgreSQL does not run as root, and running it as user %s failed: %w", id.name, err)
	}
	for _, d := range ancestors(dir) {
		if id.enter(d) == nil {
			continue
		}
		mode := "unknown"
		if info, err := os.Stat(d); err == nil {
			mode = info.Mode().String()
		}
		return fmt.Errorf("PostgreSQL does not run as root, so it runs as user %s, who cannot enter %s (mode %s): permit it, such as with chmod o+x %s",
			id.name, d, mode, d)
	}
	return fmt.Errorf("user %s cannot enter %s: %w", id.name, dir, failure)
}

func (id identity) enter(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // of a busy machine
	defer cancel()
	return id.command(ctx, dir, "/bin/sh", "-c", ":").Run()
}

// ancestors lists the directories from the root down to dir.
func ancestors(dir string) []string {
	var list []string
	for {
		list = append([]string{dir}, list...)
		parent := filepath.Dir(dir)
		if parent == dir {
			return list
		}
		dir = parent
	}
}
