package httpapi

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

const erasuresPath = "/erasures"

// erasuresPage lists the requests for erasure, and has the form that asks for one.
func (a *API) erasuresPage(w http.ResponseWriter, r *http.Request, v visitor) error {
	r, said := takeNotice(r)
	return v.showErasures(w, r, http.StatusOK, said, ui.AskErasure{})
}

// showErasures draws the page with its form as far as that was filled in.
func (v visitor) showErasures(w http.ResponseWriter, r *http.Request, status int, said string, ask ui.AskErasure) error {
	p, err := parseParams(r, []string{"limit", "cursor"})
	if err != nil {
		return err
	}
	if err := v.unlimited(); err != nil {
		return err
	}
	page, err := p.page(erasuresPath)
	if err != nil {
		return err
	}
	found, next, err := v.api.store.Erasures(r.Context(), v.Scope(), page)
	if err != nil {
		return err
	}
	view := ui.Erasures{Notice: said, Ask: ask, FormToken: formToken(v.secret)}
	for _, e := range found {
		view.Rows = append(view.Rows, v.erasureView(e))
	}
	if next != nil {
		view.Next = erasuresPath + query(with(without(p.Values, "cursor"), "cursor", cursor(*next, p.asked(erasuresPath))))
	}
	if err := v.seesRows(r, len(found)); err != nil {
		return err
	}
	return v.draw(w, r, status, "erasures", ui.View{Title: "Erasures", Section: erasuresPath, Main: view})
}

var erasureTags = map[store.ErasureState]ui.Tag{
	store.ErasurePending:   {Text: "Waits for approval", Class: "warn"},
	store.ErasureApproved:  {Text: "Approved", Class: "warn"},
	store.ErasureRejected:  {Text: "Rejected"},
	store.ErasureWithdrawn: {Text: "Withdrawn"},
	store.ErasureExpired:   {Text: "Expired"},
	store.ErasureExecuted:  {Text: "Erased", Class: "good"},
}

var decisionTexts = map[store.Decision]string{
	store.Approve: "Approved", store.Reject: "Rejected", store.Withdraw: "Withdrawn", store.Unapproved: "Without approval, carried out",
}

func (v visitor) erasureView(e store.Erasure) ui.Erasure {
	zone, path := v.api.store.TimeZone(), erasuresPath+"/"+e.ID.String()
	row := ui.Erasure{
		ID: e.ID.String(), By: e.RequestedBy, Reason: e.Reason, At: ui.In(zone, e.RequestedAt), Expires: ui.In(zone, e.ExpiresAt),
		Customer: whomCell(e), Found: foundText(e.Found), State: erasureTags[e.State], CarryOut: e.State == store.ErasureApproved,
	}
	if e.ByCommand {
		row.By += ", on the command line"
	}
	if d := e.Decision; d != nil {
		row.Decided = &ui.Decided{What: decisionTexts[d.Decision], By: d.By, At: ui.In(zone, d.At)}
	}
	if e.Erased != nil && e.ExecutedAt != nil {
		row.Erased = &ui.Erased{At: ui.In(zone, *e.ExecutedAt), What: foundText(*e.Erased), Text: path + "/certificate.txt", JSON: path + "/certificate.json"}
	}
	open := e.State == store.ErasurePending || e.State == store.ErasureApproved
	switch asked := e.AskedBy(v.Token); {
	case open && asked:
		row.Withdraw = path + "/withdraw"
	case open:
		row.Reject = path + "/reject"
	}
	if e.State == store.ErasurePending && row.Reject != "" {
		row.Approve, row.Digest = path+"/approve", hex.EncodeToString(e.Digest[:])
	}
	return row
}

// whomCell says whom a request is about, as long as that is known.
func whomCell(e store.Erasure) ui.Cell {
	known := strings.Join(slices.Concat(e.Identifiers.Emails, e.Identifiers.Phones, e.Identifiers.Names), ", ")
	switch {
	case e.CustomerID != nil:
		return ui.Cell{Text: *e.CustomerID, Href: "/sessions" + query(url.Values{"customerId": {*e.CustomerID}}), Note: known}
	case known != "":
		return ui.Cell{Text: known}
	}
	return ui.Cell{Note: "forgotten"}
}

// foundCount is how much of something was found.
type foundCount struct {
	one, many string // what it is called
	n         int64
}

// foundCounts are the counts of what was found, but for those that are nothing.
func foundCounts(f store.Found) []foundCount {
	return slices.DeleteFunc([]foundCount{
		{"body", "bodies", f.Deliveries},
		{"event", "events", f.Events},
		{"session", "sessions", f.Sessions},
		{"customer record", "customer records", f.Customers},
		{"personal info", "personal infos", f.PersonalInfos},
		{"comment", "comments", f.Comments},
		{"refused webhook", "refused webhooks", f.Refused},
		{"access log entry", "access log entries", f.AccessEntries},
	}, func(c foundCount) bool { return c.n == 0 })
}

// foundFacts are the same as a list of facts.
func foundFacts(f store.Found) (facts []ui.Fact) {
	for _, c := range foundCounts(f) {
		facts = append(facts, ui.Fact{Name: strings.ToUpper(c.many[:1]) + c.many[1:], Cell: ui.Cell{Text: ui.Number(c.n)}})
	}
	return facts
}

// foundText is the same in one line.
func foundText(f store.Found) string {
	var parts []string
	for _, c := range foundCounts(f) {
		name := c.many
		if c.n == 1 {
			name = c.one
		}
		parts = append(parts, ui.Number(c.n)+" "+name)
	}
	if f.FirstAt != nil {
		parts = append(parts, "received "+f.FirstAt.UTC().Format(time.DateOnly)+" to "+f.LastAt.UTC().Format(time.DateOnly))
	}
	return strings.Join(parts, ", ")
}

func oneOrNone(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// askErasure shows what is kept about a customer, and when that was seen asks for his
// erasure. The customer is never in an address: browsers and proxies keep those.
func (a *API) askErasure(w http.ResponseWriter, r *http.Request, v visitor) error {
	if _, err := parseParams(r, nil); err != nil {
		return err
	}
	if err := v.unlimited(); err != nil {
		return err
	}
	said := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	ask := ui.AskErasure{Customer: said("customerId"), Email: said("email"), Phone: said("phone"), Name: said("name"), Reason: said("reason")}
	n := store.NewErasure{Whom: store.Whom{CustomerID: ask.Customer}, Reason: ask.Reason, Token: &v.Token}
	n.Emails, n.Phones, n.Names = oneOrNone(ask.Email), oneOrNone(ask.Phone), oneOrNone(ask.Name)
	if r.PostForm.Get("step") != "ask" {
		v.action = "view"
		return v.previewErasure(w, r, n, ask)
	}
	if err := v.sees(r); err != nil {
		return err
	}
	e, err := a.store.RequestErasure(r.Context(), n)
	if fault, status := erasureFault(err); status != 0 {
		ask.Fault = fault
		return v.showErasures(w, r, status, "", ask)
	}
	if err != nil {
		return erasureProblem(err)
	}
	http.Redirect(w, r, erasuresPath+"?done=asked#e-"+e.ID.String(), http.StatusSeeOther)
	return nil
}

func (v visitor) previewErasure(w http.ResponseWriter, r *http.Request, n store.NewErasure, ask ui.AskErasure) error {
	p, err := v.api.store.PreviewErasure(r.Context(), n)
	if fault, status := erasureFault(err); status != 0 {
		ask.Fault = fault
		return v.showErasures(w, r, status, "", ask)
	}
	if err != nil {
		return err
	}
	ask.Found, ask.Others, ask.Namesakes = foundFacts(p.Found), strings.Join(p.Others, ", "), strings.Join(p.Namesakes, ", ")
	ask.Whom = strings.Join(slices.DeleteFunc([]string{ask.Customer, ask.Email, ask.Phone, ask.Name}, func(s string) bool { return s == "" }), ", ")
	return v.showErasures(w, r, http.StatusOK, "", ask)
}

// erasureFields are the fields of the form, by the names of the API.
var erasureFields = map[string]string{"customerId": "customerId", "emails": "email", "phones": "phone", "names": "name", "reason": "reason"}

// erasureFault tells at which field of the form an error is to be told, and the status
// of the answer; 0 if it is none of the form's.
func erasureFault(err error) (ui.Fault, int) {
	var input *store.InputError
	var held *store.HeldError
	switch {
	case errors.As(err, &input) && erasureFields[input.Field] != "":
		return ui.Fault{Field: erasureFields[input.Field], Text: input.Detail}, http.StatusBadRequest
	case errors.Is(err, store.ErrNotFound):
		return ui.Fault{Field: "customerId", Text: "Nothing is kept about this customer."}, http.StatusNotFound
	case errors.As(err, &held):
		var holds []string
		for _, h := range held.Holds {
			holds = append(holds, h.Reason+" (placed by "+h.PlacedBy+")")
		}
		return ui.Fault{Field: "customerId", Text: "On legal hold: " + strings.Join(holds, "; ") + ". Nothing of the customer is erased until the last of its holds is lifted."}, http.StatusConflict
	}
	return ui.Fault{}, 0
}

// decideErasurePage approves, rejects or withdraws a request, and leads back to it.
func (a *API) decideErasurePage(d store.Decision) pageHandler {
	return func(w http.ResponseWriter, r *http.Request, v visitor) error {
		id, err := erasureID(r, v.caller)
		if err != nil {
			return err
		}
		var digest []byte
		if d == store.Approve {
			if digest, err = hex.DecodeString(r.PostForm.Get("digest")); err != nil {
				return erasureProblem(store.ErrOtherDigest)
			}
		}
		if err := v.sees(r); err != nil {
			return err
		}
		if _, err := a.store.DecideErasure(r.Context(), v.Token, id, d, digest); err != nil {
			return erasureProblem(err)
		}
		http.Redirect(w, r, erasuresPath+"?done="+string(d)+"#e-"+id.String(), http.StatusSeeOther)
		return nil
	}
}

// certificateFile gives the certificate of an erasure as a file.
func (a *API) certificateFile(asText bool) pageHandler {
	return func(w http.ResponseWriter, r *http.Request, v visitor) error {
		id, err := erasureID(r, v.caller)
		if err != nil {
			return err
		}
		return v.writeCertificate(w, r, id, asText)
	}
}
