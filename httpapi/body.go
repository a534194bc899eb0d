package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxStaffBody is how many bytes the body of a request by staff may have: enough for
// a comment of which each character is escaped.
const maxStaffBody = 64 << 10

// object is the JSON object of a body, by member.
type object map[string]json.RawMessage

// readObject reads a body that must be one JSON object with none but the allowed
// members: what is not understood is an error, never ignored.
func readObject(r *http.Request, allowed ...string) (object, error) {
	body, err := readBody(r.Body, maxStaffBody, 0)
	if errors.Is(err, errTooLarge) {
		return nil, problem(http.StatusRequestEntityTooLarge, "too-large", "Body too large", fmt.Sprintf("The body may have %d bytes.", maxStaffBody))
	}
	if err != nil {
		return nil, problem(http.StatusBadRequest, "incomplete", "Incomplete body", "The body ended early.")
	}
	var o object
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		err = json.Unmarshal(body, &o)
	}
	if err != nil || o == nil {
		return nil, badMember("", "The body must be a JSON object.")
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(allowed, name) {
			return nil, badMember("/"+pointerEscapes.Replace(cut(name, 100)), "There is no such member; there are %s.", strings.Join(allowed, ", "))
		}
	}
	return o, nil
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func (o object) has(name string) bool { return o[name] != nil }

// text is a member that is a string; nil if it is null or absent.
func (o object) text(name string) (*string, error) {
	if !o.has(name) {
		return nil, nil
	}
	var s *string
	if err := json.Unmarshal(o[name], &s); err != nil {
		return nil, badMember("/"+name, "It must be a string or null.")
	}
	return s, nil
}

// texts is a member that is a list of strings; nil if it is null or absent.
func (o object) texts(name string) (list []string, err error) {
	if !o.has(name) {
		return nil, nil
	}
	if err := json.Unmarshal(o[name], &list); err != nil {
		return nil, badMember("/"+name, "It must be a list of strings, or null.")
	}
	return list, nil
}

// integer is a member that is an integer; nil if it is null or absent.
func (o object) integer(name string) (*int64, error) {
	if !o.has(name) {
		return nil, nil
	}
	var n *int64
	if err := json.Unmarshal(o[name], &n); err != nil {
		return nil, badMember("/"+name, "It must be an integer of 64 bits or null.")
	}
	return n, nil
}

// moment is a member that is a time of RFC 3339 or a date, which is its first instant
// in UTC; nil if it is null or absent.
func (o object) moment(name string) (*time.Time, error) {
	s, err := o.text(name)
	if err != nil || s == nil {
		return nil, err
	}
	t, ok := parseMoment(*s)
	if !ok {
		return nil, badMember("/"+name, "It must be a date, as 2026-01-31, or a time of RFC 3339, as 2026-01-31T18:00:00Z, and in UTC of the years 1 to 9999.")
	}
	return &t, nil
}

// badMember names the member of a body at fault by its JSON Pointer.
func badMember(pointer, format string, args ...any) *Problem {
	p := problem(http.StatusBadRequest, "invalid-body", "Invalid body", fmt.Sprintf(format, args...))
	p.Pointer = pointer
	return p
}
