package pgprivate

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestStartAndClose(t *testing.T) {
	dir := newDir(t)
	var log logBuffer
	o := testOptions(dir)
	o.Logger = log.logger()
	s := mustStart(t, o)
	if s.Attached() {
		t.Error("attached to nothing")
	}
	for sql, want := range map[string]string{
		"SELECT current_database()":                              "aifi_audit",
		"SELECT current_user || current_setting('is_superuser')": "aifi_auditon",
		"SELECT pg_encoding_to_char(encoding) || datcollate FROM pg_database WHERE datname = 'aifi_audit'": "UTF8C",
		"SHOW data_checksums":          "on",
		"SHOW timezone":                "UTC",
		"SHOW log_timezone":            "UTC",
		"SHOW listen_addresses":        "",
		"SHOW unix_socket_permissions": "0700",
		"SHOW max_wal_size":            "2GB",
		"SHOW shared_buffers":          "16MB", // ours, not the default
		"SHOW fsync":                   "off",
		"SELECT string_agg(DISTINCT type || auth_method, ',' ORDER BY type || auth_method) FROM pg_hba_file_rules": "hostreject,localtrust",
	} {
		if got := query(t, s.URL(), sql); got != want {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
	u, err := url.Parse(s.URL())
	must(t, err)
	info, err := os.Stat(u.Query().Get("host"))
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's directory has mode %v", info.Mode())
	}
	// Ctrl-C on a terminal goes to a whole group.
	if group, err := syscall.Getpgid(postmasterPID(t, dir)); err != nil || group == syscall.Getpgrp() {
		t.Errorf("the server is in our process group: %d, %v", group, err)
	}

	mustClose(t, s)
	within(t, "Done after Close", s.Done())
	mustClose(t, s)
	if pids := processes(dir); len(pids) > 0 {
		t.Errorf("processes %v are left", pids)
	}
	if got := log.String(); strings.Count(got, "private PostgreSQL started") != 1 || strings.Count(got, "private PostgreSQL stopped") != 1 || strings.Contains(got, "ERROR") {
		t.Errorf("log:\n%s", got)
	}
}

func TestDataSurvivesRestart(t *testing.T) {
	dir := newDir(t)
	began := time.Now()
	s := mustStart(t, testOptions(dir))
	t.Logf("fresh cluster: %v", time.Since(began))
	execute(t, s.URL(), "CREATE TABLE kept AS SELECT 'here' AS v")
	mustClose(t, s)
	began = time.Now()
	s = mustStart(t, testOptions(dir))
	t.Logf("restart: %v", time.Since(began))
	if got := query(t, s.URL(), "SELECT v FROM kept"); got != "here" {
		t.Errorf("got %q", got)
	}
}

func TestAttach(t *testing.T) {
	dir := newDir(t)
	owner := beginOwner(t, dir)
	s := mustStart(t, testOptions(dir))
	if !s.Attached() {
		t.Fatal("two owners")
	}
	execute(t, s.URL(), "CREATE TABLE t ()")
	mustClose(t, s)
	mustClose(t, s)

	s = mustStart(t, testOptions(dir))
	execute(t, s.URL(), "DROP TABLE t") // Close has left the server running
	select {
	case <-s.Done():
		t.Error("Done too early")
	default:
	}
	owner.close(t)
	within(t, "Done when the owner has closed the server", s.Done())
}

func TestConcurrentStarts(t *testing.T) {
	dir := newDir(t)
	other := beginHelper(t, dir)
	servers := make([]*Server, 4)
	var group sync.WaitGroup
	for i := range servers {
		group.Go(func() {
			s, err := Start(testContext(t), testOptions(dir))
			if err != nil {
				t.Error(err)
				return
			}
			servers[i] = s
		})
	}
	group.Wait()
	owners := 0
	if !other.ready(t) {
		owners++
	}
	for _, s := range servers {
		if s == nil {
			continue
		}
		if !s.Attached() {
			owners++
			defer mustClose(t, s)
		}
		if got := query(t, s.URL(), "SELECT current_database()"); got != "aifi_audit" {
			t.Errorf("got %q", got)
		}
	}
	if owners != 1 {
		t.Errorf("%d owners", owners)
	}
	for _, s := range servers {
		if s != nil && s.Attached() {
			mustClose(t, s)
		}
	}
	other.close(t)
}

// A session does not hold up a fast shutdown.
func TestCloseEndsSessions(t *testing.T) {
	s := mustStart(t, testOptions(newDir(t)))
	conn := connect(t, s.URL())
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if err := s.Close(testContext(t)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if err := conn.Ping(testContext(t)); err == nil {
		t.Error("the session lives")
	}
}

func TestCloseOutOfTime(t *testing.T) {
	dir := newDir(t)
	s := mustStart(t, testOptions(dir))
	execute(t, s.URL(), "CREATE TABLE kept AS SELECT 'here' AS v")
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	if err := s.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	within(t, "Done", s.Done())
	s = mustStart(t, testOptions(dir))
	if got := query(t, s.URL(), "SELECT v FROM kept"); got != "here" {
		t.Errorf("got %q", got)
	}
}

// A Start that is given up leaves nothing behind, whatever it was at.
func TestStartGivenUp(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(dir string)
		sign    string
	}{
		"making the cluster":  {func(string) {}, "postgres.new.*/PG_VERSION"},
		"starting the server": {func(dir string) { makeTestCluster(t, dir) }, "postgres/postmaster.pid"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := newDir(t)
			test.prepare(dir)
			ctx, cancel := context.WithCancel(testContext(t))
			result := make(chan error)
			go func() {
				s, err := Start(ctx, testOptions(dir))
				if err == nil {
					err = errors.Join(s.Close(testContext(t)), errors.New("it started"))
				}
				result <- err
			}()
			until(t, test.sign+" is there", func() bool { return matches(t, filepath.Join(dir, test.sign)) > 0 })
			cancel()
			if err := <-result; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if pids := processes(dir); len(pids) > 0 {
				t.Errorf("processes %v are left", pids)
			}
			if n := matches(t, filepath.Join(dir, "postgres.new.*")); n > 0 {
				t.Errorf("%d unfinished clusters are left", n)
			}
			mustStart(t, testOptions(dir))
		})
	}
}
