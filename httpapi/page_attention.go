package httpapi

import (
	"context"
	"fmt"
	"slices"
	"time"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

const (
	silentAfter    = 24 * time.Hour // without a webhook
	silentMost     = 5              // stores that are named
	quarantineMost = 1000           // so far quarantine is counted
	unanchored     = 15 * time.Minute
)

// attention gathers what somebody should look at. Each source is a function of its
// own, so that another one is a line here.
func (o *overview) attention(ctx context.Context, view *ui.Overview) error {
	for _, source := range []func(context.Context) ([]ui.Attention, error){o.untrusted, o.waiting, o.silent} {
		found, err := source(ctx)
		if err != nil {
			return err
		}
		view.Attention = append(view.Attention, found...)
	}
	return nil
}

// untrusted is what speaks against the log, and what keeps its checkpoints from others.
func (o *overview) untrusted(context.Context) (found []ui.Attention, _ error) {
	if o.v.StoreIDs != nil {
		return nil, nil // the log is of all stores
	}
	tell := func(class, text string) {
		found = append(found, ui.Attention{Tag: ui.Tag{Text: "Log", Class: class}, Text: text})
	}
	health := o.v.api.logHealth()
	if health.State == store.LogRefusing {
		tell("bad", "Evidence is not signed any more: the database is not as it was when it was signed last")
	}
	for _, a := range health.Anchors {
		switch {
		case a.Contradicts:
			tell("bad", a.To+" knows another history of the log: it was rolled back, or signed again")
		case a.WaitingSince != nil && o.c.now.Sub(*a.WaitingSince) > unanchored:
			tell("warn", "Checkpoints of the log have not reached "+a.To+" for "+ui.Lag(*a.WaitingSince, o.c.now))
		}
	}
	return found, nil
}

// waiting is what stands in quarantine.
func (o *overview) waiting(ctx context.Context) ([]ui.Attention, error) {
	no := false
	n, err := o.v.api.store.CountQuarantine(ctx, o.v.Scope(), store.Filter{Replayed: &no}, store.Page{Limit: quarantineMost + 1})
	if err != nil || n == 0 {
		return nil, err
	}
	total := ui.Total{Count: min(n, quarantineMost), More: n > quarantineMost}
	text := total.String() + " deliveries were not understood"
	if n == 1 {
		text = "1 delivery was not understood"
	}
	return []ui.Attention{{Tag: ui.Tag{Text: "Quarantine", Class: "warn"}, Text: text, Href: "/quarantine?replayed=false"}}, nil
}

// silent is the stores that nothing was heard of for long, the longest first.
func (o *overview) silent(context.Context) ([]ui.Attention, error) {
	var quiet []store.Shop
	for _, s := range o.c.stores {
		if s.StoreID != 0 && o.c.now.Sub(s.LastSeenAt) > silentAfter {
			quiet = append(quiet, s)
		}
	}
	slices.SortFunc(quiet, func(a, b store.Shop) int { return a.LastSeenAt.Compare(b.LastSeenAt) })
	var found []ui.Attention
	for i, s := range quiet {
		if i == silentMost {
			return append(found, ui.Attention{Tag: ui.Tag{Text: "Silent", Class: "warn"}, Text: fmt.Sprintf("%d more stores are silent", len(quiet)-i)}), nil
		}
		found = append(found, ui.Attention{
			Tag:  ui.Tag{Text: "Silent", Class: "warn"},
			Text: storeName(s) + " was last heard of " + ui.Lag(s.LastSeenAt, o.c.now) + " ago",
			Href: fmt.Sprintf("/sessions?storeId=%d", s.StoreID),
		})
	}
	return found, nil
}
