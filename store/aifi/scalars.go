package aifi

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// id reads an identifying member: a string, or a number as it is written. Null is
// "". Anything else makes the body unusable.
func (r *reader) id() string {
	v := r.scalar()
	switch v.Kind() {
	case '"', '0':
		return r.text(v)
	case 'n':
	default:
		r.wrongType("must be a string or a number, not " + kindOf(v))
	}
	return ""
}

// string reads what id reads, but never makes the body unusable.
func (r *reader) string() string {
	v := r.scalar()
	switch v.Kind() {
	case '"', '0':
		return r.text(v)
	case 'n':
	default:
		r.unusable(v)
	}
	return ""
}

// ids reads a list of ids, or one id as a list of one. Nulls are left out.
func (r *reader) ids() []string {
	if r.dec.PeekKind() != '[' {
		return r.appendID(nil, "must be a list of strings or numbers, not ")
	}
	if _, err := r.dec.ReadToken(); err != nil {
		r.fail(err)
		return nil
	}
	var list []string
	for r.err == nil && r.dec.PeekKind() != ']' {
		list = r.appendID(list, "must be a string or a number, not ")
	}
	if _, err := r.dec.ReadToken(); err != nil {
		r.fail(err)
	}
	return list
}

func (r *reader) appendID(list []string, must string) []string {
	v := r.value()
	switch v.Kind() {
	case '"', '0':
		return append(list, r.text(v))
	case 'n':
	default:
		r.wrongType(must + kindOf(v))
	}
	return list
}

// storeID reads an integer, a number of integral value or a string of one. Null is
// 0. Anything else makes the body unusable.
func (r *reader) storeID() int64 {
	v := r.scalar()
	if v.Kind() == 'n' {
		return 0
	}
	n, ok := integerOf(v)
	if !ok {
		r.wrongType("must be a 64-bit integer")
	}
	return n
}

func (r *reader) integer() *int64 {
	v := r.scalar()
	if n, ok := integerOf(v); ok {
		return &n
	}
	if v.Kind() != 'n' {
		r.unusable(v)
	}
	return nil
}

func (r *reader) boolean() *bool {
	v := r.scalar()
	yes, ok := v.Kind() == 't', v.Kind() == 't' || v.Kind() == 'f'
	if v.Kind() == '"' {
		text, _ := unquote(v)
		yes = strings.EqualFold(string(text), "true")
		ok = yes || strings.EqualFold(string(text), "false")
	}
	if ok {
		return &yes
	}
	if v.Kind() != 'n' {
		r.unusable(v)
	}
	return nil
}

func (r *reader) time() time.Time {
	v := r.scalar()
	if v.Kind() == '"' {
		text, _ := unquote(v)
		if t, ok := parseTime(text); ok {
			return t
		}
	}
	if v.Kind() != 'n' {
		r.unusable(v)
	}
	return time.Time{}
}

// scalar reads a value; a list of one string or number is that string or number.
func (r *reader) scalar() jsontext.Value {
	v := r.value()
	if v.Kind() != '[' {
		return v
	}
	only := jsontext.Value(bytes.Trim(v[1:len(v)-1], " \t\r\n"))
	switch only.Kind() {
	case '"':
		if stringLength(only) == len(only) {
			return only
		}
	case '0':
		if bytes.IndexByte(only, ',') < 0 {
			return only
		}
	}
	return v
}

// text is the text of a string, or of a number as it is written.
func (r *reader) text(v jsontext.Value) string {
	if v.Kind() != '"' {
		return string(v)
	}
	text, exact := unquote(v)
	if !exact {
		r.doubt()
		r.lossy = true
	}
	return string(text)
}

// unquote is the text of a JSON string. What PostgreSQL's text cannot hold becomes
// U+FFFD, and then the text is not exact. It may be a part of v.
func unquote(v jsontext.Value) (text []byte, exact bool) {
	if len(v) < len(`""`) {
		return nil, true
	}
	inner := v[1 : len(v)-1]
	if plain(inner) {
		return inner, true
	}
	text, err := jsontext.AppendUnquote(make([]byte, 0, len(inner)), v)
	if bytes.IndexByte(text, 0) >= 0 {
		return bytes.ReplaceAll(text, []byte{0}, []byte("\ufffd")), false
	}
	return text, err == nil
}

// plain reports whether the inside of a JSON string is its text: nearly all are.
func plain(inner []byte) bool {
	for _, c := range inner {
		if c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func integerOf(v jsontext.Value) (int64, bool) {
	switch v.Kind() {
	case '0':
		return parseInteger(v)
	case '"':
		text, _ := unquote(v)
		return parseInteger(text)
	}
	return 0, false
}

// kindOf names the kind of a value in English.
func kindOf(v jsontext.Value) string {
	switch v.Kind() {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	}
	return "null"
}

// stringLength is the length of the JSON string that text begins with.
func stringLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}
