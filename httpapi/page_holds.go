package httpapi

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

const holdsPath = "/holds"

// heldView tells staff which legal holds are in force on what a page shows.
func (c *pageContext) heldView(holds []store.Hold) ui.Held {
	var view ui.Held
	for _, h := range holds {
		view.Holds = append(view.Holds, c.holdView(h))
	}
	return view
}

func (c *pageContext) holdView(h store.Hold) ui.Hold {
	var covers []string
	if h.StoreID != nil {
		covers = append(covers, c.storeText(*h.StoreID))
	}
	if h.SessionID != nil {
		covers = append(covers, "session "+*h.SessionID)
	}
	if h.CustomerID != nil {
		covers = append(covers, "customer "+*h.CustomerID)
	}
	if h.From != nil {
		covers = append(covers, "from "+ui.In(c.zone, *h.From).Full())
	}
	if h.To != nil {
		covers = append(covers, "before "+ui.In(c.zone, *h.To).Full())
	}
	return ui.Hold{Reason: h.Reason, By: h.PlacedBy, Covers: strings.Join(covers, ", "), At: ui.In(c.zone, h.At)}
}

// holdsPage lists legal holds.
func (a *API) holdsPage(w http.ResponseWriter, r *http.Request, v visitor) error {
	p, err := parseParams(r, []string{"lifted", "cursor"})
	if err != nil {
		return err
	}
	lifted, err := p.boolean("lifted")
	if err != nil {
		return err
	}
	page, err := p.page(holdsPath)
	if err != nil {
		return err
	}
	all := lifted != nil && *lifted
	var filter store.Filter
	if !all {
		filter.Lifted = new(bool)
	}
	found, next, err := a.store.Holds(r.Context(), v.Scope(), filter, page)
	if err != nil {
		return err
	}
	c, err := v.context(r, holdsPath, nil)
	if err != nil {
		return err
	}
	view := ui.Holds{Lifted: all, Other: holdsPath + "?lifted=true", FormToken: formToken(v.secret)}
	kept := url.Values{}
	if all {
		view.Other, kept = holdsPath, url.Values{"lifted": {"true"}}
	}
	if next != nil {
		view.Next = holdsPath + query(with(kept, "cursor", cursor(*next, p.asked(holdsPath))))
	}
	for _, h := range found {
		row := ui.HoldRow{Hold: c.holdView(h)}
		switch {
		case h.LiftedAt != nil:
			row.Lifted = &ui.LiftedHold{By: text(h.LiftedBy), Reason: text(h.LiftReason), At: ui.In(c.zone, *h.LiftedAt)}
		case v.May(store.MayAdminister):
			row.Lift = holdsPath + "/" + h.ID.String() + "/lift"
		}
		view.Rows = append(view.Rows, row)
	}
	return v.show(w, r, "holds", ui.View{Title: "Legal holds", Section: holdsPath, Main: view})
}

// liftPage lifts a hold, and leads back to the list.
func (a *API) liftPage(w http.ResponseWriter, r *http.Request, v visitor) error {
	id, err := parseUUID(mux.Vars(r)["holdId"])
	if err != nil {
		return err
	}
	if _, err := a.store.LiftHold(r.Context(), v.actor(r, http.StatusSeeOther), id, r.PostForm.Get("reason")); err != nil {
		return err
	}
	http.Redirect(w, r, holdsPath, http.StatusSeeOther)
	return nil
}

// holdSession places a hold on a session, and leads back to it.
func (a *API) holdSession(w http.ResponseWriter, r *http.Request, v visitor) error {
	id, err := url.PathUnescape(mux.Vars(r)["sessionId"])
	if err != nil {
		return store.ErrNotFound
	}
	p, err := parseParams(r, []string{"storeId"})
	if err != nil {
		return err
	}
	found, err := a.findSession(r.Context(), v.caller, p, id)
	if err != nil {
		return err
	}
	n := store.NewHold{StoreID: &found.StoreID, SessionID: found.SessionID, Reason: r.PostForm.Get("reason")}
	if _, err := a.store.PlaceHold(r.Context(), v.actor(r, http.StatusSeeOther), n); err != nil {
		return err
	}
	http.Redirect(w, r, sessionPath(found.SessionID, found.StoreID, ""), http.StatusSeeOther)
	return nil
}
