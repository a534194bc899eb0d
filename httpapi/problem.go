package httpapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"aifi-audit/store"
)

// Problem is an error that is safe to show: an RFC 9457 problem detail.
type Problem struct {
	Type       string  `json:"type"` // stable
	Title      string  `json:"title"`
	Status     int     `json:"status"`
	Detail     string  `json:"detail,omitempty"`
	Parameter  string  `json:"parameter,omitempty"`  // the one at fault
	Pointer    string  `json:"pointer,omitempty"`    // JSON Pointer to the member of the body at fault
	DeliveryID string  `json:"deliveryId,omitempty"` // of a webhook that was kept all the same
	StoreIDs   []int64 `json:"storeIds,omitempty"`   // to choose from
	Holds      []hold  `json:"holds,omitempty"`      // that forbid it

	retryAfter int // seconds
}

// Error makes a Problem an error.
func (p *Problem) Error() string {
	if p.Parameter != "" {
		return p.Title + " " + p.Parameter + ": " + p.Detail
	}
	return p.Title + ": " + p.Detail
}

// problems is how the type of each problem begins.
const problems = "urn:aifi-audit:problem:"

// readProblem reads a problem that was saved in place of what was asked for; nil if a file
// is none.
func readProblem(file []byte) *Problem {
	var p Problem
	if err := json.Unmarshal(file, &p); err != nil || !strings.HasPrefix(p.Type, problems) {
		return nil
	}
	return &p
}

func problem(status int, code, title, detail string) *Problem {
	return &Problem{Type: problems + code, Title: title, Status: status, Detail: detail}
}

func badParameter(name, format string, args ...any) *Problem {
	p := problem(http.StatusBadRequest, "invalid-parameter", "Invalid parameter", fmt.Sprintf(format, args...))
	p.Parameter = name
	return p
}

// problemOf is the one table from errors to answers. What it does not know is
// internal, and not shown.
func problemOf(err error) *Problem {
	var p *Problem
	var input *store.InputError
	var held *store.HeldError
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, store.ErrNotFound):
		return problem(http.StatusNotFound, "not-found", "Not found", "There is nothing here that this token may see.")
	case errors.Is(err, store.ErrErased):
		return problem(http.StatusGone, "erased", "Erased", "The body was erased by the rules, as the delivery's erasure and the log say.")
	case errors.As(err, &input) && input.Field == "":
		return badMember("", "%s", input.Detail)
	case errors.As(err, &input):
		return badMember("/"+input.Field, "%s", input.Detail)
	case errors.As(err, &held):
		return onHold(held)
	case errors.Is(err, store.ErrLifted):
		return problem(http.StatusConflict, "lifted", "Lifted already", "The hold was lifted before.")
	case errors.Is(err, store.ErrRetired):
		return problem(http.StatusGone, "retired", "Retired", "It was removed when the time for which it was to be kept was over. The log says so: aifi-audit verify names the leaf.")
	case errors.Is(err, store.ErrPosition):
		return badCursor("cursor")
	case errors.Is(err, store.ErrOverloaded):
		return problem(http.StatusServiceUnavailable, "overloaded", "Overloaded", "More webhooks are waiting than can be queued.")
	case errors.Is(err, store.ErrSpoolFull):
		return problem(http.StatusServiceUnavailable, "spool-full", "Spool full", "The database cannot be used now, and there is no room left to keep webhooks until it can.")
	case errors.Is(err, store.ErrSpoolFails):
		return problem(http.StatusServiceUnavailable, "unavailable", "Unavailable", "The database cannot be used now, and webhooks cannot be kept on disk until it can.")
	case errors.Is(err, store.ErrTimeout):
		return problem(http.StatusServiceUnavailable, "timeout", "Timeout", "The query took too long. Narrow the time range.")
	case errors.Is(err, store.ErrUnavailable):
		return problem(http.StatusServiceUnavailable, "unavailable", "Unavailable", "The database cannot be used now.")
	case errors.Is(err, store.ErrNoLog):
		return problem(http.StatusNotFound, "no-log", "No log", "Nothing was signed yet. Without a key of the log, nothing is.")
	case errors.Is(err, store.ErrNotCosigned):
		return problem(http.StatusNotFound, "not-cosigned", "Not cosigned", "No witness has cosigned a checkpoint yet.")
	case errors.Is(err, store.ErrUnsequenced):
		return problem(http.StatusNotFound, "unsequenced", "Not sequenced yet", "Its leaf is not in the log yet. Within seconds of its receipt that is normal.")
	case errors.Is(err, store.ErrTampered):
		return problem(http.StatusInternalServerError, "tampered", "Tampered with", "What is kept is not what the log committed to when it was received.")
	case errors.Is(err, store.ErrLogDamaged), errors.Is(err, store.ErrRolledBack):
		return problem(http.StatusInternalServerError, "log-damaged", "Log damaged", "The log in the database is not the one that was signed.")
	case errors.Is(err, store.ErrAltered):
		return problem(http.StatusInternalServerError, "altered", "Altered", "The kept body does not match the SHA-256 taken when it was received.")
	}
	return problem(http.StatusInternalServerError, "internal", "Internal error", "Something went wrong on our side; the log says what.")
}

func onHold(held *store.HeldError) *Problem {
	p := problem(http.StatusConflict, "on-legal-hold", "On legal hold", "It is on legal hold, and stays until the last of its holds is lifted.")
	for _, h := range held.Holds {
		p.Holds = append(p.Holds, holdJSON(h))
	}
	return p
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(cmp.Or(p.retryAfter, 5)))
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="aifi-audit"`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone if this fails
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(v) // the client is gone if this fails
	}
}

func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	if a.ingestAstray(w, r) {
		return
	}
	if wantsPage(r) {
		safeHeaders(w.Header())
		a.failPage(w, r, a.visitor(r), problem(http.StatusNotFound, "not-found", "Not found", "There is no page at this address."))
		return
	}
	writeProblem(w, problem(http.StatusNotFound, "not-found", "Not found", "There is no such resource; /openapi.yaml lists what there is."))
}

func (a *API) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	if a.ingestAstray(w, r) {
		return
	}
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch} {
		other := *r
		other.Method = method
		if match := new(mux.RouteMatch); a.router.Match(&other, match) && match.MatchErr == nil {
			allowed = append(allowed, method)
		}
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeProblem(w, problem(http.StatusMethodNotAllowed, "method-not-allowed", "Method not allowed", "This resource does not answer "+cut(r.Method, 20)+"."))
}
