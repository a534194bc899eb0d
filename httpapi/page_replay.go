package httpapi

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/gorilla/mux"

	"aifi-audit/store"
)

const (
	replayMost  = 500 // at one press of the button
	replayBatch = 50
)

// replayOne tries a delivery again, and shows it.
func (a *API) replayOne(w http.ResponseWriter, r *http.Request, v visitor) error {
	id, err := parseUUID(mux.Vars(r)["deliveryId"])
	if err != nil {
		return err
	}
	if err := v.sees(r); err != nil {
		return err
	}
	receipt, err := a.store.Replay(r.Context(), v.Scope(), id)
	if err != nil {
		return err
	}
	done := "understood"
	if receipt.Problem != nil {
		done = "not-understood"
	}
	http.Redirect(w, r, deliveryPath(id.String())+"?done="+done, http.StatusSeeOther)
	return nil
}

// replayMatching tries again what waits in quarantine and matches the filters of the
// address, the oldest first.
func (a *API) replayMatching(w http.ResponseWriter, r *http.Request, v visitor) error {
	if refusal := a.authorize(v.Token, store.MayRead); refusal != nil {
		return refusal
	}
	_, f, err := quarantine(a.store).asked(r)
	if err != nil {
		return err
	}
	if err := v.sees(r); err != nil {
		return err
	}
	waiting := false
	if f.Replayed != nil && *f.Replayed {
		return problem(http.StatusBadRequest, "invalid-parameter", "Nothing to replay", "These were understood already.")
	}
	f.Replayed = &waiting
	understood, still := 0, 0
	page := store.Page{Limit: replayBatch, OldestFirst: true}
	for understood+still < replayMost {
		batch, next, err := a.store.Quarantine(r.Context(), v.Scope(), f, page)
		if err != nil {
			return err
		}
		for _, q := range batch {
			receipt, err := a.store.Replay(r.Context(), v.Scope(), q.DeliveryID)
			if err != nil {
				return err
			}
			if receipt.Problem != nil {
				still++
			} else {
				understood++
			}
		}
		if next == nil {
			break
		}
		page.After = next
	}
	q := r.URL.Query()
	q.Set("done", "replayed")
	q.Set("understood", strconv.Itoa(understood))
	q.Set("still", strconv.Itoa(still))
	http.Redirect(w, r, "/quarantine"+query(q), http.StatusSeeOther) //nolint:gosec // a path of this server
	return nil
}

// takeNotice takes from the address what the form that led here did, and puts it into
// words. Only known words are shown: an address must not be able to put text on a page.
func takeNotice(r *http.Request) (rest *http.Request, said string) {
	q := r.URL.Query()
	if !q.Has("done") {
		return r, ""
	}
	said = notice(q)
	for _, name := range []string{"done", "understood", "still"} {
		q.Del(name)
	}
	rest = r.Clone(r.Context())
	rest.URL.RawQuery = q.Encode()
	return rest, said
}

func notice(q url.Values) string {
	switch q.Get("done") {
	case "understood":
		return "It is understood now."
	case "not-understood":
		return "It is still not understood, and stays in quarantine."
	case "asked":
		return "The erasure is asked for. Another administrator must approve it now."
	case string(store.Approve):
		return "The erasure is approved. Nothing is erased yet: the operator of the server carries it out."
	case string(store.Reject):
		return "The erasure is rejected. Nothing was erased."
	case string(store.Withdraw):
		return "The erasure is withdrawn. Nothing was erased."
	case "replayed":
		understood, err1 := strconv.Atoi(q.Get("understood"))
		still, err2 := strconv.Atoi(q.Get("still"))
		if err1 != nil || err2 != nil {
			return ""
		}
		text := strconv.Itoa(understood) + " understood, " + strconv.Itoa(still) + " still not."
		if understood+still >= replayMost {
			text += " There may be more: press the button again."
		}
		return text
	}
	return ""
}
