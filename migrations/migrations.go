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
// left out: 28 sets what has taken their place, and whatever was set before.
var FS fs.FS = forOwners{files}

//go:embed *.sql
var files embed.FS

var forSuperusers = regexp.MustCompile(` SET aifi_audit\.keeper = '[a-z]+'`)

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
	return forSuperusers.ReplaceAll(text, nil), err
}

// rewritten is a file with another text. Its size is that of the old one.
type rewritten struct {
	fs.File
	text *bytes.Reader
}

// Read implements fs.File.
func (f rewritten) Read(p []byte) (int, error) { return f.text.Read(p) }
