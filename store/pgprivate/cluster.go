package pgprivate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Made reports whether a data directory has a database, as far as that can be seen.
func Made(dataDir string) bool {
	_, err := os.Stat(filepath.Join(layout{dataDir}.cluster(), "PG_VERSION"))
	return !errors.Is(err, fs.ErrNotExist)
}

// clusterVersion returns the major version that made the cluster, and 0 if there
// is none yet.
func (l layout) clusterVersion() (int, error) {
	b, err := os.ReadFile(filepath.Join(l.cluster(), "PG_VERSION"))
	if err == nil {
		major, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			return 0, fmt.Errorf("%s is not a cluster of PostgreSQL %d or newer: it was made by version %q", l.cluster(), minMajor, strings.TrimSpace(string(b)))
		}
		if major < minMajor {
			return 0, fmt.Errorf("the private database %s was made by PostgreSQL %d, which is too old: move the data to %d or newer with pg_upgrade", l.cluster(), major, minMajor)
		}
		return major, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("cluster: %w", err)
	}
	entries, err := os.ReadDir(l.cluster())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("cluster: %w", err)
	}
	if len(entries) > 0 {
		return 0, fmt.Errorf("%s holds files but no PostgreSQL cluster: move them away", l.cluster())
	}
	return 0, nil
}

// makeCluster runs initdb. The caller holds the lock.
func (l layout) makeCluster(ctx context.Context, who identity, bins binaries, durable bool) error {
	// Left by processes that were killed on their way here. Their initdb may live a
	// moment longer, so that each attempt has a directory of its own.
	leftovers, _ := filepath.Glob(l.unfinished() + ".*")
	for _, dir := range leftovers {
		_ = os.RemoveAll(dir)
	}
	dir, err := os.MkdirTemp(l.dataDir, filepath.Base(l.unfinished())+".")
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // gone from there on success
	if err := ownedDir(dir, who); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	log, err := openLog(l.log())
	if err != nil {
		return err
	}
	defer log.close()
	args := []string{
		"--pgdata=" + dir,
		"--username=" + userAndDatabase,
		"--encoding=UTF8",
		"--locale=C",
		"--data-checksums",
		// Nobody but the server's user and root can enter the directory of the socket,
		// and they could read the cluster's files anyway: a password between us and it
		// would add nothing.
		"--auth-local=trust",
		"--auth-host=reject",
		"--no-instructions",
	}
	if !durable {
		args = append(args, "--no-sync")
	}
	// Not bound to ctx: run ends it in order.
	cmd := who.command(context.WithoutCancel(ctx), dir, bins.program("initdb"), args...)
	cmd.Stdout, cmd.Stderr = log.file, log.file
	if err := run(ctx, cmd); err != nil {
		return log.explain(fmt.Errorf("initdb failed: %w", err))
	}
	if err := os.Rename(dir, l.cluster()); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return syncDir(l.dataDir)
}

// syncDir makes a rename in dir last.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return f.Sync()
}
