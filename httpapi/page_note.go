package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

// notesMost is how many notes a page of a session or a delivery shows.
const notesMost = 500

var dispositionTags = map[store.Disposition]ui.Tag{
	store.Confirmed:   {Text: "Confirmed", Class: "bad"},
	store.FalseAlarm:  {Text: "False alarm", Class: "good"},
	store.UnderReview: {Text: "Under review", Class: "warn"},
}

// reviewCell shows what staff said of an event last.
func reviewCell(r store.Review) ui.Cell {
	if r.Disposition == nil {
		if r.Notes > 0 {
			return ui.Cell{Tags: []ui.Tag{{Text: "Commented"}}}
		}
		return ui.Cell{}
	}
	tag := dispositionTags[*r.Disposition]
	if r.DispositionBy != nil {
		tag.Title = "by " + *r.DispositionBy
	}
	return ui.Cell{Tags: []ui.Tag{tag}}
}

// notedEvent names an event: those whose time of origin is not known share an id.
type notedEvent struct {
	id           uuid.UUID
	microseconds int64
}

func notedEventOf(id uuid.UUID, occurredAt time.Time) notedEvent {
	return notedEvent{id, occurredAt.UnixMicro()}
}

// notesOf are the notes on some events, the oldest first, by event.
func (v visitor) notesOf(ctx context.Context, events []store.Event) (map[notedEvent][]store.Note, error) {
	var ids []uuid.UUID
	for _, e := range events {
		if e.Review.Notes > 0 {
			ids = append(ids, e.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	found, _, err := v.api.store.Notes(ctx, v.Scope(), store.Filter{EventIDs: ids}, store.Page{Limit: notesMost})
	if err != nil {
		return nil, err
	}
	notes := map[notedEvent][]store.Note{}
	for i := range found {
		n := found[len(found)-1-i]
		of := notedEventOf(n.EventID, n.OccurredAt)
		notes[of] = append(notes[of], n)
	}
	return notes, nil
}

// marks are the history of an event and the form to add to it; nil for events that
// are not reviewed.
func (v visitor) marks(c *pageContext, e store.Event, notes []store.Note, back string) *ui.Marks {
	if e.Kind == store.Other {
		return nil
	}
	m := &ui.Marks{Back: back, FormToken: formToken(v.secret), Label: titleOf(e.Webhook) + " at " + ui.In(c.zones.of(e.StoreID), e.OccurredAt).Clock()}
	m.ID = e.DeliveryID.String()
	if c.unsaid == m.ID {
		m.Problem = "Write a comment, or press what it was."
	}
	for _, n := range notes {
		mark := ui.Mark{By: n.TokenName, At: ui.In(c.zones.of(n.StoreID), n.At), Comment: text(n.Comment), Tag: ui.Tag{Text: "Comment"}}
		if n.Disposition != nil {
			mark.Tag = dispositionTags[*n.Disposition]
		}
		m.History = append(m.History, mark)
	}
	if v.May(store.MayReview) {
		m.Action = deliveryPath(e.DeliveryID.String()) + "/notes"
		for _, d := range store.Dispositions {
			m.Choices = append(m.Choices, ui.Choice{Value: string(d), Text: dispositionTags[d].Text})
		}
		m.Choices = append(m.Choices, ui.Choice{Text: "Comment only"})
	}
	return m
}

// notePage adds a note to what a delivery states, and leads back to where it was written.
func (a *API) notePage(w http.ResponseWriter, r *http.Request, v visitor) error {
	id, err := parseUUID(mux.Vars(r)["deliveryId"])
	if err != nil {
		return err
	}
	// A browser sends line ends as CR LF.
	comment := strings.TrimSpace(strings.ReplaceAll(r.PostForm.Get("comment"), "\r\n", "\n"))
	back, place := ours(r.PostForm.Get("back")), "#d-"+id.String()
	if comment == "" && r.PostForm.Get("disposition") == "" {
		http.Redirect(w, r, unsaidAt(back, id)+place, http.StatusSeeOther) //nolint:gosec // ours is a path of this server
		return nil
	}
	_, err = a.note(r, v.caller, store.NewNote{DeliveryID: id, Disposition: store.Disposition(r.PostForm.Get("disposition")), Comment: comment})
	if err != nil {
		return err
	}
	http.Redirect(w, r, back+place, http.StatusSeeOther) //nolint:gosec // ours is a path of this server
	return nil
}

// unsaidAt is the address of a page that tells, at the form of a delivery, that a note
// must say something.
func unsaidAt(back string, id uuid.UUID) string {
	sign := "?"
	if strings.Contains(back, "?") {
		sign = "&"
	}
	return back + sign + "unsaid=" + id.String()
}

// takeUnsaid takes from the address of which delivery's form that is to be told.
func takeUnsaid(r *http.Request) (rest *http.Request, id string) {
	q := r.URL.Query()
	if id = q.Get("unsaid"); id == "" {
		return r, ""
	}
	q.Del("unsaid")
	rest = r.Clone(r.Context())
	rest.URL.RawQuery = q.Encode()
	return rest, id
}
