package ui

import (
	"bytes"
	"errors"
	"html/template"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// BodyLimit is how much of a body a page shows, in bytes of HTML. The rest is for the
// download.
const BodyLimit = 40 << 10

// Body is a webhook's body, ready to be read.
type Body struct {
	Lines []Line
	Cut   bool // there is more than is shown
	Raw   bool // as it came; else with line breaks and indentation
}

// Line is a line of a Body.
type Line struct {
	Indent     string
	Name, Text string // a member's name with its colon, and what follows
	Fault      bool   // what could not be understood
}

// Pretty lays a JSON body out, marks the member that a JSON Pointer names, and keeps
// every token as it was spelled. It reports false for what is not JSON.
func Pretty(body []byte, fault string, mark bool) (Body, bool) {
	p := printer{fault: jsontext.Pointer(fault), mark: mark, dec: jsontext.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	err := p.value("", "")
	if errors.Is(err, errCut) {
		return Body{Lines: p.lines, Cut: true}, true
	}
	if err != nil {
		return Body{}, false
	}
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return Body{}, false
	}
	return Body{Lines: p.lines}, true
}

var errCut = errors.New("enough is shown")

const indentMost = 40 // levels; deeper ones are no longer moved to the right

type printer struct {
	dec   *jsontext.Decoder
	lines []Line
	size  int
	fault jsontext.Pointer
	mark  bool
}

func (p *printer) add(indent, name, text string) error {
	l := Line{Indent: indent, Name: Visible(name), Text: Visible(text)}
	l.Fault = p.mark && p.fault != "" && p.inFault()
	p.size += len(indent) + escapedSize(l.Name) + escapedSize(l.Text) + 60
	if p.size > BodyLimit {
		const most = 1000 // bytes of the last line, so that a long one is not missing altogether
		l.Name, l.Text = beginning(l.Name, most), beginning(l.Text, most)
		p.lines = append(p.lines, l)
		return errCut
	}
	p.lines = append(p.lines, l)
	return nil
}

// beginning cuts a text, not in the middle of a character, and says so.
func beginning(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}

func (p *printer) inFault() bool {
	at := p.dec.StackPointer()
	return at == p.fault || p.fault.Contains(at)
}

// comma ends the value of the line that was written last.
func (p *printer) comma() { p.lines[len(p.lines)-1].Text += "," }

func (p *printer) value(indent, name string) error {
	kind := p.dec.PeekKind()
	if kind != '{' && kind != '[' {
		v, err := p.dec.ReadValue()
		if err != nil {
			return err
		}
		return p.add(indent, name, string(v))
	}
	open, err := p.dec.ReadToken()
	if err != nil {
		return err
	}
	end := jsontext.Kind('}')
	if open.Kind() == '[' {
		end = ']'
	}
	if p.dec.PeekKind() == end {
		if _, err := p.dec.ReadToken(); err != nil {
			return err
		}
		return p.add(indent, name, open.Kind().String()+end.String())
	}
	if err := p.add(indent, name, open.Kind().String()); err != nil {
		return err
	}
	inner := indent
	if len(indent) < 2*indentMost {
		inner += "  "
	}
	for first := true; p.dec.PeekKind() != end; first = false {
		if !first {
			p.comma()
		}
		name := ""
		if end == '}' {
			v, err := p.dec.ReadValue()
			if err != nil {
				return err
			}
			name = string(v) + ": "
		}
		if err := p.value(inner, name); err != nil {
			return err
		}
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	return p.add(indent, "", end.String())
}

// Raw is a body as it came, cut, with the byte marked at which it stops being JSON,
// unless at is negative.
func Raw(body []byte, at int) Body {
	size, n := 0, 0
	for n < len(body) && size < BodyLimit {
		size += escapedSize(Visible(string(body[n : n+1])))
		n++
	}
	for back := 0; back < utf8.UTFMax && n < len(body) && n > 0 && !utf8.RuneStart(body[n]); back++ {
		n-- // not in the middle of a character
	}
	b := Body{Raw: true, Cut: n < len(body)}
	shown := body[:n]
	if at < 0 || at >= n {
		b.Lines = []Line{{Text: Visible(string(shown))}}
		return b
	}
	b.Lines = []Line{{Text: Visible(string(shown[:at]))}, {Text: Visible(string(shown[at : at+1])), Fault: true}, {Text: Visible(string(shown[at+1:]))}}
	return b
}

func escapedSize(s string) int {
	n := len(s)
	n += 4 * strings.Count(s, `"`)
	if strings.ContainsAny(s, "<>&'+") {
		n = len(template.HTMLEscapeString(s))
	}
	return n
}
