package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/google/uuid"

	"aifi-audit/httpapi"
	"aifi-audit/store"
)

type eraseCommand struct {
	databaseFlags
	logFlags
	Customer        string `help:"AiFi's id of the customer. Alone: says what is kept about him. With --confirm: asks for his erasure." env:"AIFI_AUDIT_ERASE_CUSTOMER" xor:"what"`
	identifierFlags `embed:"" envprefix:"AIFI_AUDIT_ERASE_"`
	Request         string `help:"Id of a request. Alone: says how far it is. With --confirm: erases, if another administrator approved it." env:"AIFI_AUDIT_ERASE_REQUEST" xor:"what" placeholder:"ID"`
	Actor           string `help:"Who you are. It is kept, and goes into the log and the certificate." env:"AIFI_AUDIT_ERASE_ACTOR" placeholder:"NAME"`
	Reason          string `help:"On which ground, as Art. 17 GDPR, case 12. Without personal data: it is kept, and goes into the log and the certificate." env:"AIFI_AUDIT_ERASE_REASON"`
	Confirm         bool   `help:"Do it. Without, only say what would be done." env:"AIFI_AUDIT_ERASE_CONFIRM"`
	WithoutApproval bool   `help:"Erase without a second person. For an installation that has one administrator: the log and the certificate say that nobody approved it." env:"AIFI_AUDIT_ERASE_WITHOUT_APPROVAL"`
	Certificate     string `help:"Where to write the certificate, once erased: FILE, signed and readable, and FILE.json." env:"AIFI_AUDIT_ERASE_CERTIFICATE" type:"path" placeholder:"FILE"`
	List            bool   `help:"List the ids of the deliveries." env:"AIFI_AUDIT_ERASE_LIST"`
}

// Run looks for a customer, asks for his erasure, or carries it out.
func (c eraseCommand) Run(env *environment) error {
	whom := c.of(c.Customer)
	asks := !whom.Nobody()
	switch {
	case !asks && c.Request == "":
		return errors.New("say whom, by --customer, --email, --phone or --name, or which request, by --request")
	case asks && c.Request != "":
		return errors.New("a request says itself whom it is about: leave out --customer, --email, --phone and --name")
	case c.Confirm && c.Actor == "":
		return errors.New("say who you are, by --actor")
	case c.Confirm && asks && c.Reason == "":
		return errors.New("say on which ground, by --reason")
	}
	if asks {
		if err := whom.Check(); err != nil {
			return err
		}
	}
	config, err := c.logConfig(env)
	if err != nil {
		return err
	}
	return c.withLog(env, config, func(s *store.Store) error {
		if !asks {
			id, err := uuid.Parse(c.Request)
			if err != nil {
				return fmt.Errorf("%q is not the id of a request", c.Request)
			}
			return c.request(env, s, id)
		}
		if !c.Confirm {
			return c.look(env, s, whom)
		}
		return c.ask(env, s, whom)
	})
}

// logConfig signs if there is a key, so that the certificate can be made here.
func (c eraseCommand) logConfig(env *environment) (store.LogConfig, error) {
	dir, err := c.dir(c.databaseFlags)
	if err != nil {
		return store.LogConfig{}, err
	}
	if _, err := dir.signing(); c.LogKey == "" && errors.Is(err, errNoKey) {
		return dir.reading()
	}
	return c.config(env, c.databaseFlags, false)
}

// look says what is kept about a customer.
func (c eraseCommand) look(env *environment, s *store.Store, whom store.Whom) error {
	shown := newBar(env, -1, "reading bodies", "bodies")
	p, err := s.FindPerson(env.ctx, whom, true, func(int64) { shown.add(1) })
	shown.end()
	if err != nil {
		return err
	}
	c.tell(env, p)
	if len(p.Holds) > 0 {
		return &store.HeldError{Holds: p.Holds}
	}
	if c.Request == "" {
		fmt.Fprintln(env.stdout, "Nothing was erased. To ask for it: add --actor, --reason and --confirm.")
	}
	return nil
}

func (c eraseCommand) tell(env *environment, p store.Person) {
	if c.List {
		for _, id := range p.DeliveryIDs {
			fmt.Fprintln(env.stdout, id)
		}
	}
	tellFound(env.stdout, p.Found)
	if len(p.Others) > 0 {
		fmt.Fprintf(env.stdout, "Events of these customers have what he is known by. Of them only that is found; if one is he, say --customer too: %s\n", orDash(new(strings.Join(p.Others, ", "))))
	}
	if len(p.Namesakes) > 0 {
		fmt.Fprintf(env.stdout, "The retailer knows these other customers by the same id, and they may be the same person: %s\n", orDash(new(strings.Join(p.Namesakes, ", "))))
	}
}

func tellFound(out io.Writer, f store.Found) {
	span := ""
	if f.FirstAt != nil {
		span = fmt.Sprintf(", received from %s to %s", f.FirstAt.UTC().Format(time.DateOnly), f.LastAt.UTC().Format(time.DateOnly))
	}
	mentions := ""
	if f.Mentions > 0 {
		mentions = fmt.Sprintf(" (%d of them only found by reading all bodies)", f.Mentions)
	}
	fmt.Fprintf(out, "bodies of deliveries    %d%s%s\n", f.Deliveries, mentions, span)
	for _, line := range []struct {
		what string
		n    int64
	}{
		{"events", f.Events},
		{"sessions", f.Sessions},
		{"customer records", f.Customers},
		{"personal infos", f.PersonalInfos},
		{"comments of staff", f.Comments},
		{"refused webhooks", f.Refused},
		{"access log entries", f.AccessEntries},
	} {
		fmt.Fprintf(out, "%-23s %d\n", line.what, line.n)
	}
	if f.Identified > 0 {
		fmt.Fprintf(out, "of the events, %d by an e-mail address, a phone number or a name\n", f.Identified)
	}
}

// ask files the request; without a second person it goes on to erase.
func (c eraseCommand) ask(env *environment, s *store.Store, whom store.Whom) error {
	shown := newBar(env, -1, "reading bodies", "bodies")
	e, err := s.RequestErasure(env.ctx, store.NewErasure{
		Whom: whom, Reason: c.Reason, By: c.Actor, Everything: true, Progress: func(int64) { shown.add(1) },
	})
	shown.end()
	if errors.Is(err, store.ErrNotFound) {
		fmt.Fprintln(env.stdout, "Nothing is kept about this customer.")
		return nil
	}
	if err != nil {
		return err
	}
	tellFound(env.stdout, e.Found)
	if c.WithoutApproval {
		return c.erase(env, s, e.ID)
	}
	_, err = fmt.Fprintf(env.stdout, `Nothing was erased yet. Request %s waits for another administrator, until %s:

  curl -H "Authorization: Bearer $TOKEN" "$URL/api/v1/erasures/%[1]s"
  curl -X POST -H "Authorization: Bearer $TOKEN" "$URL/api/v1/erasures/%[1]s/approve" -d '{"digest": "%[3]x"}'

Then: aifi-audit erase --request %[1]s --actor %[4]q --confirm
`, e.ID, e.ExpiresAt.Format(time.RFC3339), e.Digest, c.Actor)
	return err
}

// request says how far a request is, or carries it out.
func (c eraseCommand) request(env *environment, s *store.Store, id uuid.UUID) error {
	e, err := s.Erasure(env.ctx, store.Scope{}, id)
	if err != nil {
		return fmt.Errorf("request %s: %w", id, err)
	}
	if c.Confirm {
		return c.erase(env, s, id)
	}
	fmt.Fprintf(env.stdout, "request %s is %s\nasked for by %s at %s: %s\n", id, e.State, e.RequestedBy, e.RequestedAt.Format(time.RFC3339), e.Reason)
	if d := e.Decision; d != nil {
		fmt.Fprintf(env.stdout, "%s by %s at %s\n", d.Decision, d.By, d.At.Format(time.RFC3339))
	}
	switch e.State {
	case store.ErasurePending, store.ErasureApproved:
		fmt.Fprintf(env.stdout, "expires %s\n", e.ExpiresAt.Format(time.RFC3339))
		return c.look(env, s, e.Whom())
	case store.ErasureExecuted:
		tellFound(env.stdout, *e.Erased)
		return c.certificate(env, s, id)
	}
	return nil
}

// erase carries out a request.
func (c eraseCommand) erase(env *environment, s *store.Store, id uuid.UUID) error {
	if err := c.spoolIsFree(env, s, id); err != nil {
		return err
	}
	shown := newBar(env, -1, "erasing", "")
	e, err := s.Erase(env.ctx, id, store.Execution{By: c.Actor, Unapproved: c.WithoutApproval, Progress: func(step string, done int64) {
		shown.describe(step)
		shown.set(done, -1)
	}})
	shown.end()
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "Erased by request %s:\n", id)
	tellFound(env.stdout, *e.Erased)
	if more := e.Erased.Deliveries - e.Found.Deliveries; more > 0 {
		fmt.Fprintf(env.stdout, "%d more deliveries than when it was asked for: they came since, or only name the customer in passing.\n", more)
	}
	fmt.Fprintf(env.stdout, "With this key the customer can show that the certificate is about him. It is kept nowhere: %x\n", e.SubjectKey)
	return c.certificate(env, s, id)
}

// spoolIsFree refuses to erase while deliveries about the customer wait in the spool of
// this machine: they would bring him back.
func (c eraseCommand) spoolIsFree(env *environment, s *store.Store, id uuid.UUID) error {
	e, err := s.Erasure(env.ctx, store.Scope{}, id)
	if err != nil || e.CustomerID == nil && e.Identifiers.None() {
		return err // it will be told what is wrong with it
	}
	dir, err := c.dataDir()
	if err != nil {
		return err
	}
	p, err := s.FindPerson(env.ctx, e.Whom(), false, nil)
	if err != nil {
		return err
	}
	waiting := 0
	_, err = store.InspectSpool(env.ctx, store.Local{Dir: dir}, func(d store.SpooledDelivery) error {
		if !p.Mentions(d.Body) {
			return nil
		}
		_, err := s.Delivery(env.ctx, store.Scope{}, d.ID)
		if errors.Is(err, store.ErrNotFound) {
			waiting++
			return nil
		}
		return err
	}, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && waiting > 0 {
		err = fmt.Errorf("%d deliveries about the customer wait in the spool: let the server record them first, or run aifi-audit spool drain", waiting)
	}
	return err
}

const certificateWait = 10 * time.Second

// certificate writes the certificate, if asked to; its leaf may still have to be signed.
func (c eraseCommand) certificate(env *environment, s *store.Store, id uuid.UUID) error {
	if c.Certificate == "" {
		_, err := fmt.Fprintf(env.stdout, "The certificate: GET /api/v1/erasures/%s/certificate, or aifi-audit erase --request %[1]s --certificate FILE\n", id)
		return err
	}
	ctx, cancel := context.WithTimeout(env.ctx, certificateWait)
	defer cancel()
	for {
		text, asJSON, err := httpapi.Certificate(ctx, s, store.Scope{}, id)
		switch {
		case err == nil:
			if err := store.WriteDurably(c.Certificate, text, 0o644); err != nil {
				return err
			}
			if err := store.WriteDurably(c.Certificate+".json", asJSON, 0o644); err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.stdout, "The certificate is in %s and %[1]s.json\n", c.Certificate)
			return err
		case errors.Is(err, store.ErrNoLog):
			return errors.New("the certificate cannot be signed here, for want of the log's key; the server gives it")
		case !errors.Is(err, store.ErrUnsequenced) || ctx.Err() != nil:
			return fmt.Errorf("making the certificate, which can be done later too: %w", err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return errors.New("the certificate cannot be made yet: its leaf waits to be signed; later, say --request and --certificate")
		}
	}
}
