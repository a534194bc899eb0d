package pgprivate

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestDefaultDataDir(t *testing.T) {
	home := func() (string, error) { return "/home/jane", nil }
	homeless := func() (string, error) { return "", errors.New("no home") }
	for _, test := range []struct {
		uid       int
		stateHome string
		home      func() (string, error)
		want      string
	}{
		{0, "/root/state", homeless, "/var/lib/aifi-audit"},
		{1000, "/state", homeless, "/state/aifi-audit"},
		{1000, "", home, "/home/jane/.local/state/aifi-audit"},
		{1000, "relative", home, "/home/jane/.local/state/aifi-audit"},
		{1000, "", homeless, ""},
	} {
		got, err := defaultDataDir(test.uid, test.stateHome, test.home)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%d, %q: got %q, %v", test.uid, test.stateHome, got, err)
		}
	}
	t.Setenv("HOME", "/home/jane")
	if dir, err := DefaultDataDir(); err != nil || !filepath.IsAbs(dir) {
		t.Errorf("here: %q, %v", dir, err)
	}
}

func TestRelativeDataDir(t *testing.T) {
	_, err := Start(testContext(t), Options{DataDir: "data"})
	contains(t, err, `"data"`, "absolute")
}

// Missing parents are made so that the server's user can pass, whatever the umask.
func TestDirectoriesMade(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	dir := filepath.Join(newDir(t), "further", "down")
	s := mustStart(t, testOptions(dir))
	want := map[string]os.FileMode{dir: 0o700, filepath.Dir(dir): 0o700}
	if os.Geteuid() == 0 {
		want = map[string]os.FileMode{dir: 0o710, filepath.Dir(dir): 0o755}
	}
	want[layout{dir}.cluster()] = 0o700
	want[layout{dir}.log()] = 0o600
	want[layout{dir}.lock()] = 0o600
	for path, mode := range want {
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), mode)
		}
	}
	mustClose(t, s)
}

// As root, the server's user has to pass all directories on the way; as ourselves,
// we have to.
func TestUnreachable(t *testing.T) {
	barrier := filepath.Dir(newDir(t))
	inner := filepath.Join(barrier, "inner")
	must(t, os.Mkdir(inner, 0o755))
	who, err := chooseIdentity("/nonexistent")
	must(t, err)
	words := []string{barrier}
	mode := os.FileMode(0)
	if os.Geteuid() == 0 {
		mode = 0o700
		words = append(words, "user "+who.name+", who cannot enter "+barrier+" (mode drwx------)", "chmod o+x "+barrier, "/var/lib/aifi-audit")
	}
	for _, dir := range []string{filepath.Join(inner, "data"), inner} {
		must(t, os.Chmod(barrier, mode))
		_, err := Start(testContext(t), testOptions(dir))
		contains(t, err, words...)
		must(t, os.Chmod(barrier, 0o711))
		if n := matches(t, filepath.Join(inner, "*")); n > 0 {
			t.Errorf("%d files have been made", n)
		}
	}
}

// The server runs without any of root's rights.
func TestCredentials(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	dir := newDir(t)
	mustStart(t, testOptions(dir))
	who, err := chooseIdentity(layout{dir}.cluster())
	must(t, err)
	if who.uid == 0 || who.switched != (os.Geteuid() == 0) {
		t.Errorf("identity %+v", who)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", postmasterPID(t, dir)))
	must(t, err)
	status := strings.Join(strings.Fields(string(b)), " ")
	want := []string{fmt.Sprintf("Uid: %d %[1]d %[1]d %[1]d Gid: %d %[2]d %[2]d %[2]d", who.uid, who.gid)}
	if who.switched {
		want = append(want, "Groups: NStgid", "CapEff: 0000000000000000")
	}
	for _, w := range want {
		if !strings.Contains(status, w) {
			t.Errorf("status lacks %q:\n%s", w, b)
		}
	}
}

func TestLongPath(t *testing.T) {
	top := newDir(t)
	dir := filepath.Join(top, strings.Repeat("long/", 30)+"data")
	s := mustStart(t, testOptions(dir))
	u, err := url.Parse(s.URL())
	must(t, err)
	socketDir := u.Query().Get("host")
	info, err := os.Lstat(socketDir)
	must(t, err)
	if info.Mode() != os.ModeDir|0o700 || !strings.HasPrefix(socketDir, os.TempDir()) {
		t.Errorf("socket directory %s, %v", socketDir, info.Mode())
	}
	other := mustStart(t, testOptions(dir))
	if !other.Attached() || other.URL() != s.URL() {
		t.Errorf("attached: %v, to %s instead of %s", other.Attached(), other.URL(), s.URL())
	}
	mustClose(t, s)
	if _, err := os.Lstat(socketDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", socketDir, err)
	}

	// Somebody else has been there first.
	elsewhere := t.TempDir()
	must(t, os.Symlink(elsewhere, socketDir))
	_, err = Start(testContext(t), testOptions(dir))
	contains(t, err, "socket directory", socketDir)
	must(t, os.Remove(socketDir))
	if os.Geteuid() == 0 {
		must(t, os.Mkdir(socketDir, 0o777))
		must(t, os.Chown(socketDir, 4711, 4711))
		_, err = Start(testContext(t), testOptions(dir))
		contains(t, err, socketDir, "belongs to user id 4711")
		must(t, os.Remove(socketDir))
	}
	mustStart(t, testOptions(dir))
}

// A comma would make two directories of one, here and in clients.
func TestStrangePath(t *testing.T) {
	dir := filepath.Join(newDir(t), `a,b "c" d+e%f=ü`)
	s := mustStart(t, testOptions(dir))
	if got := query(t, s.URL(), "SHOW data_directory"); got != filepath.Join(dir, "postgres") {
		t.Errorf("got %s", got)
	}
	dir = filepath.Join(newDir(t), `d +e%f=ü`)
	s = mustStart(t, testOptions(dir))
	if got := query(t, s.URL(), "SHOW unix_socket_directories"); got != filepath.Join(dir, "postgres-socket") {
		t.Errorf("got %s", got)
	}
}

func TestNotACluster(t *testing.T) {
	for version, words := range map[string][]string{
		"":    {"no PostgreSQL cluster"},
		"9.6": {"9.6"},
		"14":  {"PostgreSQL 14", "too old", "pg_upgrade"},
		"99":  {"PostgreSQL 99", "found: ", "pg_upgrade"},
	} {
		dir := newDir(t)
		st := starter{layout: layout{dir}}
		var err error
		st.who, err = chooseIdentity(st.cluster())
		must(t, err)
		must(t, st.prepare(st.who))
		must(t, ownedDir(st.cluster(), st.who))
		name := "PG_VERSION"
		if version == "" {
			name = "something"
		}
		must(t, os.WriteFile(filepath.Join(st.cluster(), name), []byte(version+"\n"), 0o644))
		_, err = Start(testContext(t), testOptions(dir))
		contains(t, err, words...)
		if errors.Is(err, ErrNoBinaries) {
			t.Errorf("%q: %v", version, err)
		}
	}
}

func TestDirectoriesMadeAtOnce(t *testing.T) {
	for range 20 {
		top := filepath.Join(newDir(t), "further")
		who, err := chooseIdentity(top)
		must(t, err)
		var group sync.WaitGroup
		for n := range 8 {
			group.Go(func() {
				l := layout{filepath.Join(top, []string{"one", "two"}[n%2])}
				if err := l.prepare(who); err != nil {
					t.Error(err)
				}
				lock, err := tryLock(l.lock())
				if err != nil {
					t.Error(err)
				} else if lock != nil {
					lock.release()
				}
			})
		}
		group.Wait()
		if n := matches(t, filepath.Join(filepath.Dir(top), ".*")); n > 0 {
			t.Errorf("%d temporary directories are left", n)
		}
	}
}
