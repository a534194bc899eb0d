package httpapi

import (
	"context"
	_ "embed"
	"encoding/json"
	"html/template"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
)

// What a subject access gives is a zip with everything that is kept about a person, for
// that person. Its files:
//
//	customer.json                what stores have of him beside events
//	events.json, events.csv      what was stated about him
//	sessions.json, sessions.csv  his visits
//	deliveries.json, ….csv       the requests by which it came
//	deliveries/<id>/body         their verbatim bytes
//	comments.json, comments.csv  what staff noted of the events
//	looks.json, looks.csv        who looked at it, when
//	cover.html                   the same for people
//	manifest.json                the name, size and SHA-256 of each file before it
//
// Staff are not named: their names are theirs. Nor is what another customer's events and
// bodies say, be it in a visit of his.
const subjectFormat = "aifi-audit subject access 1"

//go:embed subject.html
var subjectSource string

var subjectPage = template.Must(template.New("subject").Funcs(template.FuncMap{"moment": moment, "maybeMoment": maybeMoment, "text": text}).Parse(subjectSource))

// SubjectAccess asks for everything about a person.
type SubjectAccess struct {
	Person store.Person
	By     string // who makes it
	At     time.Time
}

// subject is an archive for a person that is being written.
type subject struct {
	*archive
	store  *store.Store
	person *store.Person
	cover  subjectCover
}

// subjectManifest is the manifest.json.
type subjectManifest struct {
	Format     string    `json:"format"`
	CreatedAt  time.Time `json:"createdAt"`
	CreatedBy  string    `json:"createdBy"`
	CustomerID string    `json:"customerId"` // "" if it is not known
	store.Identifiers
	Found store.Found    `json:"found"`
	Files []manifestFact `json:"files"`
}

// subjectCover is what the cover shows. It does not grow with what is kept.
type subjectCover struct {
	By string
	At time.Time
	store.Whom
	Found    store.Found
	Records  []store.CustomerRecord
	Holds    int
	Policies []store.RetentionPolicy // in force; the most general first
	Sources  []source
	Looks    int
	Readers  int
}

// source is a webhook by which something came.
type source struct {
	Webhook     string
	Deliveries  int
	First, Last time.Time
}

// WriteSubjectAccess writes everything about a person as a zip, and returns the SHA-256
// of its manifest. It holds the keys of what is kept, and a few bodies at a time.
func WriteSubjectAccess(ctx context.Context, s *store.Store, out io.Writer, o SubjectAccess) (string, error) {
	x := &subject{archive: newArchive(out, o.At), store: s, person: &o.Person, cover: subjectCover{
		By: o.By, At: o.At, Whom: o.Person.Whom, Found: o.Person.Found, Records: o.Person.Records(), Holds: len(o.Person.Holds),
	}}
	policies, err := s.RetentionPolicies(ctx, store.Scope{})
	if err != nil {
		return "", err
	}
	x.cover.Policies = store.CurrentPolicies(policies)
	for _, write := range []func(context.Context) error{x.records, x.lists, x.bodies, x.looks} {
		if err := write(ctx); err != nil {
			return "", err
		}
	}
	if err := x.file(coverFile, func(w io.Writer) error { return subjectPage.Execute(w, x.cover) }); err != nil {
		return "", err
	}
	return x.end(subjectManifest{subjectFormat, o.At, o.By, o.Person.CustomerID, o.Person.Identifiers, o.Person.Found, x.files})
}

// records writes what stores have of the person.
func (x *subject) records(context.Context) error {
	type record struct {
		StoreID     int64           `json:"storeId"`
		CustomerID  string          `json:"customerId"`
		ExternalID  *string         `json:"externalId"`
		Role        *string         `json:"role"`
		Metadata    json.RawMessage `json:"metadata"`
		FirstSeenAt time.Time       `json:"firstSeenAt"`
		LastSeenAt  time.Time       `json:"lastSeenAt"`
	}
	records := []record{}
	for _, r := range x.cover.Records {
		records = append(records, record{r.StoreID, r.CustomerID, r.ExternalID, r.Role, r.Metadata, r.FirstSeenAt.UTC(), r.LastSeenAt.UTC()})
	}
	return x.json("customer.json", records)
}

// lists writes the rows.
func (x *subject) lists(ctx context.Context) error {
	sources := map[string]*source{}
	err := archiveList(x.archive, "events", eventItem, packColumns, func(each func(store.Event) error) error {
		return x.store.EachEvent(ctx, x.person, each)
	})
	if err != nil {
		return err
	}
	err = archiveList(x.archive, "sessions", func(s store.Session) any { return sessionJSON(s) }, sessions(x.store).columns, func(each func(store.Session) error) error {
		return x.store.EachSession(ctx, x.person, each)
	})
	if err != nil {
		return err
	}
	err = archiveList(x.archive, "deliveries", deliveryJSON, deliveries(x.store).columns, func(each func(store.KeptDelivery) error) error {
		clear(sources) // there are two passes
		return x.store.EachDelivery(ctx, x.person, func(d store.KeptDelivery) error {
			addSource(sources, d)
			return each(d)
		})
	})
	for _, webhook := range slices.Sorted(maps.Keys(sources)) {
		x.cover.Sources = append(x.cover.Sources, *sources[webhook])
	}
	if err != nil {
		return err
	}
	return archiveList(x.archive, "comments", commentJSON, commentColumns, func(each func(store.Note) error) error {
		return x.store.EachComment(ctx, x.person, each)
	})
}

// addSource counts a delivery among those of its webhook.
func addSource(sources map[string]*source, d store.KeptDelivery) {
	of := sources[d.Webhook]
	if of == nil {
		of = &source{Webhook: d.Webhook, First: d.ReceivedAt, Last: d.ReceivedAt}
		sources[d.Webhook] = of
	}
	of.Deliveries++
	if d.ReceivedAt.Before(of.First) {
		of.First = d.ReceivedAt
	}
	if d.ReceivedAt.After(of.Last) {
		of.Last = d.ReceivedAt
	}
}

func (x *subject) bodies(ctx context.Context) error {
	return x.store.EachBody(ctx, x.person, func(id uuid.UUID, body []byte) error {
		return x.bytes("deliveries/"+id.String()+"/"+bodyFile, body)
	})
}

// looks writes who looked.
func (x *subject) looks(ctx context.Context) error {
	readers := map[int]bool{}
	return archiveList(x.archive, "looks", lookJSON, lookColumns, func(each func(store.Look) error) error {
		clear(readers)
		x.cover.Looks = 0
		err := x.store.EachLook(ctx, x.person, func(l store.Look) error {
			readers[l.Reader] = true
			x.cover.Looks++
			return each(l)
		})
		x.cover.Readers = len(readers)
		return err
	})
}

// comment is the JSON of a note for the person it is about: without who wrote it.
type comment struct {
	EventID     string             `json:"event"`
	At          time.Time          `json:"at"`
	Disposition *store.Disposition `json:"disposition"`
	Comment     *string            `json:"comment"`
}

func commentJSON(n store.Note) any {
	return comment{n.EventID.String(), n.At.UTC(), n.Disposition, n.Comment}
}

var commentColumns = []column[store.Note]{
	{"event", func(c *cells, n *store.Note) { c.id(n.EventID) }},
	{"at", func(c *cells, n *store.Note) { c.moment(n.At) }},
	{"disposition", func(c *cells, n *store.Note) { c.maybeText((*string)(n.Disposition)) }},
	{"comment", func(c *cells, n *store.Note) { c.maybeText(n.Comment) }},
}

// look is the JSON of a look at what is kept about the person.
type look struct {
	At     time.Time `json:"at"`
	Reader int       `json:"reader"` // which member of staff: the same number is the same one
	Action string    `json:"action"`
	What   string    `json:"what"`
	Status int       `json:"status"`
}

func lookJSON(l store.Look) any { return look{l.At.UTC(), l.Reader, l.Action, l.What, l.Status} }

var lookColumns = []column[store.Look]{
	{"at", func(c *cells, l *store.Look) { c.moment(l.At) }},
	{"reader", func(c *cells, l *store.Look) { c.integer(int64(l.Reader)) }},
	{"action", func(c *cells, l *store.Look) { c.text(l.Action) }},
	{"what", func(c *cells, l *store.Look) { c.text(l.What) }},
	{"status", func(c *cells, l *store.Look) { c.integer(int64(l.Status)) }},
}

// subjectAccess answers with everything about a customer. It takes a token that both
// exports and administers, since it crosses stores and holds what only admins may see.
func (a *API) subjectAccess(w http.ResponseWriter, r *http.Request, c caller) error {
	p, err := parseParams(r, []string{"everything"})
	if err != nil {
		return err
	}
	everything, err := p.boolean("everything")
	if err != nil {
		return err
	}
	if err := c.mayAccessSubjects(); err != nil {
		return err
	}
	id, err := url.PathUnescape(mux.Vars(r)["customerId"])
	if err != nil || id != aifi.CleanText(id) {
		return store.ErrNotFound
	}
	return a.answerSubject(w, r, c, store.Whom{CustomerID: id}, everything != nil && *everything)
}

// subjectAccessOf is subjectAccess, about whom the body says, who must not be in an
// address. It always reads all bodies: what he gave of himself is in few rows.
func (a *API) subjectAccessOf(w http.ResponseWriter, r *http.Request, c caller) error {
	if _, err := parseParams(r, nil); err != nil {
		return err
	}
	if err := c.mayAccessSubjects(); err != nil {
		return err
	}
	body, err := readObject(r, whomMembers...)
	if err != nil {
		return err
	}
	whom, err := body.whom()
	if err != nil {
		return err
	}
	if err := whom.Check(); err != nil {
		return err
	}
	return a.answerSubject(w, r, c, whom, true)
}

func (c caller) mayAccessSubjects() error {
	if !c.May(store.MayAdminister) {
		return lacks(store.MayAdminister)
	}
	return c.unlimited()
}

func (a *API) answerSubject(w http.ResponseWriter, r *http.Request, c caller, whom store.Whom, everything bool) error {
	if err := c.sees(r); err != nil {
		return err
	}
	person, err := a.store.FindPerson(r.Context(), whom, everything, nil)
	if err != nil {
		return err
	}
	if person.Found.None() {
		return store.ErrNotFound
	}
	out := c.download(w, r, "subject-access.zip", "application/zip")
	if r.Method == http.MethodHead {
		return out.head()
	}
	sum, err := WriteSubjectAccess(r.Context(), a.store, out, SubjectAccess{Person: person, By: c.Name, At: time.Now().UTC().Truncate(time.Second)})
	sent := person.Found.Deliveries
	if err != nil {
		sent = 0 // it is not known how many
	}
	return out.finish(r, c, sent, "manifest SHA-256 "+sum, err)
}
