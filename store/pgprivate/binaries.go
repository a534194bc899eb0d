package pgprivate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// minMajor is the oldest PostgreSQL that the program's schema works with.
const minMajor = 15

const binDirVariable = "AIFI_AUDIT_PG_BINDIR"

// ErrNoBinaries is wrapped by the error of [Start] when a server must be started
// but no PostgreSQL programs of version 15 or newer are found. The text of that
// error says what can be done about it.
var ErrNoBinaries = errors.New("no programs of PostgreSQL 15 or newer found")

// binaries are the programs of one version.
type binaries struct {
	dir          string
	major, minor int
}

func (b binaries) program(name string) string { return filepath.Join(b.dir, name) }
func (b binaries) version() string            { return fmt.Sprintf("%d.%d", b.major, b.minor) }

// search says where to look for binaries.
type search struct {
	only   string   // if not empty, nowhere else
	path   string   // a list of directories like $PATH
	places []string // patterns of further directories
}

func defaultSearch() search {
	s := search{
		only: os.Getenv(binDirVariable),
		path: os.Getenv("PATH"),
		places: []string{
			"/usr/lib/postgresql/*/bin",                              // Debian, Ubuntu
			"/usr/pgsql-*/bin",                                       // RHEL, Fedora (PGDG)
			"/usr/lib/postgresql*/bin", "/usr/lib64/postgresql*/bin", // SUSE
			"/usr/lib/postgresql-*/bin", "/usr/lib64/postgresql-*/bin", // Gentoo
			"/usr/libexec/postgresql*",                           // Alpine
			"/opt/homebrew/opt/postgresql@*/bin",                 // Homebrew, Apple silicon
			"/usr/local/opt/postgresql@*/bin",                    // Homebrew, Intel
			"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",    // Homebrew, Linux
			"/opt/local/lib/postgresql*/bin",                     // MacPorts
			"/Applications/Postgres.app/Contents/Versions/*/bin", // macOS
			"/run/current-system/sw/bin",                         // NixOS
			"/nix/var/nix/profiles/default/bin",                  // Nix
			"/usr/local/bin", "/usr/bin",                         // FreeBSD, Arch
			"/usr/local/pgsql/bin", // built from source
		},
	}
	if home, err := os.UserHomeDir(); err == nil {
		s.places = append(s.places, filepath.Join(home, ".nix-profile", "bin"))
	}
	return s
}

// find returns the newest binaries, or the newest of one major version if major is
// not 0. Each candidate is asked for its version as the user who will run it, so
// that what this user cannot run is not chosen.
func (s search) find(ctx context.Context, who identity, major int) (binaries, error) {
	var best binaries
	var found, refused []string
	for _, dir := range s.dirs() {
		b, err := probe(ctx, who, dir)
		if ctx.Err() != nil {
			return binaries{}, context.Cause(ctx) // which proves nothing about the programs
		}
		if err != nil {
			refused = append(refused, err.Error())
			continue
		}
		found = append(found, b.version()+" in "+b.dir)
		if major != 0 && b.major != major {
			continue
		}
		if b.major > best.major || b.major == best.major && b.minor > best.minor {
			best = b
		}
	}
	switch {
	case best.dir != "":
		return best, nil
	case len(found) > 0:
		return binaries{}, fmt.Errorf("the private database was made by PostgreSQL %d, whose programs are not there (found: %s): install PostgreSQL %d, or move the data with pg_upgrade",
			major, strings.Join(found, ", "), major)
	}
	return binaries{}, s.notFound(refused)
}

func (s search) notFound(refused []string) error {
	where := "$PATH and the usual places"
	if s.only != "" {
		where = binDirVariable + "=" + s.only
	}
	var why string
	if len(refused) > 0 {
		why = ": " + strings.Join(refused, "; ")
	}
	return fmt.Errorf("%w in %s%s. Either install PostgreSQL (Debian, Ubuntu: apt install postgresql; Fedora, RHEL: dnf install postgresql-server; Homebrew: brew install postgresql@17), or point %s at the directory of its programs postgres and initdb, or use an existing server by setting DATABASE_URL",
		ErrNoBinaries, where, why, binDirVariable)
}

// dirs lists the directories that hold a program postgres, each once.
func (s search) dirs() []string {
	if s.only != "" {
		return []string{s.only}
	}
	candidates := filepath.SplitList(s.path)
	for _, pattern := range s.places {
		matches, _ := filepath.Glob(pattern) // the patterns are well-formed
		candidates = append(candidates, matches...)
	}
	var dirs []string
	seen := map[string]bool{}
	for _, dir := range candidates {
		if !filepath.IsAbs(dir) {
			continue // what a relative entry of $PATH names depends on where we stand
		}
		resolved, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if err != nil || seen[resolved] {
			continue
		}
		seen[resolved] = true
		// A link alone in /usr/bin leads to the directory that has initdb too.
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
			dir = filepath.Dir(resolved)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// probe asks the programs in dir for their version.
func probe(ctx context.Context, who identity, dir string) (binaries, error) {
	b := binaries{dir: dir}
	for _, name := range []string{"postgres", "initdb"} {
		if _, err := os.Stat(b.program(name)); err != nil {
			return b, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // of a busy machine
	defer cancel()
	out, err := who.command(ctx, "/", b.program("postgres"), "--version").Output()
	if err != nil {
		if reachErr := who.checkReach(dir); reachErr != nil {
			return b, reachErr
		}
		return b, fmt.Errorf("%s --version: %w", b.program("postgres"), err)
	}
	major, minor, ok := parseVersion(string(out))
	switch {
	case !ok:
		return b, fmt.Errorf("%s is not a released PostgreSQL but %q", b.program("postgres"), strings.TrimSpace(string(out)))
	case major < minMajor:
		return b, fmt.Errorf("%s is too old: version %d", b.program("postgres"), major)
	}
	b.major, b.minor = major, minor
	return b, nil
}

// A pre-release (18beta1, 19devel) does not match: a release may not be able to
// read its files.
var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d{1,4})\.(\d{1,4})(?:\s|$)`)

func parseVersion(s string) (major, minor int, ok bool) {
	m := versionPattern.FindStringSubmatch(s)
	if m == nil {
		return 0, 0, false
	}
	major, _ = strconv.Atoi(m[1])
	minor, _ = strconv.Atoi(m[2])
	return major, minor, true
}
