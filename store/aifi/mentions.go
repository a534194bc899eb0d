package aifi

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// telling is how many characters make an identifier tell a person apart wherever it
// stands. A shorter one, such as 5, is looked for only where a customer is named.
const telling = 6

// Identity is what names a person in the bodies of webhooks.
type Identity struct {
	IDs   []string // AiFi's ids of the customer, and the retailer's: of any length
	Other []string // e-mail addresses, phone numbers, loyalty cards, if Telling

	Identifiers // in their normal form; looked for in members about a customer
}

// Telling are those of some identifiers that are long enough to tell a person apart,
// each once.
func Telling(identifiers []string) []string {
	long := slices.DeleteFunc(slices.Clone(identifiers), func(id string) bool { return utf8.RuneCountInString(id) < telling })
	slices.Sort(long)
	return slices.Compact(long)
}

// Needles are texts of which each body that may mention the person has at least one:
// to look for before a body is read. They are ASCII letters and digits, which JSON
// never needs to escape. There are none if Identifiers are, which can be spelled in more
// than one way.
func (i Identity) Needles() []string {
	if !i.None() {
		return nil
	}
	var needles []string
	for _, id := range slices.Concat(i.IDs, i.Other) {
		longest := ""
		for _, run := range strings.FieldsFunc(id, func(r rune) bool { return r > unicode.MaxASCII || !isWord(r) }) {
			if len(run) > len(longest) {
				longest = run
			}
		}
		if longest == "" { // nothing that is always written as itself: no body can be left out
			return nil
		}
		needles = append(needles, longest)
	}
	slices.Sort(needles)
	return slices.Compact(needles)
}

// Mentions reports whether a body names the person: by an identifier that tells him
// apart anywhere, or by one of the IDs or Identifiers as the value of a member about a
// customer. A body that is not JSON is searched as text. It never panics, whatever the
// bytes.
func (i Identity) Mentions(body []byte) bool {
	fields := customerFields{Identifiers: i.Identifiers}
	text := bytes.TrimPrefix(body, byteOrderMark)
	d := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		token, err := d.ReadToken()
		if err != nil { // also at the end; what was not read as JSON is still text
			return d.InputOffset() < int64(len(bytes.TrimSpace(text))) && i.inText(string(text))
		}
		kind := token.Kind()
		if kind != '"' && kind != '0' {
			continue
		}
		value := token.String()
		if i.tells(value) {
			return true
		}
		parent, n := d.StackIndex(d.StackDepth())
		isName := parent == '{' && n%2 == 1
		if isName || i.None() && !slices.Contains(i.IDs, value) {
			continue
		}
		at := d.StackPointer()
		if aboutCustomer(at) && (slices.Contains(i.IDs, value) || fields.tell(at, value)) {
			return true
		}
	}
}

// tells reports whether a text has an identifier that is long enough to tell.
func (i Identity) tells(text string) bool {
	for _, id := range slices.Concat(i.IDs, i.Other) {
		if utf8.RuneCountInString(id) >= telling && hasWord(text, id) {
			return true
		}
	}
	return false
}

// aboutCustomer reports whether a member, or an object that it is in, is a customer's.
func aboutCustomer(p jsontext.Pointer) bool {
	for name := range p.Tokens() {
		if strings.Contains(strings.ToLower(name), "customer") {
			return true
		}
	}
	return false
}

// inText looks for the person where there is no JSON to go by.
func (i Identity) inText(text string) bool {
	if i.tells(text) || i.Identifiers.inText(text) {
		return true
	}
	for _, id := range i.IDs {
		// customerId: 5, customer={"id": "5", and the like
		near := regexp.MustCompile(`(?i)customer[\w"']*\s*[:=]\s*(\{[^{}]*?\bid\W{1,6})?["']?` + regexp.QuoteMeta(id) + `(\W|$)`)
		if near.MatchString(text) {
			return true
		}
	}
	return false
}

// NamedIn reports whether what somebody wrote about the person names him, by an
// identifier of more than three characters.
func (i Identity) NamedIn(text string) bool {
	return i.inText(text) || i.phoneInText(text) || slices.ContainsFunc(slices.Concat(i.IDs, i.Other), func(id string) bool {
		return utf8.RuneCountInString(id) > 3 && hasWord(text, id)
	})
}

// hasWord reports whether word stands in text without being a part of a longer one.
func hasWord(text, word string) bool {
	for from := 0; ; {
		at := strings.Index(text[from:], word)
		if at < 0 {
			return false
		}
		at += from
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(word):])
		if (at == 0 || !isWord(before)) && (at+len(word) == len(text) || !isWord(after)) {
			return true
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		from = at + size
	}
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// identifying are names of members of metadata whose values name a person.
var identifying = regexp.MustCompile(`(?i)loyalty|member|card|e-?mail|phone|external`)

// IdentifiersIn are the texts and numbers in metadata that name a person, by the name
// of their member.
func IdentifiersIn(metadata []byte) []string {
	var found []string
	d := jsontext.NewDecoder(bytes.NewBuffer(metadata), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		token, err := d.ReadToken()
		if err != nil {
			return found
		}
		if kind := token.Kind(); kind != '"' && kind != '0' {
			continue
		}
		value := token.String()
		parent, n := d.StackIndex(d.StackDepth())
		if isName := parent == '{' && n%2 == 1; !isName && identifying.MatchString(string(d.StackPointer())) {
			found = append(found, value)
		}
	}
}
