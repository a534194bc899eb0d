package pgprivate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNoBinaries(t *testing.T) {
	empty := t.TempDir()
	must(t, os.Chmod(filepath.Dir(empty), 0o755)) // reachable, and yet without programs
	ways := []string{"apt install postgresql", "dnf install postgresql-server", "brew install postgresql@17", "AIFI_AUDIT_PG_BINDIR", "DATABASE_URL"}

	t.Run("nowhere", func(t *testing.T) {
		o := testOptions(newDir(t))
		_, err := start(testContext(t), o, search{path: empty + ":relative:", places: []string{empty + "/*/bin"}})
		contains(t, err, ways...)
		if !errors.Is(err, ErrNoBinaries) {
			t.Errorf("not ErrNoBinaries: %v", err)
		}
	})
	t.Run("not in the place named", func(t *testing.T) {
		t.Setenv("AIFI_AUDIT_PG_BINDIR", empty)
		_, err := Start(testContext(t), testOptions(newDir(t)))
		contains(t, err, append(ways, "AIFI_AUDIT_PG_BINDIR="+empty)...)
		if !errors.Is(err, ErrNoBinaries) {
			t.Errorf("not ErrNoBinaries: %v", err)
		}
	})
}

// Each way of finding the programs leads to the same ones.
func TestFind(t *testing.T) {
	who, err := chooseIdentity("/nonexistent")
	must(t, err)
	want, err := defaultSearch().find(testContext(t), who, 0)
	must(t, err)
	links := filepath.Join(filepath.Dir(newDir(t)), "links")
	must(t, os.Mkdir(links, 0o755))
	must(t, os.Symlink(want.program("postgres"), filepath.Join(links, "postgres")))
	for name, s := range map[string]search{
		"named":      {only: want.dir, path: "/nonexistent"},
		"PATH":       {path: "/nonexistent:" + want.dir},
		"pattern":    {places: []string{filepath.Dir(want.dir) + "/*"}},
		"link alone": {path: links},
	} {
		for _, major := range []int{0, want.major} {
			got, err := s.find(testContext(t), who, major)
			if err != nil || got.major != want.major || got.minor != want.minor {
				t.Errorf("%s: got %+v, %v", name, got, err)
			}
			if _, err := os.Stat(got.program("initdb")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string][2]int{
		"postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n": {15, 14},
		"postgres (PostgreSQL) 18.0\n":                           {18, 0},
		"postgres (PostgreSQL) 17.2":                             {17, 2},
		"postgres (PostgreSQL) 19devel\n":                        {},
		"postgres (PostgreSQL) 18beta1\n":                        {},
		"postgres (PostgreSQL) 18rc1 (Debian 18~rc1-1)\n":        {},
		"postgres (SomethingElse) 15.4\n":                        {},
		"":                                                       {},
	} {
		major, minor, ok := parseVersion(text)
		if major != want[0] || minor != want[1] || ok != (want[0] != 0) {
			t.Errorf("%q: got %d.%d, %v", text, major, minor, ok)
		}
	}
}

func TestCheckSettings(t *testing.T) {
	for _, bad := range []map[string]string{
		{"listen_addresses": "*"},
		{"Listen_Addresses": "*"},
		{"unix_socket_directories": "/tmp"},
		{"port": "1"},
		{"fsync=off -c x": "1"},
		{"": "1"},
		{"fsync": "on", "FSYNC": "off"},
		{"fsync": "o\x00n"},
	} {
		if got, err := checkSettings(bad); err == nil {
			t.Errorf("%q: got %q", bad, got)
		}
		if _, err := Start(testContext(t), Options{DataDir: "/nonexistent", Settings: bad}); err == nil {
			t.Errorf("%q: it started", bad)
		}
	}
	got, err := checkSettings(map[string]string{"Work_Mem": "8MB", "auto_explain.log_format": "a b"})
	if err != nil || got["work_mem"] != "8MB" || got["auto_explain.log_format"] != "a b" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSharedBuffers(t *testing.T) {
	const gigabyte = 1 << 30
	for memory, want := range map[uint64]int{0: 128, gigabyte / 4: 128, gigabyte: 256, 2 * gigabyte: 512, 64 * gigabyte: 1024} {
		if got := sharedBuffersMB(memory); got != want {
			t.Errorf("%d: got %d, want %d", memory, got, want)
		}
	}
	if memory() < 64<<20 {
		t.Errorf("this machine has %d bytes of memory", memory())
	}
}

// A server that does not start says why, and leaves the directory as good as it
// was.
func TestFailedStart(t *testing.T) {
	dir := newDir(t)
	o := testOptions(dir)
	o.Settings["shared_buffers"] = "plenty"
	_, err := Start(testContext(t), o)
	contains(t, err, "PostgreSQL did not start", `invalid value for parameter "shared_buffers": "plenty"`, filepath.Join(dir, "postgres.log"))
	if strings.Count(err.Error(), "shared_buffers") > 3 {
		t.Errorf("error %v", err)
	}
	s := mustStart(t, testOptions(dir))
	if got := query(t, s.URL(), "SHOW wal_compression"); got != "lz4" && got != "off" {
		t.Errorf("got %q", got)
	}
}
