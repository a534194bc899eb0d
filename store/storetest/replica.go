package storetest

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"aifi-audit/store"
	"aifi-audit/store/pgprivate"
)

// Pair is a primary with a migrated database, and a streaming replica of it that was
// made by pg_basebackup. Both are private servers of the test, whatever
// TEST_DATABASE_URL says.
type Pair struct {
	URL, ReplicaURL string

	dir     string // of the replica
	replica *pgprivate.Server
}

var replicaSettings = map[string]string{
	"fsync": "off", "full_page_writes": "off", "shared_buffers": "16MB", "max_connections": "40",
	"max_standby_streaming_delay": "0", // what stands in the way of the replay is cancelled at once
}

// NewPair makes a pair for the rest of the test.
func NewPair(t testing.TB) *Pair {
	t.Helper()
	primary := startServer(t, dataDir(t))
	t.Cleanup(func() { _ = primary.Close(context.Background()) })
	if _, err := store.Migrate(t.Context(), primary.URL()); err != nil {
		t.Fatal(err)
	}
	p := &Pair{URL: primary.URL(), dir: dataDir(t)}
	p.copyPrimary(t)
	p.Start(t)
	t.Cleanup(func() { p.Stop(t) })
	return p
}

// Start starts the replica again.
func (p *Pair) Start(t testing.TB) {
	t.Helper()
	p.replica = startServer(t, p.dir)
	p.ReplicaURL = p.replica.URL()
}

// Stop stops the replica.
func (p *Pair) Stop(t testing.TB) {
	t.Helper()
	if err := p.replica.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// Pause keeps the replica as it is: what comes from the primary waits.
func (p *Pair) Pause(t testing.TB) {
	t.Helper()
	SQL(t, p.ReplicaURL, "SELECT pg_wal_replay_pause()")
	Eventually(t, "the replay pauses", func() bool {
		return Query(t, p.ReplicaURL, "SELECT pg_get_wal_replay_pause_state()")[0] == "paused"
	})
}

// Resume ends Pause.
func (p *Pair) Resume(t testing.TB) {
	t.Helper()
	SQL(t, p.ReplicaURL, "SELECT pg_wal_replay_resume()")
}

// Promote makes the replica a primary of its own, for good.
func (p *Pair) Promote(t testing.TB) {
	t.Helper()
	SQL(t, p.ReplicaURL, "SELECT pg_promote()")
}

func startServer(t testing.TB, dir string) *pgprivate.Server {
	t.Helper()
	pg, err := pgprivate.Start(t.Context(), pgprivate.Options{DataDir: dir, Settings: replicaSettings})
	if err != nil {
		t.Fatal(err)
	}
	return pg
}

// dataDir is a directory that the user of a server can pass through to.
func dataDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "aifi-audit-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // passable, not readable
		t.Fatal(err)
	}
	return filepath.Join(dir, "data")
}

// copyPrimary makes the replica's cluster, and gives it to the user of the primary's.
func (p *Pair) copyPrimary(t testing.TB) {
	t.Helper()
	bin := Query(t, p.URL, "SELECT setting FROM pg_config WHERE name = 'BINDIR'")[0]
	from := Query(t, p.URL, "SHOW data_directory")[0]
	to := filepath.Join(p.dir, "postgres")
	if err := os.MkdirAll(p.dir, 0o711); err != nil { //nolint:gosec // passable, not readable
		t.Fatal(err)
	}
	backup := exec.CommandContext(t.Context(), filepath.Join(bin, "pg_basebackup"), "--dbname="+p.URL, "--pgdata="+to, "--write-recovery-conf", //nolint:gosec // the tests' own server
		"--checkpoint=fast", "--no-sync", "--wal-method=stream")
	if text, err := backup.CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v: %s", err, text)
	}
	owner, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	who := owner.Sys().(*syscall.Stat_t) //nolint:forcetypeassert // of a file system
	err = filepath.WalkDir(p.dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == p.dir {
			return err
		}
		return os.Lchown(path, int(who.Uid), int(who.Gid)) //nolint:gosec // nobody else writes there
	})
	if err != nil {
		t.Fatal(err)
	}
	conf, err := os.ReadFile(filepath.Join(to, "postgresql.auto.conf"))
	if err != nil || !strings.Contains(string(conf), "primary_conninfo") {
		t.Fatal("the backup does not follow the primary: ", err)
	}
}
