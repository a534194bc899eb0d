package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"aifi-audit/httpapi"
	"aifi-audit/store"
)

type subjectAccessCommand struct {
	databaseFlags
	Customer        string `help:"AiFi's id of the customer." env:"AIFI_AUDIT_SUBJECT_ACCESS_CUSTOMER"`
	identifierFlags `embed:"" envprefix:"AIFI_AUDIT_SUBJECT_ACCESS_"`
	Output          string `help:"File to write. - is standard output." short:"o" required:"" env:"AIFI_AUDIT_SUBJECT_ACCESS_OUTPUT" placeholder:"FILE.zip"`
	Actor           string `help:"Who you are. It goes onto the cover, and into the access log." required:"" env:"AIFI_AUDIT_SUBJECT_ACCESS_ACTOR" placeholder:"NAME"`
}

// Run writes everything about a customer. That it was done is in the access log.
func (c subjectAccessCommand) Run(env *environment) error {
	whom := c.of(c.Customer)
	if whom.Nobody() {
		return errors.New("say whom, by --customer, --email, --phone or --name")
	}
	if err := whom.Check(); err != nil {
		return err
	}
	return c.withStore(env, func(s *store.Store) error {
		shown := newBar(env, -1, "reading bodies", "bodies")
		person, err := s.FindPerson(env.ctx, whom, true, func(int64) { shown.add(1) })
		shown.end()
		if err != nil {
			return err
		}
		if person.Found.None() {
			return errors.New("nothing is kept about this customer")
		}
		access := store.Access{Action: "subject-access", Path: "command line", Detail: "by " + c.Actor, Status: 200, Rows: &person.Found.Deliveries}
		if err := s.LogAccess(env.ctx, access); err != nil {
			return err
		}
		var sum string
		err = writeFile(env, c.Output, func(out io.Writer) (err error) {
			sum, err = httpapi.WriteSubjectAccess(env.ctx, s, out, httpapi.SubjectAccess{Person: person, By: c.Actor, At: time.Now().UTC().Truncate(time.Second)})
			return err
		})
		if err != nil || c.Output == "-" {
			return err
		}
		tellFound(env.stdout, person.Found)
		_, err = fmt.Fprintf(env.stdout, "It is in %s; its manifest has the SHA-256 %s\n", c.Output, sum)
		return err
	})
}
