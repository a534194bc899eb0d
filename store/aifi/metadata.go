package aifi

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// What PostgreSQL's jsonb holds without complaint: well within its own limits,
// which are 131072 digits before the point and 16383 after it, and its stack.
const (
	maxMetadataDepth    = 64
	maxMetadataNumber   = 400 // characters
	maxMetadataExponent = 1000
)

// metadata reads any JSON value into a form that jsonb accepts. A value that jsonb
// would refuse, or hold only at great cost, becomes a JSON string of its text. Null
// is absence.
func (r *reader) metadata() []byte {
	v := r.value()
	if v.Kind() == 'n' {
		return nil
	}
	// Where the whole body is strict JSON, all of its text is sound.
	if r.repeats == nil || v.IsValid(jsontext.AllowDuplicateNames(true)) {
		if compact, ok := compactForJSONB(v); ok {
			return compact
		}
	}
	r.doubt()
	quoted, _ := jsontext.AppendQuote(nil, CleanText(string(v))) // it fails on invalid UTF-8 only, and there is none left
	return quoted
}

// compactForJSONB leaves out the white space around the tokens of a value. It gives
// false if jsonb would refuse one of them.
func compactForJSONB(v jsontext.Value) ([]byte, bool) {
	out := make([]byte, 0, len(v))
	depth := 0
	for i := 0; i < len(v); {
		n := 1
		switch c := v[i]; c {
		case ' ', '\t', '\r', '\n':
			i++
			continue
		case '{', '[':
			if depth++; depth > maxMetadataDepth {
				return nil, false
			}
		case '}', ']':
			depth--
		case '"':
			n = stringLength(v[i:])
			if escapesNUL(v[i : i+n]) {
				return nil, false
			}
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			n = numberLength(v[i:])
			if !modest(v[i : i+n]) {
				return nil, false
			}
		}
		out = append(out, v[i:i+n]...)
		i += n
	}
	return out, true
}

func modest(number []byte) bool {
	if len(number) > maxMetadataNumber {
		return false
	}
	exponent := exponentOf(number)
	return -maxMetadataExponent <= exponent && exponent <= maxMetadataExponent
}

// escapesNUL reports whether a string has the character U+0000, which JSON can only
// write as an escape.
func escapesNUL(quoted []byte) bool {
	for {
		i := bytes.IndexByte(quoted, '\\')
		switch {
		case i < 0:
			return false
		case bytes.HasPrefix(quoted[i:], []byte(`\u0000`)):
			return true
		}
		quoted = quoted[i+2:] // the backslash, and what it escapes
	}
}
