package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store"
)

type holdCommand struct {
	Place holdPlaceCommand `cmd:"" help:"Place a legal hold: nothing that it covers is erased or retired until it is lifted. What is named must all apply."`
	List  holdListCommand  `cmd:"" help:"List the legal holds in force."`
	Lift  holdLiftCommand  `cmd:"" help:"Lift a legal hold. What no other hold covers is free."`
}

type holdPlaceCommand struct {
	databaseFlags
	Store    *int64    `help:"Of this AiFi store id; 0 is what was not understood." env:"AIFI_AUDIT_HOLD_STORE"`
	Session  string    `help:"Of this session." env:"AIFI_AUDIT_HOLD_SESSION"`
	Customer string    `help:"Of AiFi's customer of this id." env:"AIFI_AUDIT_HOLD_CUSTOMER"`
	From     dayOrTime `help:"Received or happened from then on: a date, which is midnight UTC, or a time of RFC 3339." env:"AIFI_AUDIT_HOLD_FROM" placeholder:"TIME"`
	To       dayOrTime `help:"And before then." env:"AIFI_AUDIT_HOLD_TO" placeholder:"TIME"`
	Actor    string    `help:"Who places it. It is kept, and goes into the log." required:"" env:"AIFI_AUDIT_HOLD_ACTOR"`
	Reason   string    `help:"Why, without personal data. It is kept, and goes into the log." required:"" env:"AIFI_AUDIT_HOLD_REASON"`
}

// dayOrTime is a flag that is a date or a time; nil if it is not given.
type dayOrTime struct{ at *time.Time }

// UnmarshalText reads a date or a time of RFC 3339.
func (d *dayOrTime) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, string(text)); err == nil {
			d.at = &t
			return nil
		}
	}
	return fmt.Errorf("%q is neither a date, as 2026-01-31, nor a time of RFC 3339, as 2026-01-31T18:00:00Z", text)
}

// Run places a hold and prints its id.
func (c holdPlaceCommand) Run(env *environment) error {
	actor, err := onCommandLine(c.Actor, "hold", "aifi-audit hold place")
	if err != nil {
		return err
	}
	return c.withStore(env, func(s *store.Store) error {
		h, err := s.PlaceHold(env.ctx, actor, store.NewHold{
			StoreID: c.Store, SessionID: c.Session, CustomerID: c.Customer, From: c.From.at, To: c.To.at, Reason: c.Reason,
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(env.stdout, h.ID)
		return err
	})
}

// onCommandLine is who does on the command line what admins do through the API.
func onCommandLine(name, action, command string) (store.Actor, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return store.Actor{}, fmt.Errorf("--actor must not be empty")
	}
	return store.Actor{Name: name, Access: store.Access{Action: action, Path: command}}, nil
}

type holdListCommand struct {
	databaseFlags
	All bool `help:"Also those that were lifted." env:"AIFI_AUDIT_HOLD_ALL"`
}

// Run lists holds.
func (c holdListCommand) Run(env *environment) error {
	var filter store.Filter
	if !c.All {
		filter.Lifted = new(bool)
	}
	return c.withStore(env, func(s *store.Store) error {
		w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "HOLD\tPLACED\tBY\tSTORE\tSESSION\tCUSTOMER\tFROM\tTO\tLIFTED\tREASON")
		if err := s.ExportHolds(env.ctx, store.Scope{}, filter, func(h store.Hold) error { return printHold(w, h) }); err != nil {
			return err
		}
		return w.Flush()
	})
}

func printHold(w io.Writer, h store.Hold) error {
	shop := "-"
	if h.StoreID != nil {
		shop = fmt.Sprint(*h.StoreID)
	}
	_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", h.ID, day(&h.At), orDash(&h.PlacedBy), shop, orDash(h.SessionID), orDash(h.CustomerID),
		day(h.From), day(h.To), day(h.LiftedAt), orDash(&h.Reason))
	return err
}

type holdLiftCommand struct {
	databaseFlags
	ID     uuid.UUID `arg:"" help:"The hold's id, as hold list shows it."`
	Actor  string    `help:"Who lifts it. It is kept, and goes into the log." required:"" env:"AIFI_AUDIT_HOLD_ACTOR"`
	Reason string    `help:"Why, without personal data. It is kept, and goes into the log." required:"" env:"AIFI_AUDIT_HOLD_REASON"`
}

// Run lifts a hold.
func (c holdLiftCommand) Run(env *environment) error {
	actor, err := onCommandLine(c.Actor, "hold", "aifi-audit hold lift")
	if err != nil {
		return err
	}
	return c.withStore(env, func(s *store.Store) error {
		if _, err := s.LiftHold(env.ctx, actor, c.ID, c.Reason); err != nil {
			return fmt.Errorf("lifting hold %s: %w", c.ID, err)
		}
		return nil
	})
}
