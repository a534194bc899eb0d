package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

const (
	quietAfter  = 24 * time.Hour      // without a webhook, of a store of which it is not known what is usual
	closedAfter = 28 * 24 * time.Hour // a store that was silent so long has closed
	silentMost  = 5                   // lines about silence
	unanchored  = 15 * time.Minute    // a checkpoint that did not arrive where others keep it
	refusedFor  = 7 * 24 * time.Hour  // what was refused longer ago is no news
)

// attention gathers what somebody should look at, the worst first. What is not of a
// store is not for those who are limited to some.
func (o *overview) attention(ctx context.Context, view *ui.Overview) error {
	state := o.v.api.store.State(ctx, o.v.Scope(), nil)
	view.Attention = slices.Concat(o.database(state), logAttention(state.Log))
	if o.v.StoreIDs == nil {
		view.Attention = slices.Concat(view.Attention, o.anchors(), spoolAttention(state))
		refused, err := o.refused(ctx)
		if err != nil {
			return err
		}
		view.Attention = append(view.Attention, refused...)
	}
	view.Attention = slices.Concat(view.Attention, waiting(state), o.silent(state))
	return nil
}

func (o *overview) database(state store.State) []ui.Attention {
	if state.AwaySince.IsZero() {
		return nil
	}
	do := "There is no spool: webhooks are refused, and lost. See that PostgreSQL runs, and that its disk has room."
	if state.Spool != nil {
		do = "Webhooks are kept in the spool meanwhile. See that PostgreSQL runs, and that its disk has room."
	}
	return []ui.Attention{{
		Tag: ui.Tag{Text: "Database", Class: "bad"}, Text: "Nothing could be recorded for " + ui.Lag(state.AwaySince, state.At), Do: do, Href: "/status",
	}}
}

func logAttention(log store.LogStatus) []ui.Attention {
	switch {
	case log.State == store.LogRefusing:
		return []ui.Attention{{
			Tag: ui.Tag{Text: "Log", Class: "bad"}, Text: "The log refuses to sign: " + log.Error, Href: "/status",
			Do: "The database was rolled back or changed. Webhooks are still kept. Find out what happened before anything else: see Evidence in the README.",
		}}
	case log.State == store.LogOff && log.Error != "":
		return []ui.Attention{{
			Tag: ui.Tag{Text: "Log", Class: "bad"}, Text: "Nothing is signed, since the log's key cannot be used: " + log.Error, Href: "/status",
			Do: "Webhooks are still kept. Mend the key on the server, and start it anew.",
		}}
	case log.State == store.LogOff:
		return []ui.Attention{{
			Tag: ui.Tag{Text: "Log", Class: "warn"}, Text: "Nothing is signed: the log has no key", Href: "/status",
			Do: "Until it has one, nobody can check the evidence. Make it on the server: aifi-audit log init.",
		}}
	case log.Error != "":
		return []ui.Attention{{
			Tag: ui.Tag{Text: "Log", Class: "warn"}, Text: "The log could not be signed just now: " + log.Error, Href: "/status",
			Do: "It is tried again. If this stays, see the server's log.",
		}}
	}
	return nil
}

// anchors is what others say against the log, and what keeps its checkpoints from them.
func (o *overview) anchors() (found []ui.Attention) {
	tell := func(class, text, do string) {
		found = append(found, ui.Attention{Tag: ui.Tag{Text: "Log", Class: class}, Text: text, Do: do, Href: "/status"})
	}
	for _, a := range o.v.api.logHealth().Anchors {
		switch {
		case a.Contradicts:
			tell("bad", a.To+" knows another history of the log: it was rolled back, or signed again",
				"Find out what happened before anything else: see Evidence in the README.")
		case a.WaitingSince != nil && o.c.now.Sub(*a.WaitingSince) > unanchored:
			tell("warn", "Checkpoints of the log have not reached "+a.To+" for "+ui.Lag(*a.WaitingSince, o.c.now),
				"They are sent again by themselves. If this stays, see the server's log.")
		}
	}
	return found
}

func spoolAttention(state store.State) (found []ui.Attention) {
	add := func(class, text, do string) {
		found = append(found, ui.Attention{Tag: ui.Tag{Text: "Spool", Class: class}, Text: text, Do: do, Href: "/status"})
	}
	switch {
	case state.SpoolError != nil && state.Spool != nil:
		add("warn", "A part of the spool cannot be used: webhooks with a token that is not known when the database goes away will be lost", "The server's log says why. Mend it, and start the server anew.")
	case state.SpoolError != nil:
		add("bad", "Webhooks that come while the database is away will be lost: the spool cannot be used", "The server's log says why. Mend it, and start the server anew: what lies in the spool is then recorded.")
	}
	spool := state.Spool
	if spool == nil {
		return found
	}
	taken := ui.Bytes(spool.DiskBytes) + " of " + ui.Bytes(spool.MaxBytes)
	switch {
	case errors.Is(state.SpoolRefuses, store.ErrSpoolFails):
		add("bad", "Webhooks are lost: the spool does not work", "Mend the database first. The server's log says what is wrong with the spool.")
	case state.SpoolRefuses != nil:
		add("bad", "Webhooks are lost: the spool is full, "+taken, "Mend the database first. Until then, make room on the server's disk, or raise --spool-max-bytes.")
	}
	if spool.Records > 0 {
		text := counted(spool.Records, "delivery waits in the spool", "deliveries wait in the spool")
		if !spool.Oldest.IsZero() {
			text += ", the oldest for " + ui.Lag(spool.Oldest, state.At)
		}
		add("warn", text+" ("+taken+")", "They are recorded by themselves as soon as the database can be used. If they do not become fewer, see the server's log.")
	}
	if n := state.Undecided.Records; n > 0 {
		add("warn", counted(n, "webhook waits until its token can be looked up", "webhooks wait until their token can be looked up"), "They came with a token that the server does not know. When the database is back, they are recorded or refused by themselves.")
	}
	if damaged := spool.DamagedBytes + state.Undecided.DamagedBytes; damaged > 0 {
		add("warn", ui.Bytes(damaged)+" of the spool are damaged, and were set aside", "Run aifi-audit spool verify on the server, and have its disk looked at.")
	}
	return found
}

// refused is what came without a good token of late, and was not recorded since.
func (o *overview) refused(ctx context.Context) ([]ui.Attention, error) {
	tag := ui.Tag{Text: "Refused", Class: "warn"}
	const do = "If AiFi sent them, its console has a wrong token: mend that first. "
	if !o.v.api.store.KeepsRefusals() {
		counted := o.v.api.metrics.refusedWebhooks()
		if counted.Count == 0 || o.c.now.Sub(counted.Since) > refusedFor {
			return nil, nil
		}
		return []ui.Attention{{
			Tag: tag, Text: ui.Number(counted.Count) + " webhooks without a good token were refused, and are lost, in the last " + ui.Lag(counted.Since, o.c.now),
			Do: do + "Refused webhooks are not kept here: see --keep-refused.",
		}}, nil
	}
	tokens, err := o.v.api.store.RefusedTokens(ctx, o.v.Scope())
	if err != nil {
		return nil, err
	}
	open, last := int64(0), time.Time{}
	for _, t := range tokens {
		if t.Open > 0 && o.c.now.Sub(t.Last) < refusedFor {
			open += t.Open
			if t.Last.After(last) {
				last = t.Last
			}
		}
	}
	if open == 0 {
		return nil, nil
	}
	line := ui.Attention{Tag: tag, Text: counted(open, "webhook without a good token was refused", "webhooks without a good token were refused") + ", the last " + ui.Lag(last, o.c.now) + " ago"}
	if line.Do = do + "An administrator can record them then."; o.v.May(store.MayAdminister) {
		line.Do, line.Href = do+"Then record them.", "/refused"
	}
	return []ui.Attention{line}, nil
}

// waiting is what stands in quarantine.
func waiting(state store.State) []ui.Attention {
	if state.OpenQuarantine == nil || *state.OpenQuarantine == 0 {
		return nil
	}
	text := counted(*state.OpenQuarantine, "delivery was not understood", "deliveries were not understood")
	if *state.OpenQuarantine == store.MaxOpenQuarantine {
		text = "At least " + text
	}
	return []ui.Attention{{
		Tag: ui.Tag{Text: "Quarantine", Class: "warn"}, Text: text, Href: "/quarantine?replayed=false",
		Do: "See why. Nothing is lost: after an update that understands more, try them again.",
	}}
}

// silence is that of a store, or of one webhook of it.
type silence struct {
	shop    store.Shop
	webhook string // "" is all of them
	last    time.Time
	missed  float64
}

// silent is the stores that nothing was heard of for longer than usual.
func (o *overview) silent(state store.State) (found []ui.Attention) {
	series := map[int64][]store.Traffic{}
	for _, t := range state.Traffic {
		series[t.StoreID] = append(series[t.StoreID], t)
	}
	var all []silence
	for _, s := range o.c.stores {
		if s.StoreID != 0 {
			all = append(all, silencesOf(s, series[s.StoreID], o.c.now)...)
		}
	}
	slices.SortStableFunc(all, func(a, b silence) int { return cmp.Compare(b.missed, a.missed) })
	tag := ui.Tag{Text: "Silent", Class: "warn"}
	for i, x := range all {
		if i == silentMost {
			return append(found, ui.Attention{Tag: tag, Text: counted(int64(len(all)-i), "more store or webhook is silent", "more stores or webhooks are silent"), Href: "/status"})
		}
		what := "nothing"
		if x.webhook != "" {
			what = "no " + x.webhook
		}
		text := storeName(x.shop) + " has sent " + what + " for " + ui.Lag(x.last, o.c.now)
		if x.missed > 0 {
			text += fmt.Sprintf("; usually %.0f would have come", x.missed)
		}
		found = append(found, ui.Attention{
			Tag: tag, Text: text, Href: "/status?storeId=" + strconv.FormatInt(x.shop.StoreID, 10),
			Do: "Is the shop open, and its network up? Is the webhook still set up in AiFi's console?",
		})
	}
	return found
}

// silencesOf tells of which webhooks of a store too little was heard.
func silencesOf(s store.Shop, series []store.Traffic, now time.Time) (found []silence) {
	all := silence{shop: s, last: s.LastSeenAt}
	for _, t := range series {
		if t.LastAt.After(all.last) {
			all.last = t.LastAt
		}
		if t.Silent() {
			found = append(found, silence{s, t.Webhook, t.LastAt, t.Missed})
			all.missed += t.Missed
		}
	}
	quiet := now.Sub(all.last)
	if len(series) > 0 && len(found) == len(series) || quiet > quietAfter && quiet < closedAfter {
		return []silence{all}
	}
	return found
}

// counted is a number of things.
func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return ui.Number(n) + " " + many
}
