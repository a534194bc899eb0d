package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
)

const (
	recordTimeout  = 30 * time.Second
	maxHeaderValue = 1 << 10 // bytes of a kept header
	maxPath        = 2 << 10
	readStep       = 64 << 10
)

// keptHeaders are the headers that a delivery is kept with. Never Authorization.
var keptHeaders = []string{
	"Content-Type", "Content-Encoding", "User-Agent", "Date", "Traceparent", "X-Correlation-Id", "X-Forwarded-For", "X-Request-Id",
}

type received struct {
	DeliveryID string       `json:"deliveryId"`
	Status     store.Status `json:"status"`
}

// ingest keeps one webhook. AiFi reads no answer and never tries again, so whatever
// carries a valid token is kept before it is judged.
func (a *API) ingest(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	defer func() { a.metrics.ingest.Observe(time.Since(start).Seconds()) }()
	token, why := a.findToken(r)
	switch why {
	case "":
	case undecidedToken:
		a.keepUndecided(w, r)
		return
	default:
		a.keepRefused(r, store.Refusal(why))
		writeProblem(w, a.turnAway(store.MayIngest, why))
		return
	}
	if refused := a.authorize(token, store.MayIngest); refused != nil {
		if refused.Status == http.StatusForbidden {
			a.keepRefused(r, store.NoIngestScope)
		}
		writeProblem(w, refused)
		return
	}
	release, err := a.bodies.take(r.Context(), expected(r, a.maxBody))
	if err != nil {
		a.metrics.refuse(fromAiFi, noMemory)
		a.fail(w, r, fmt.Errorf("%w: %w", store.ErrOverloaded, err))
		return
	}
	defer release()
	d, whole, err := readDelivery(r, a.maxBody)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	d.TokenID, d.TokenScope = token.ID, token.Scope()
	id, webhook := d.ID, d.Webhook
	ctx, cancel := recording(r)
	defer cancel()
	receipt, err := a.store.Record(ctx, d)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if !webhook.Documented() || !strings.HasPrefix(r.URL.Path, pushPath) {
		a.log.Warn("kept a webhook that came to a path where AiFi's are not expected; is the URL in AiFi's console mistyped, or a proxy set up wrongly?", "deliveryId", id)
	}
	answerKept(w, r, id, webhook, receipt, whole)
}

// recording is the context to keep a webhook with: it is kept even if the sender has
// hung up.
func recording(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), recordTimeout)
}

// answerKept answers a webhook that is kept.
func answerKept(w http.ResponseWriter, r *http.Request, id uuid.UUID, webhook aifi.Webhook, receipt store.Receipt, whole error) {
	if p := answerTo(webhook, receipt, whole); p != nil {
		p.DeliveryID = id.String()
		writeProblem(w, p)
		return
	}
	status := http.StatusOK
	if receipt.Status == store.Spooled {
		status = http.StatusAccepted
	}
	writeJSON(w, r, status, received{id.String(), receipt.Status})
}

// keepUndecided keeps a webhook whose token can be looked up only later. It is answered as
// any other that is spooled, but that nothing is said of what its body states: it may yet
// be refused.
func (a *API) keepUndecided(w http.ResponseWriter, r *http.Request) {
	release, err := a.bodies.takeForStranger(r.Context(), expected(r, a.maxBody))
	if err != nil {
		a.metrics.refuse(fromAiFi, noMemory)
		writeProblem(w, problemOf(store.ErrOverloaded))
		return
	}
	defer release()
	d, whole, err := readDelivery(r, a.maxBody)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	placeOf(r).serve() // it waits for the disk
	ctx, cancel := recording(r)
	defer cancel()
	err = a.store.KeepUndecided(ctx, bearer(r), d)
	placeOf(r).countAsUndecided()
	if err != nil {
		a.metrics.refuse(fromAiFi, undecidedToken)
		a.store.KeepRefused(bearer(r), store.UndecidedToken, d)
		writeProblem(w, problemOf(err)) // strangers must not fill the log
		return
	}
	answerKept(w, r, d.ID, d.Webhook, store.Receipt{Status: store.Spooled}, whole)
}

// keepRefused keeps a webhook apart whose token was refused: it may be mistyped in
// AiFi's console. Who presents no token at all is no sender of AiFi's.
func (a *API) keepRefused(r *http.Request, why store.Refusal) {
	secret := bearer(r)
	if secret == "" || !a.store.KeepsRefusals() {
		return
	}
	maxBody := min(a.maxBody, store.MaxRefusedBody)
	release, err := a.bodies.takeForStranger(r.Context(), expected(r, maxBody))
	if err != nil {
		return // memory is for those with a good token
	}
	defer release()
	if why != store.NoIngestScope {
		hurry(r)
	}
	d, _, err := readDelivery(r, maxBody)
	if err != nil {
		a.log.Error("a refused webhook cannot be kept", "error", err)
		return
	}
	a.store.KeepRefused(secret, why, d)
}

// readDelivery reads a request, of its body up to a limit. whole says why not all of it.
func readDelivery(r *http.Request, maxBody int64) (d store.Delivery, whole, err error) {
	id, err := store.NewDeliveryID()
	if err != nil {
		return d, nil, err
	}
	body, whole := readBody(r.Body, maxBody, expected(r, maxBody))
	return store.Delivery{
		ID: id, Webhook: webhookAt(r.URL.Path),
		Path: cut(r.URL.EscapedPath(), maxPath), Headers: keep(r.Header), RemoteAddr: remoteAddr(r), Body: body, Truncated: whole != nil,
	}, whole, nil
}

// expected is how many bytes of a body are to be read.
func expected(r *http.Request, maxBody int64) int64 {
	size := maxBody + 1
	if r.ContentLength >= 0 {
		size = min(size, r.ContentLength)
	}
	return size
}

// answerTo is the problem to answer a kept webhook with; nil if there is none.
func answerTo(webhook aifi.Webhook, receipt store.Receipt, whole error) *Problem {
	switch fault := receipt.Problem; {
	case errors.Is(whole, errTooLarge):
		return problem(http.StatusRequestEntityTooLarge, "too-large", "Body too large", "The body is longer than the limit; its first part was kept.")
	case whole != nil:
		return problem(http.StatusBadRequest, "incomplete", "Incomplete body", "The body ended early; what came of it was kept.")
	case fault != nil && fault.Reason == store.StoreNotAllowed:
		return problem(http.StatusForbidden, "store-not-allowed", "Store not allowed", "The webhook was kept apart: "+fault.Detail+".")
	case webhook.AsksForDecision():
		return problem(http.StatusNotImplemented, "no-decision", "No decision",
			"The webhook was kept, but an audit store does not decide for the retailer. Point this webhook at the system that does.")
	case fault != nil:
		p := problem(http.StatusUnprocessableEntity, "not-understood", "Not understood", "The webhook was kept in quarantine: "+fault.Detail+".")
		p.Pointer = fault.Pointer
		return p
	}
	return nil
}

var errTooLarge = errors.New("body too large")

// readBody reads up to limit bytes, of which size are expected. The error says why
// they are not all.
func readBody(r io.Reader, limit, size int64) ([]byte, error) {
	var body bytes.Buffer
	// Memory as it comes: a head that promises much need not keep its word. One byte
	// more than fits is where the end is seen without another allocation.
	body.Grow(int(min(size, readStep)) + bytes.MinRead)
	_, err := body.ReadFrom(io.LimitReader(r, limit+1))
	if int64(body.Len()) > limit {
		return body.Bytes()[:limit], errTooLarge
	}
	return body.Bytes(), err
}

func keep(h http.Header) map[string]string {
	kept := map[string]string{}
	for _, name := range keptHeaders {
		if v := h.Get(name); v != "" {
			kept[name] = cut(v, maxHeaderValue)
		}
	}
	return kept
}
