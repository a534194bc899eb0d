// Package storetest gives each test a real PostgreSQL database of its own, cloned
// from a migrated template. The server is that of TEST_DATABASE_URL, or else a
// private one that lives as long as the test process. Nothing here skips: a missing
// PostgreSQL fails the tests.
package storetest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"aifi-audit/store"
	"aifi-audit/store/pgprivate"
)

// server is set once, by Main, before any test runs.
var server struct {
	url      string // of a database that others can be made from
	template string
	made     atomic.Int64
}

// Main is to be called by TestMain, which exits with its result. Tests that leave
// goroutines behind fail.
func Main(m *testing.M) int {
	ctx := context.Background()
	stop, err := start(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "storetest:", err)
		return 1
	}
	code := m.Run()
	hangUp("")
	stop()
	http.DefaultClient.CloseIdleConnections() // the tests share it
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "storetest:", err)
		return max(code, 1)
	}
	return code
}

func start(ctx context.Context) (stop func(), err error) {
	stopServer := func() {}
	server.url = os.Getenv("TEST_DATABASE_URL")
	if server.url == "" {
		if stopServer, err = startPrivate(ctx); err != nil {
			return nil, err
		}
	}
	server.template = "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if err := admin(ctx, "CREATE DATABASE "+server.template); err != nil {
		stopServer()
		return nil, err
	}
	if _, err := store.Migrate(ctx, databaseURL(server.template)); err != nil {
		stopServer()
		return nil, err
	}
	if err := distribute(ctx, databaseURL(server.template)); err != nil {
		stopServer()
		return nil, err
	}
	// Partitions come with the first Open; the clones then have them.
	s, err := store.Open(ctx, store.Config{DatabaseURL: databaseURL(server.template)})
	if err != nil {
		stopServer()
		return nil, err
	}
	s.Close()
	return func() {
		_ = admin(ctx, "DROP DATABASE "+server.template+" WITH (FORCE)")
		stopServer()
	}, nil
}

// distribute makes the template's tables those of a cluster of one node, if the server
// has Citus loaded: clones of it are such clusters, too.
func distribute(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var loaded bool
	err = conn.QueryRow(ctx, "SELECT 'citus' = ANY (string_to_array(replace(current_setting('shared_preload_libraries'), ' ', ''), ','))").Scan(&loaded)
	if err != nil || !loaded {
		return err
	}
	for _, sql := range []string{"CREATE EXTENSION citus", "SELECT citus_set_coordinator_host('localhost', current_setting('port')::int)"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	_, err = store.Distribute(ctx, url)
	return err
}

func startPrivate(ctx context.Context) (stop func(), err error) {
	dir, err := os.MkdirTemp("", "aifi-audit-test-")
	if err != nil {
		return nil, err
	}
	// As root, the server runs as another user, who must pass through.
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // passable, not readable
		return nil, err
	}
	pg, err := pgprivate.Start(ctx, pgprivate.Options{DataDir: dir + "/data", Settings: map[string]string{
		"fsync": "off", "full_page_writes": "off", "max_connections": "300",
		"shared_buffers": "128MB", // DROP DATABASE looks through all of them
	}})
	if err != nil {
		return nil, err
	}
	server.url = pg.URL()
	return func() {
		_ = pg.Close(ctx)
		_ = os.RemoveAll(dir)
	}, nil
}

// URL is that of a fresh, migrated database, which is dropped after the test.
func URL(t testing.TB) string {
	t.Helper()
	return clone(t, server.template)
}

func clone(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("%s_%d", server.template, server.made.Add(1))
	if err := admin(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+template+" STRATEGY file_copy"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		hangUp(databaseURL(name))
		if err := admin(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return databaseURL(name)
}

// Clone is a copy of a database of URL's, which nobody may be connected to.
func Clone(t testing.TB, databaseURL string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	hangUp(databaseURL)
	return clone(t, strings.TrimPrefix(u.Path, "/"))
}

// Open is a Store on a database of its own, closed after the test.
func Open(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: URL(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func admin(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, server.url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, sql)
	return err
}

func databaseURL(name string) string {
	u, err := url.Parse(server.url)
	if err != nil {
		return server.url // Connect will tell
	}
	u.Path = "/" + name
	return u.String()
}
