package ui_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/httpapi/ui"
)

func text(b ui.Body) string {
	var s strings.Builder
	for _, l := range b.Lines {
		if l.Fault {
			s.WriteString(">")
		}
		s.WriteString(l.Indent + l.Name + l.Text + "\n")
	}
	return s.String()
}

func TestPretty(t *testing.T) {
	for name, c := range map[string]struct{ body, fault, want string }{
		"members and lists":               {`{"a":1.50,"b":[true,null],"c":{},"d":[]}`, "", "{\n  \"a\": 1.50,\n  \"b\": [\n    true,\n    null\n  ],\n  \"c\": {},\n  \"d\": []\n}\n"},
		"spelling is kept":                {`{"\u0061":1e400,"a":"\ud800"}`, "", "{\n  \"\\u0061\": 1e400,\n  \"a\": \"\\ud800\"\n}\n"},
		"a fault is marked":               {`{"a":1,"productIds":{"x":[2]},"z":3}`, "/productIds", "{\n  \"a\": 1,\n>  \"productIds\": {\n>    \"x\": [\n>      2\n>    ],\n>  },\n  \"z\": 3\n}\n"},
		"in a list":                       {`{"ids":["a",{},"c"]}`, "/ids/1", "{\n  \"ids\": [\n    \"a\",\n>    {},\n    \"c\"\n  ]\n}\n"},
		"text is made visible":            {"{\"a\":\"x\u202ey\"}", "", "{\n  \"a\": \"x‹U+202E›y\"\n}\n"},
		"invalid UTF-8 is named":          {"{\"a\":\"\xff\"}", "", "{\n  \"a\": \"‹ff›\"\n}\n"},
		"a byte order mark is no content": {"\xef\xbb\xbf1", "", "1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := ui.Pretty([]byte(c.body), c.fault, c.fault != "")
			if !ok || got.Cut {
				t.Fatal(got, ok)
			}
			want := strings.ReplaceAll(c.want, "],\n>  }", "]\n>  }") // no comma behind a last value
			if diff := cmp.Diff(want, text(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	for name, body := range map[string]string{"empty": "", "text": "hello", "two values": "1 2", "broken": `{"a":`, "a comma too many": `[1,]`} {
		if got, ok := ui.Pretty([]byte(body), "", false); ok {
			t.Errorf("%s is laid out: %v", name, got)
		}
	}
}

func TestHugeAndDeepBodiesAreCut(t *testing.T) {
	for name, body := range map[string][]byte{
		"deep":          bytes.Repeat([]byte("["), 9000),
		"long":          []byte("[" + strings.Repeat("1,", 1<<19) + "1]"),
		"one long text": []byte(`"` + strings.Repeat("<", 1<<20) + `"`),
		"quotes":        []byte(`["` + strings.Repeat(`\"`, 1<<19) + `"]`),
	} {
		t.Run(name, func(t *testing.T) {
			pretty, ok := ui.Pretty(body, "", false)
			if !ok || !pretty.Cut || len(pretty.Lines) == 0 || len(text(pretty)) > ui.BodyLimit+8000 {
				t.Errorf("pretty: %v, cut %v, %d bytes", ok, pretty.Cut, len(text(pretty)))
			}
			if raw := ui.Raw(body, -1); name != "deep" && (!raw.Cut || len(text(raw)) > ui.BodyLimit+10) {
				t.Errorf("raw: cut %v, %d bytes", raw.Cut, len(text(raw)))
			}
		})
	}
}

func TestRawMarksTheByteAtFault(t *testing.T) {
	got := ui.Raw([]byte(`{"a":x}`), 5)
	if diff := cmp.Diff("{\"a\":\n>x\n}\n", text(got)); diff != "" {
		t.Error(diff)
	}
	if got := ui.Raw([]byte("{"), 7); len(got.Lines) != 1 {
		t.Errorf("a fault behind the end: %v", got)
	}
}

func FuzzBodiesAreShownWithoutHarm(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"c"}]}`), "/a/1")
	f.Add([]byte("\x00\xff\u202e"), "")
	f.Fuzz(func(t *testing.T, body []byte, fault string) {
		ui.Pretty(body, fault, true)
		for _, l := range ui.Raw(body, len(fault)).Lines {
			if strings.ContainsAny(l.Text, "\x00\u202e") {
				t.Errorf("%q is hidden", l.Text)
			}
		}
	})
}
