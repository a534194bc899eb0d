package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"unicode"

	"aifi-audit/store"
)

type storeCommand struct {
	List        storeListCommand        `cmd:"" help:"List the stores that webhooks spoke of."`
	SetTimeZone storeSetTimeZoneCommand `cmd:"" help:"Set the time zone on whose clock a store's days and hours are counted."`
}

type storeListCommand struct{ databaseFlags }

// Run lists the stores.
func (c storeListCommand) Run(env *environment) error {
	return c.withStore(env, func(s *store.Store) error {
		w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "STORE\tEXTERNAL ID\tTIME ZONE\tFIRST SEEN\tLAST SEEN")
		err := s.ExportStores(env.ctx, store.Scope{}, store.Filter{}, func(x store.Shop) error {
			_, err := fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", x.StoreID, orDash(x.ExternalID), orDash(x.TimeZone), day(&x.FirstSeenAt), day(&x.LastSeenAt))
			return err
		})
		if err != nil {
			return err
		}
		return w.Flush()
	})
}

// orDash is text from outside as a terminal may show it.
func orDash(s *string) string {
	if s == nil {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, *s)
}

type storeSetTimeZoneCommand struct {
	databaseFlags
	StoreID  int64  `arg:"" help:"AiFi's id of the store."`
	TimeZone string `arg:"" optional:"" help:"IANA name, for example Europe/London. Without, the store has the installation's."`
}

// Run sets or takes away a time zone.
func (c storeSetTimeZoneCommand) Run(env *environment) error {
	var name *string
	if c.TimeZone != "" {
		name = &c.TimeZone
	}
	return c.withStore(env, func(s *store.Store) error {
		if _, err := s.SetTimeZone(env.ctx, store.Scope{}, c.StoreID, name); err != nil {
			return fmt.Errorf("setting the time zone of store %d: %w", c.StoreID, err)
		}
		return nil
	})
}
