package aifi

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// What PostgreSQL's jsonb holds without complaint; well within its own limits.
const (
	maxMetadataDepth  = 64
	maxMetadataDigits = 400
)

// metadata reads any JSON value into a form that jsonb accepts. A value that it
// would refuse (NUL, lone surrogates, absurd numbers, deep nesting) is kept as a
// JSON string of its text.
func (r *reader) metadata() []byte {
	v := r.value()
	if v.Kind() == 'n' {
		return nil
	}
	if storable(v) {
		c := v.Clone()
		if c.Compact(jsontext.AllowDuplicateNames(true)) == nil {
			return c
		}
	}
	text := clean(string(v))
	r.doubt()
	quoted, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return nil
	}
	return quoted
}

func storable(v jsontext.Value) bool {
	if depth(v) > maxMetadataDepth || !v.IsValid(jsontext.AllowDuplicateNames(true)) || bytes.Contains(v, []byte(`\u0000`)) {
		return false
	}
	digits, quoted := 0, false
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == 'e' || c == 'E':
			// true, false and numbers: only the latter have a digit or sign behind it.
			if exponent := exponentAt(v[i+1:]); exponent > 3 {
				return false
			}
			digits++
		case c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+':
			if digits++; digits > maxMetadataDigits {
				return false
			}
		default:
			digits = 0
		}
	}
	return true
}

// exponentAt counts the significant digits of the exponent that text starts with.
func exponentAt(text []byte) int {
	n := 0
	for _, c := range bytes.TrimLeft(text, "+-0") {
		if c < '0' || c > '9' {
			break
		}
		n++
	}
	return n
}
