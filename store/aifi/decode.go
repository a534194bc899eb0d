package aifi

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep a body may be nested; the envelope itself is one level.
const MaxDepth = 512

var byteOrderMark = []byte("\xef\xbb\xbf")

// Decode reads what the body of a webhook states. It returns a statement or a
// problem, never both, and keeps no reference to body. It may be called by many
// goroutines at once. Every webhook is read with the same code; only
// [Webhook.Modelled] ones have to state something.
//
// A UTF-8 byte order mark is skipped. Where names stand twice in the envelope or in
// an object of it, the last one counts. Names are case-sensitive, and members
// that Decode does not know are left to the verbatim body, except that the
// fingerprint covers them.
func Decode(webhook Webhook, body []byte) (*Statement, *Problem) {
	r := readers.Get().(*reader) //nolint:forcetypeassert // the pool holds nothing else
	defer r.release()
	text := bytes.TrimPrefix(body, byteOrderMark)
	if r.tooDeep(text) {
		return nil, &Problem{Reason: TooDeep, Detail: fmt.Sprintf("the body is nested deeper than %d levels", MaxDepth)}
	}

	// Nearly all bodies are strict JSON: no name twice, no broken text. For them one
	// pass is enough. The others take a pass that finds the names that stand twice.
	r.begin(text, strictJSON)
	r.envelope()
	if r.err != nil {
		if repeats := r.findRepeats(text); r.err == nil {
			r.begin(text, anyJSON)
			r.repeats = repeats
			r.envelope()
		}
	}
	if r.err != nil {
		return nil, &Problem{Reason: NotJSON, Detail: r.syntaxError(len(body) - len(text))}
	}
	if r.problem != nil {
		return nil, r.problem
	}

	s := r.statement
	s.Webhook = Webhook(CleanText(string(webhook)))
	r.settle()
	if webhook.Modelled() && s.empty() {
		return nil, &Problem{Reason: StatesNothing, Detail: "the body names no session, customer, shopper, store, event, product, gondola or flag"}
	}
	s.Unreadable = r.unreadable
	s.Fingerprint = r.fingerprint(webhook, body)
	return s, nil
}

// settle fills the fields that several members can give.
func (r *reader) settle() {
	s := r.statement
	s.StoreID = r.storeIDs.envelope
	if s.StoreID == 0 {
		s.StoreID = r.storeIDs.store
	}
	if s.StoreID == 0 && s.Session != nil && s.Session.StoreID != nil {
		s.StoreID = *s.Session.StoreID
	}
	if s.ShopperID == "" {
		s.ShopperID = r.shopperID
	}
	if ses := s.Session; ses != nil {
		if s.SessionID != "" && ses.SessionID != "" && s.SessionID != ses.SessionID {
			r.doubtAt("/session/sessionId")
			r.lossy = true
		}
		s.SessionID = firstOf(s.SessionID, ses.SessionID, ses.SessionToken)
	}
	if s.Webhook == RemoteRegister {
		s.SessionID = firstOf(s.SessionID, s.Token)
	}
}

// firstOf is the first text that is not empty.
func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// empty reports whether a statement names nothing that an event could be about.
// The flags of a session come with the session.
func (s *Statement) empty() bool {
	return s.SessionID == "" && s.Session == nil && s.Customer == nil && s.ShopperID == "" && s.EventID == "" &&
		len(s.ShopperFlags)+len(s.WebhookFlags)+len(s.ProductIDs)+len(s.GondolaIDs) == 0 &&
		s.StoreID == 0 && s.StoreExternalID == "" && s.AifiUniqueStoreID == "" && s.Token == "" && s.PersonalInfo == nil
}

// tooDeep reports whether text is nested deeper than MaxDepth before anything in it
// stops being JSON. The decoder has a limit of its own, but far above ours.
func (r *reader) tooDeep(text []byte) bool {
	if bytes.Count(text, []byte{'{'})+bytes.Count(text, []byte{'['}) <= MaxDepth {
		return false
	}
	r.begin(text, anyJSON)
	for r.dec.StackDepth() <= MaxDepth {
		if _, err := r.dec.ReadToken(); err != nil {
			return false
		}
	}
	return true
}

// syntaxError says in a sentence why the body is not JSON. skipped is the length
// of what stands before the text that was read.
func (r *reader) syntaxError(skipped int) string {
	var at *jsontext.SyntacticError
	switch {
	case len(bytes.TrimLeft(r.input, " \t\r\n")) == 0:
		return "the body is empty"
	case errors.Is(r.err, errSecondValue):
		return "the body goes on after its JSON value"
	case errors.Is(r.err, io.ErrUnexpectedEOF):
		return "the body ends in the middle of its JSON value"
	case errors.As(r.err, &at):
		return fmt.Sprintf("the body is not JSON from byte %d on", at.ByteOffset+int64(skipped))
	}
	return "the body is not JSON"
}
