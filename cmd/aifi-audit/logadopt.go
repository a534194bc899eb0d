package main

import (
	"fmt"
	"maps"
	"slices"

	"aifi-audit/store"
)

type logAdoptCommand struct {
	databaseFlags
	Actor   string `help:"Who adopts. It is kept, and goes into the log." required:"" env:"AIFI_AUDIT_LOG_ADOPT_ACTOR"`
	Reason  string `help:"Why they are taken for good. It is kept, and goes into the log." required:"" env:"AIFI_AUDIT_LOG_ADOPT_REASON"`
	Confirm bool   `help:"Adopt. Without, only say what would be." env:"AIFI_AUDIT_LOG_ADOPT_CONFIRM"`
}

// Run adopts what staff wrote and the log does not know, or says what that would be.
func (c logAdoptCommand) Run(env *environment) error {
	actor, err := onCommandLine(c.Actor, "adopt-acts", "aifi-audit log adopt")
	if err != nil {
		return err
	}
	return c.withStore(env, func(s *store.Store) error {
		adopted, err := s.AdoptActs(env.ctx, actor, c.Reason, c.Confirm)
		if err != nil {
			return fmt.Errorf("adopting acts: %w", err)
		}
		for _, kind := range slices.Sorted(maps.Keys(adopted)) {
			fmt.Fprintf(env.stdout, "%s: %d\n", kind, adopted[kind])
		}
		verdict := "adopted: the log speaks of them from now on"
		switch {
		case len(adopted) == 0:
			verdict = "the log knows of all that staff wrote"
		case !c.Confirm:
			verdict = "nothing was adopted: add --confirm"
		}
		_, err = fmt.Fprintln(env.stdout, verdict)
		return err
	})
}
