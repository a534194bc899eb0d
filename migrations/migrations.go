// Package migrations holds the schema's history. A migration that has landed is
// never edited; add one.
package migrations

import (
	"bytes"
	"embed"
	"io/fs"
	"regexp"
)

// FS has the goose migrations at its root, for any owner of a database to run. Those
// before version 28 had functions set the parameter aifi_audit.keeper, which no extension
// has declared, and PostgreSQL refuses that to all but superusers. So these clauses are
// left out: 28 sets what has taken their place, and whatever was set before. To take the
// parameter back is refused as well, but not to take back all that a function sets: that
// is what 28 does where a superuser made the functions, who may be none any more, and
// then sets the others again.
var FS fs.FS = forOwners{files}

//go:embed *.sql
var files embed.FS

var forSuperusers = regexp.MustCompile(` SET aifi_audit\.keeper = '[a-z]+'`)

const (
	resetKeeper = `EXECUTE format('ALTER FUNCTION %s RESET aifi_audit.keeper', k.function);`
	resetAll    = `EXECUTE (SELECT format('ALTER FUNCTION %s RESET ALL', k.function)
                || coalesce(string_agg(format(' SET %I = %L', split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)), ''), '')
                FROM pg_proc, unnest(proconfig) c
                WHERE pg_proc.oid = k.function::regprocedure AND split_part(c, '=', 1) NOT IN ('aifi_audit.keeper', 'search_path'));`
)

type forOwners struct{ embed.FS }

// Open implements fs.FS.
func (f forOwners) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	if err != nil || name == "." {
		return file, err
	}
	text, err := f.ReadFile(name)
	return rewritten{file, bytes.NewReader(text)}, err
}

// ReadFile implements fs.ReadFileFS.
func (f forOwners) ReadFile(name string) ([]byte, error) {
	text, err := f.FS.ReadFile(name)
	text = forSuperusers.ReplaceAll(text, nil)
	return bytes.ReplaceAll(text, []byte(resetKeeper), []byte(resetAll)), err
}

// rewritten is a file with another text. Its size is that of the old one.
type rewritten struct {
	fs.File
	text *bytes.Reader
}

// Read implements fs.File.
func (f rewritten) Read(p []byte) (int, error) { return f.text.Read(p) }
