package aifi

import "strings"

// CleanText makes s storable as PostgreSQL's text: valid UTF-8 without NUL. What is looked
// up goes through it as what is stored does.
func CleanText(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\ufffd"), "\ufffd")
}
