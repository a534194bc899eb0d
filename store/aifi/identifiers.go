package aifi

import (
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Identifiers are what a person gave of himself, any of which is enough to find him:
// compared as a whole, e-mail addresses and names whatever their case, phone numbers by
// their digits.
type Identifiers struct {
	Emails []string `json:"emails,omitempty"`
	Phones []string `json:"phones,omitempty"`
	Names  []string `json:"names,omitempty"` // first and last name
}

// Normal is their normal form, which the methods below take: each once, sorted, in small
// letters and single spaces, phone numbers as digits.
func (i Identifiers) Normal() Identifiers {
	normal := func(ids []string, form func(string) string) []string {
		var made []string
		for _, id := range ids {
			made = append(made, form(id))
		}
		slices.Sort(made)
		return slices.Compact(made)
	}
	return Identifiers{normal(i.Emails, folded), normal(i.Phones, phoneDigits), normal(i.Names, folded)}
}

// None reports whether there are none.
func (i Identifiers) None() bool { return len(i.Emails)+len(i.Phones)+len(i.Names) == 0 }

// folded is a text without case, and with single spaces.
func folded(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

func phoneDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

func has(normal []string, value string) bool { return value != "" && slices.Contains(normal, value) }

func (i Identifiers) hasEmail(s string) bool { return has(i.Emails, folded(s)) }
func (i Identifiers) hasPhone(s string) bool { return has(i.Phones, phoneDigits(s)) }
func (i Identifiers) hasName(s string) bool  { return has(i.Names, folded(s)) }

// AreOf reports whether one of them is in a customer's personal info.
func (i Identifiers) AreOf(p PersonalInfo) bool {
	return i.hasEmail(p.Email) || i.hasPhone(p.Phone) || i.hasPhone(p.PhoneNumber) || i.hasName(p.FirstName+" "+p.LastName)
}

// inText reports whether a text has an e-mail address or a name of them among other words.
func (i Identifiers) inText(text string) bool {
	if len(i.Emails)+len(i.Names) == 0 {
		return false
	}
	words := folded(text)
	return slices.ContainsFunc(slices.Concat(i.Emails, i.Names), func(id string) bool { return id != "" && hasWord(words, id) })
}

// phoneInText reports whether the digits of a text have one of the phone numbers.
func (i Identifiers) phoneInText(text string) bool {
	digits := phoneDigits(text)
	return slices.ContainsFunc(i.Phones, func(id string) bool { return id != "" && strings.Contains(digits, id) })
}

// phoneMember is a name of a member whose value is a phone number.
var phoneMember = regexp.MustCompile(`(?i)phone|mobile|^tel`)

// customerFields looks for identifiers in the members about customers of one body, which
// come one by one.
type customerFields struct {
	Identifiers
	object      jsontext.Pointer // in which the names stand
	first, last string
}

// tell reports whether the value of a member about a customer completes an identifier.
func (f *customerFields) tell(at jsontext.Pointer, value string) bool {
	name := strings.ToLower(at.LastToken())
	if f.hasEmail(value) || f.hasName(value) || phoneMember.MatchString(name) && f.hasPhone(value) {
		return true
	}
	if name != "firstname" && name != "lastname" {
		return false
	}
	if parent := at.Parent(); parent != f.object {
		f.object, f.first, f.last = parent, "", ""
	}
	if name == "firstname" {
		f.first = value
	} else {
		f.last = value
	}
	return f.hasName(f.first + " " + f.last)
}
