package aifi

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// id reads an identifying member: a string, a number as it is written, or a list
// of one of them. Null is "". Anything else makes the body unusable.
func (r *reader) id() string {
	switch v := r.value(); v.Kind() {
	case '"', '0':
		return r.scalar(v)
	case 'n':
		return ""
	case '[':
		if ids, ok := r.elements(v); ok && len(ids) == 1 {
			return ids[0]
		}
		r.wrongType("must be a string or a number, not a list")
	default:
		r.wrongType("must be a string or a number")
	}
	return ""
}

// ids reads a list of ids, or one id as a list of one. Nulls are left out.
func (r *reader) ids() []string {
	switch v := r.value(); v.Kind() {
	case '"', '0':
		return []string{r.scalar(v)}
	case 'n':
		return nil
	case '[':
		if ids, ok := r.elements(v); ok {
			return ids
		}
		r.wrongType("must be a list of strings or numbers")
	default:
		r.wrongType("must be a list of strings or numbers")
	}
	return nil
}

// elements are the scalars of a list; ok is false if it holds anything else.
func (r *reader) elements(list jsontext.Value) (ids []string, ok bool) {
	sub := jsontext.NewDecoder(strings.NewReader(string(list)), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	_, _ = sub.ReadToken()
	for sub.PeekKind() != ']' {
		v, err := sub.ReadValue()
		if err != nil {
			return nil, false
		}
		switch v.Kind() {
		case '"', '0':
			ids = append(ids, r.scalar(v))
		case 'n':
		default:
			return nil, false
		}
	}
	return ids, true
}

// storeID reads an integer, a number of integral value or a string of one. Null is
// 0. Anything else makes the body unusable.
func (r *reader) storeID() int64 {
	v := r.value()
	if v.Kind() == 'n' {
		return 0
	}
	if v.Kind() == '"' || v.Kind() == '0' {
		if n, ok := parseInteger(r.scalar(v)); ok {
			return n
		}
	}
	r.wrongType("must be a 64-bit integer")
	return 0
}

// text reads a member that never makes the body unusable: a string or a number.
func (r *reader) text() string {
	switch v := r.value(); v.Kind() {
	case '"', '0':
		return r.scalar(v)
	case 'n':
	default:
		r.doubt()
	}
	return ""
}

func (r *reader) integer() *int64 {
	v := r.value()
	switch v.Kind() {
	case 'n':
		return nil
	case '"', '0':
		if n, ok := parseInteger(r.scalar(v)); ok {
			return &n
		}
	}
	r.doubt()
	return nil
}

func (r *reader) boolean() *bool {
	v := r.value()
	yes, no := true, false
	switch v.Kind() {
	case 'n':
		return nil
	case 't':
		return &yes
	case 'f':
		return &no
	case '"':
		switch strings.ToLower(r.scalar(v)) {
		case "true":
			return &yes
		case "false":
			return &no
		}
	}
	r.doubt()
	return nil
}

func (r *reader) time() time.Time {
	t, _ := r.timeAndRaw()
	return t
}

// timeAndRaw also gives the JSON of the time where it is not usable as one.
func (r *reader) timeAndRaw() (time.Time, []byte) {
	v := r.value()
	switch v.Kind() {
	case 'n':
		return time.Time{}, nil
	case '"':
		if t, ok := parseTime(r.scalar(v)); ok {
			return t, nil
		}
	}
	raw := []byte(v.Clone())
	r.doubt()
	return time.Time{}, raw
}

// scalar is the text of a string, or of a number as it is written.
func (r *reader) scalar(v jsontext.Value) string {
	if v.Kind() == '"' {
		return r.unquote(v)
	}
	return string(v)
}

// unquote is the text of a JSON string. What PostgreSQL's text cannot hold becomes
// U+FFFD, and is noted.
func (r *reader) unquote(v jsontext.Value) string {
	plain := len(v) >= 2
	for _, c := range v {
		if c == '\\' || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return string(v[1 : len(v)-1])
	}
	b, err := jsontext.AppendUnquote(nil, v)
	s := clean(string(b))
	if err != nil || s != string(b) {
		r.doubt()
		r.lossy = true
	}
	return s
}

// clean makes s storable as PostgreSQL's text.
func clean(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\ufffd"), "\ufffd")
}

func parseInteger(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	if len(s) > 40 {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	// Beyond 2^53 a float no longer says which integer was meant.
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// parseTime reads RFC 3339, also with a space for the T, in lower case, or without
// a zone (then UTC). A leap second becomes the second after it.
func parseTime(s string) (time.Time, bool) {
	s = strings.ToUpper(strings.TrimSpace(s))
	if len(s) < len("2006-01-02T15:04:05") || len(s) > 64 {
		return time.Time{}, false
	}
	if s[10] == ' ' {
		s = s[:10] + "T" + s[11:]
	}
	leap := time.Duration(0)
	if s[16:19] == ":60" {
		s = s[:16] + ":59" + s[19:]
		leap = time.Second
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05.999999999Z0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			t = t.Add(leap).UTC().Truncate(time.Microsecond)
			return t, t.Year() >= 1 && t.Year() <= 9999 && !t.IsZero()
		}
	}
	return time.Time{}, false
}
