// Package ui draws the staff page: it makes HTML of view models, and serves the
// style sheet, the script and the icon that the HTML needs. It knows no store, no
// request and no right: package httpapi decides what is shown, and to whom.
//
// Everything works without the script. No text of a view model is ever trusted:
// html/template escapes all of it, and the Content-Security-Policy forbids inline
// script and style, so that the templates have none.
package ui

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"path"
	"strings"
)

//go:embed templates/*.html
var templateFiles embed.FS

// UI draws pages. It is safe for concurrent use.
type UI struct {
	pages  map[string]*template.Template
	assets assets
}

// New parses the templates. A template that is broken is a fault of the program.
func New() *UI {
	u := &UI{pages: map[string]*template.Template{}, assets: readAssets()}
	functions := template.FuncMap{
		"asset": u.assets.path, "number": Number, "visible": Visible, "brief": Brief, "reachable": reachable, "human": Human, "clipped": Cell.clipped, "wide": Cell.wide,
	}
	shared := template.Must(template.New("shared").Funcs(functions).ParseFS(templateFiles, "templates/shared-*.html"))
	pages, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err)
	}
	for _, file := range pages {
		name := strings.TrimSuffix(file.Name(), ".html")
		if !strings.HasPrefix(name, "shared-") {
			u.pages[name] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, path.Join("templates", file.Name())))
		}
	}
	return u
}

// View is a whole page.
type View struct {
	Title   string // of the document
	Section string // the path of the navigation that is current
	User    *User  // nil: nobody is signed in
	Print   string // what a printed page says of its origin
	Main    any    // the page's own part: one of the view models of this package
}

// User is who is signed in.
type User struct {
	Name      string
	Stores    []int64 // that the token is limited to; nil: not limited
	SeesAll   bool    // an administrator of all stores: may see requests for erasure, and who looked
	FormToken string  // to be sent with each form that changes something
}

// Nav is the way to the other pages.
func (v View) Nav() []Link {
	links := []Link{
		{Text: "Overview", Href: "/"},
		{Text: "Alcohol", Href: "/alcohol-interactions"},
		{Text: "Fraud", Href: "/fraud-alerts"},
		{Text: "Registrations", Href: "/registrations"},
		{Text: "Sessions", Href: "/sessions"},
		{Text: "Quarantine", Href: "/quarantine"},
		{Text: "Holds", Href: "/holds"},
	}
	if v.User != nil && v.User.SeesAll {
		links = append(links, Link{Text: "Erasures", Href: "/erasures"}, Link{Text: "Access", Href: "/access-log"})
	}
	for i := range links {
		links[i].Current = links[i].Href == v.Section
	}
	return links
}

// Link leads somewhere.
type Link struct {
	Text, Href string
	Current    bool
}

// Render draws a page. Nothing is written if it fails.
func (u *UI) Render(w io.Writer, page string, v View) error {
	t, ok := u.pages[page]
	if !ok {
		return fmt.Errorf("there is no page %q", page)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "page", v); err != nil {
		return fmt.Errorf("drawing page %q: %w", page, err)
	}
	_, err := w.Write(b.Bytes())
	return err
}
