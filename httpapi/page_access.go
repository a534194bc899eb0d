package httpapi

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

const accessPath = "/access-log"

// actions are what the access log says that was done, and what it is called on pages.
var actions = []ui.Choice{
	{Value: "search", Text: "Search"},
	{Value: "view", Text: "View"},
	{Value: "count", Text: "Count of what is new"},
	{Value: "export", Text: "Export"},
	{Value: "export ended", Text: "Export ended"},
	{Value: "evidence", Text: "Evidence pack"},
	{Value: "evidence ended", Text: "Evidence pack ended"},
	{Value: "subject-access", Text: "Subject access"},
	{Value: "subject-access ended", Text: "Subject access ended"},
	{Value: "review", Text: "Note"},
	{Value: "replay", Text: "Replay"},
	{Value: "hold", Text: "Legal hold"},
	{Value: "configure", Text: "Setting changed"},
	{Value: "erasure request", Text: "Erasure asked for"},
	{Value: "erasure approval", Text: "Erasure approved"},
	{Value: "erasure rejection", Text: "Erasure rejected"},
	{Value: "erasure withdrawal", Text: "Erasure withdrawn"},
	{Value: "accept-rollback", Text: "Loss of the log accepted"},
	{Value: "adopt-acts", Text: "Acts adopted"},
	{Value: "sign-out", Text: "Sign-out"},
}

func accessShelf(s *store.Store) shelf[store.AccessEntry] {
	return shelf[store.AccessEntry]{
		list: accessLog(s), heading: "Who looked", one: "entry", noun: "entries", none: "Nobody has looked at anything yet.",
		intro: "Each search, view, export and change by staff, and what they were denied. This look will be an entry too.",
		when:  func(e store.AccessEntry) (time.Time, int64) { return e.At, 0 }, ofNoStore: true,
		still:   true, // each count would be an entry
		columns: []ui.Column{{Name: "Time", Class: "t"}, {Name: "Who"}, {Name: "Did"}, {Name: "What", Class: "path"}, {Name: "Details"}, {Name: "Rows", Class: "n"}, {Name: "From", Class: "mono"}},
		cells: func(c *pageContext, e store.AccessEntry) []ui.Cell {
			return []ui.Cell{
				c.clock(0, e.At), c.whoCell(e), didCell(e), {Text: e.Path, Href: lookedAt(e)}, {Text: accessDetails(e)}, {Text: maybeInteger(e.Rows)}, {Text: e.RemoteAddr},
			}
		},
	}
}

func (c *pageContext) whoCell(e store.AccessEntry) ui.Cell {
	if e.TokenName == nil {
		return ui.Cell{Note: "command line"}
	}
	return ui.Cell{Text: *e.TokenName, Href: c.narrow("token", *e.TokenName)}
}

// denials are the answers that say that somebody asked for what he may not see, or what
// is not there.
var denials = map[int32]ui.Tag{
	http.StatusForbidden: {Text: "Denied", Title: "403: the token has not the right", Class: "bad"},
	http.StatusNotFound:  {Text: "Denied: not found", Title: "404: it is not there, or of a store that the token does not see", Class: "bad"},
	http.StatusGone:      {Text: "Denied: gone", Title: "410: it was erased, or its time was over", Class: "bad"},
}

func didCell(e store.AccessEntry) ui.Cell {
	cell := ui.Cell{Text: e.Action}
	if i := slices.IndexFunc(actions, func(o ui.Choice) bool { return o.Value == e.Action }); i >= 0 {
		cell.Text = actions[i].Text
	}
	if e.Status != nil && *e.Status >= http.StatusBadRequest {
		tag, ok := denials[*e.Status]
		if !ok {
			tag = ui.Tag{Text: "Denied: " + strconv.Itoa(int(*e.Status)), Class: "bad"}
		}
		cell.Tags = []ui.Tag{tag}
	}
	return cell
}

// accessDetails are the filters of a request as people read them, and what else was
// written of it. Where a page goes on says nothing to them.
func accessDetails(e store.AccessEntry) string {
	var parts []string
	for pair := range strings.SplitSeq(e.Query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name == "cursor" || name == "before" || name == "" {
			continue
		}
		if plain, err := url.QueryUnescape(value); err == nil {
			value = plain
		}
		parts = append(parts, name+"="+value)
	}
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	}
	return strings.Join(parts, ", ")
}

// viewed are the paths of one session or one delivery, in the API and on pages.
var viewed = regexp.MustCompile(`^(?:/api/v1)?/(sessions?|deliveries|quarantine|refused)(?:/([^/]+))?(?:/[a-z]+)?$`)

// lookedAt is the page of the session or the delivery that an entry is about; "" if it
// is about none.
func lookedAt(e store.AccessEntry) string {
	m := viewed.FindStringSubmatch(e.Path)
	if m == nil {
		return ""
	}
	id, err := url.PathUnescape(m[2])
	if err != nil {
		return ""
	}
	asked, _ := url.ParseQuery(e.Query)
	switch m[1] {
	case "sessions", "session":
		if m[1] == "session" {
			id = asked.Get("sessionId")
		}
		if id == "" {
			return ""
		}
		if storeID, err := strconv.ParseInt(asked.Get("storeId"), 10, 64); err == nil {
			return sessionPath(id, storeID, "")
		}
		return "/session" + query(url.Values{"sessionId": {id}})
	}
	if _, err := parseUUID(id); err != nil {
		return ""
	}
	return deliveryPath(id)
}

// lookers is the address of the list of who looked at a thing, for those who may see it.
func (v visitor) lookers(name, id string) string {
	if !v.May(store.MayAdminister) || v.unlimited() != nil {
		return ""
	}
	return accessPath + query(url.Values{name: {id}})
}
