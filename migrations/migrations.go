// Package migrations holds the schema's history. A migration that has landed is
// never edited; add one.
package migrations

import "embed"

// FS has the goose migrations at its root.
//
//go:embed *.sql
var FS embed.FS
