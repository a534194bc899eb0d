package store_test

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	osexec "os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// pgbouncer gives a database's URL through a pooler that knows nothing of this program.
func pgbouncer(t *testing.T, databaseURL, mode string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgbouncer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	settings := ""
	if os.Geteuid() == 0 { // it refuses to be root
		settings = "user = nobody"
		nobody, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, uidErr := strconv.Atoi(nobody.Uid)
		gid, gidErr := strconv.Atoi(nobody.Gid)
		if err := errors.Join(uidErr, gidErr, os.Chown(dir, uid, gid)); err != nil {
			t.Fatal(err)
		}
	}
	server, err := url.Parse(storetest.NewProxy(t, databaseURL).URL)
	if err != nil {
		t.Fatal(err)
	}
	role := storetest.Query(t, databaseURL, "SELECT current_user::text")[0]
	config := filepath.Join(dir, "pgbouncer.ini")
	err = os.WriteFile(config, fmt.Appendf(nil, `[databases]
* = host=%s port=%s user=%s
[pgbouncer]
listen_port = 6432
unix_socket_dir = %s
auth_type = any
pool_mode = %s
default_pool_size = 50
%s
`, server.Hostname(), server.Port(), role, dir, mode, settings), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	program, err := osexec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // where Debian has it, and not all users look
	}
	pooler := osexec.Command(program, config)
	pooler.Stdout, pooler.Stderr = t.Output(), t.Output()
	if err := pooler.Start(); err != nil {
		t.Fatalf("pgbouncer is needed, as from Debian's package of this name: %v", err)
	}
	t.Cleanup(func() { _, _ = pooler.Process.Signal(syscall.SIGINT), pooler.Wait() })
	storetest.Eventually(t, "the pooler listens", func() bool {
		_, err := os.Stat(filepath.Join(dir, ".s.PGSQL.6432"))
		return err == nil
	})
	return (&url.URL{Scheme: "postgres", Path: server.Path, RawQuery: url.Values{"host": {dir}, "port": {"6432"}, "user": {role}}.Encode()}).String()
}

// A pooler that gives each transaction another session is refused before anything is done
// through it, also beside a spool; one that gives each connection a session does no harm.
func TestPoolers(t *testing.T) {
	direct := storetest.URL(t)
	pooled := pgbouncer(t, direct, "transaction")
	if _, err := store.Migrate(t.Context(), pooled); !errors.Is(err, store.ErrPooler) {
		t.Errorf("migrating: %v", err)
	}
	for name, local := range map[string]*store.Local{"without a spool": nil, "with a spool": {Dir: t.TempDir(), SpoolBytes: 1 << 20, CommitDeadline: time.Second, TokenGrace: time.Hour}} {
		s, err := store.Open(t.Context(), store.Config{DatabaseURL: pooled, Local: local})
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, store.ErrPooler) {
			t.Errorf("%s: %v", name, err)
		}
	}

	pooled = pgbouncer(t, direct, "session")
	if _, err := store.Migrate(t.Context(), pooled); err != nil {
		t.Error(err)
	}
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: pooled})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if r := record(t, s, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s", "c", time.Now()))); r.Status != store.Stored {
		t.Errorf("it is %s", r.Status)
	}
	if err := s.ReadyToRead(t.Context()); err != nil {
		t.Error(err)
	}
}
