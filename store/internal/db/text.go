package db

import "strings"

// CleanText makes s storable as PostgreSQL's text: valid UTF-8 without NUL.
func CleanText(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\ufffd"), "\ufffd")
}
