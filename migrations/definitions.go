package migrations

import (
	"io/fs"
	"regexp"
	"strings"
)

// Definitions are what the views show and the functions do, to the letter, by their
// names: as the last migration has it that makes them.
type Definitions struct {
	Views     map[string]string // the query
	Functions map[string]string // the body
}

var (
	viewMade     = regexp.MustCompile(`(?ms)^CREATE (?:OR REPLACE )?VIEW (\w+) AS\n(.*?);$`)
	functionMade = regexp.MustCompile(`(?ms)^CREATE (?:OR REPLACE )?FUNCTION (\w+)\([^;$]*\$\$(.*?)\$\$`)
)

// ReadDefinitions reads them from the migrations.
func ReadDefinitions() (Definitions, error) {
	d := Definitions{Views: map[string]string{}, Functions: map[string]string{}}
	names, err := fs.Glob(files, "*.sql") // in their order
	if err != nil {
		return d, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(FS, name)
		if err != nil {
			return d, err
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		for _, m := range viewMade.FindAllStringSubmatch(up, -1) {
			d.Views[m[1]] = m[2]
		}
		for _, m := range functionMade.FindAllStringSubmatch(up, -1) {
			d.Functions[m[1]] = m[2]
		}
	}
	return d, nil
}
