package pgprivate

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The server takes nothing from the environment, its clients nothing that matters,
// and other databases can be named in URLs whatever their names.
func TestURLs(t *testing.T) {
	dir := newDir(t)
	for name, value := range map[string]string{
		"PGPORT": "1", "PGHOST": "/nowhere", "PGUSER": "nobody", "PGDATABASE": "nothing",
		"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/nowhere", "PGDATA": "/nowhere",
		"LC_ALL": "xx_XX", "SECRET": "s3cret",
	} {
		t.Setenv(name, value)
	}
	s := mustStart(t, testOptions(dir))
	const name = "a b/c?d+e%f"
	execute(t, s.DatabaseURL("postgres"), `CREATE DATABASE "`+name+`"`)
	if got := query(t, s.DatabaseURL(name), "SELECT current_database()"); got != name {
		t.Errorf("pgx: got %q", got)
	}
	bins, err := defaultSearch().find(testContext(t), identity{}, 0)
	must(t, err)
	resolved, err := filepath.EvalSymlinks(bins.program("postgres")) // psql is where it really lies
	must(t, err)
	out, err := exec.CommandContext(testContext(t), filepath.Join(filepath.Dir(resolved), "psql"), "-XAtc", "SELECT current_database()", s.DatabaseURL(name)).CombinedOutput()
	if strings.TrimSpace(string(out)) != name {
		t.Errorf("psql: %v, got %q", err, out)
	}
	if runtime.GOOS == "linux" {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", postmasterPID(t, dir)))
		must(t, err)
		if strings.Contains(string(environ), "s3cret") {
			t.Error("the server has inherited the environment")
		}
	}
}

// Error messages quote the values of rows, which may be personal data.
func TestStatementErrorsStayOutOfTheLog(t *testing.T) {
	dir := newDir(t)
	s := mustStart(t, testOptions(dir))
	conn := connect(t, s.URL())
	_, err := conn.Exec(testContext(t), "CREATE TABLE t (v text PRIMARY KEY)")
	must(t, err)
	for _, sql := range []string{"INSERT INTO t VALUES ('jane@example.org')", "INSERT INTO t VALUES ('jane@example.org')", "SELECT 'jane@example.org'::int"} {
		_, err = conn.Exec(testContext(t), sql)
	}
	contains(t, err, "jane@example.org")
	mustClose(t, s)
	log, err := os.ReadFile(layout{dir}.log())
	must(t, err)
	if strings.Contains(string(log), "jane") || !strings.Contains(string(log), "database system is shut down") {
		t.Errorf("log:\n%s", log)
	}
}
