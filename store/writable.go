package store

import "time"

// Writable reports whether a time can be written as RFC 3339 in UTC, and is not before
// the first year, which PostgreSQL counts otherwise.
func Writable(t time.Time) bool {
	year := t.UTC().Year()
	return year >= 1 && year <= 9999
}
