package aifi

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxUnreadable bounds Statement.Unreadable: a hostile body must not fill a row.
	maxUnreadable = 32
	// maxPooled bounds the memory that a pooled reader keeps.
	maxPooled = 64 << 10
)

var (
	strictJSON = []jsontext.Options{}
	anyJSON    = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

	errSecondValue = errors.New("a second value")

	null = jsontext.Value("null")
)

var readers = sync.Pool{New: func() any { return new(reader) }}

// reader walks a body. Its methods note what they cannot read, so that the
// callers stay plain lists of members. After an error every method gives nothing.
type reader struct {
	dec  jsontext.Decoder
	buf  bytes.Buffer // what dec reads: the text itself, not a copy
	rest []member     // what the fingerprint covers beside the statement
	hash []byte       // scratch for the fingerprint
	pass
}

// pass is what one pass over a body collects.
type pass struct {
	input      []byte // the body without its byte order mark
	statement  *Statement
	err        error              // not JSON, or not strict JSON
	problem    *Problem           // the first fault that makes the body unusable
	repeats    map[int64]struct{} // offsets of members that a later one of their name replaces
	object     string             // the object of the envelope under way; "" is the envelope
	name       []byte             // of the member under way
	unreadable []string
	lossy      bool // the statement says less than the body, or something else

	storeIDs  struct{ envelope, store int64 }
	shopperID string // beside the shopper object
}

// member is a part of the body that the statement does not hold.
type member struct {
	object string // the object of the envelope it stands in, or ""
	name   []byte
	value  jsontext.Value
}

// begin starts a pass.
func (r *reader) begin(text []byte, options []jsontext.Options) {
	r.pass = pass{input: text, statement: new(Statement)}
	clear(r.rest)
	r.rest = r.rest[:0]
	r.buf = *bytes.NewBuffer(text)
	r.dec.Reset(&r.buf, options...)
}

// release gives the reader back, without what it holds of the body.
func (r *reader) release() {
	r.pass = pass{}
	r.buf = bytes.Buffer{}
	r.dec.Reset(&r.buf)
	clear(r.rest)
	clear(r.hash) // it may hold personal data
	if cap(r.hash)+64*cap(r.rest) <= maxPooled {
		readers.Put(r)
	}
}

// next goes to the next member of the object under way. At its end it gives false,
// and the envelope is under way again.
func (r *reader) next() bool {
	for r.err == nil {
		if r.dec.PeekKind() != '"' {
			if _, err := r.dec.ReadToken(); err != nil {
				r.fail(err)
			}
			r.object = ""
			return false
		}
		quoted := r.value()
		if r.err != nil {
			return false
		}
		name, exact := unquote(quoted)
		r.name = name
		r.lossy = r.lossy || !exact
		if _, replaced := r.repeats[r.dec.InputOffset()]; !replaced {
			return true
		}
		r.doubt()
		r.lossy = true
		r.skip()
	}
	return false
}

// enter goes into an object of the envelope. Null is absence. Anything else makes
// the body unusable, or is left out if the object is optional.
func (r *reader) enter(object string, optional bool) bool {
	if r.dec.PeekKind() == '{' {
		if _, err := r.dec.ReadToken(); err != nil {
			r.fail(err)
			return false
		}
		r.object = object
		return true
	}
	switch v := r.value(); {
	case v.Kind() == 'n':
	case optional:
		r.unusable(v)
	default:
		r.wrongType("must be an object, not " + kindOf(v))
	}
	return false
}

// value reads one value. It is a part of the body, and stays valid with it.
func (r *reader) value() jsontext.Value {
	if r.err != nil {
		return null
	}
	v, err := r.dec.ReadValue()
	if err != nil {
		r.fail(err)
		return null
	}
	end := int(r.dec.InputOffset())
	return r.input[end-len(v) : end : end]
}

func (r *reader) skip() {
	if r.err != nil {
		return
	}
	if err := r.dec.SkipValue(); err != nil {
		r.fail(err)
	}
}

// unknown passes over a member that the statement has no place for.
func (r *reader) unknown() {
	if !r.covered() {
		r.skip()
		return
	}
	// Null is absence, here as anywhere.
	if v := r.value(); v.Kind() != 'n' {
		r.rest = append(r.rest, member{r.object, r.name, v})
	}
}

// unusable notes that the member just read is of no use. Where it belongs to the
// facts, it still tells them apart.
func (r *reader) unusable(v jsontext.Value) {
	r.doubt()
	if r.covered() {
		r.rest = append(r.rest, member{r.object, r.name, v})
	}
}

// covered reports whether the member under way belongs to the facts that the
// fingerprint covers. The session and the customer are not facts of the event
// but things with a history of their own.
func (r *reader) covered() bool {
	switch r.object {
	case "session", "customer":
		return false
	case "":
		return string(r.name) != "timeOfIssue"
	}
	return true
}

// end checks that nothing follows.
func (r *reader) end() {
	if r.err != nil {
		return
	}
	switch _, err := r.dec.ReadToken(); {
	case err == nil:
		r.fail(errSecondValue)
	case !errors.Is(err, io.EOF):
		r.fail(err)
	}
}

func (r *reader) fail(err error) {
	if r.err != nil {
		return
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	r.err = err
}

func (r *reader) wrongType(detail string) {
	if r.problem == nil {
		r.problem = &Problem{Reason: WrongType, Pointer: CleanText(string(r.dec.StackPointer())), Detail: detail}
	}
}

// doubt notes that the statement does not say what the body says at the member (or
// its element) just read.
func (r *reader) doubt() {
	if len(r.unreadable) < maxUnreadable {
		r.doubtAt(CleanText(string(r.dec.StackPointer())))
	}
}

func (r *reader) doubtAt(pointer string) {
	if len(r.unreadable) < maxUnreadable && !slices.Contains(r.unreadable, pointer) {
		r.unreadable = append(r.unreadable, pointer)
	}
}

// findRepeats finds the members, of the envelope and of the objects in it, that a
// later member of the same name replaces. They are named by the offset behind
// their name.
func (r *reader) findRepeats(text []byte) map[int64]struct{} {
	r.begin(text, anyJSON)
	found := map[int64]struct{}{}
	if r.dec.PeekKind() == '{' {
		r.repeatsOfObject(found, true)
	} else {
		r.skip()
	}
	r.end()
	return found
}

func (r *reader) repeatsOfObject(found map[int64]struct{}, descend bool) {
	if _, err := r.dec.ReadToken(); err != nil {
		r.fail(err)
		return
	}
	last := map[string]int64{}
	for r.next() {
		name, at := string(r.name), r.dec.InputOffset()
		if before, ok := last[name]; ok {
			found[before] = struct{}{}
		}
		last[name] = at
		if descend && r.dec.PeekKind() == '{' {
			r.repeatsOfObject(found, false)
		} else {
			r.skip()
		}
	}
}
