package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"aifi-audit/store"
)

type retentionCommand struct {
	Set  retentionSetCommand  `cmd:"" help:"Say for how long deliveries are kept. It counts a week later."`
	List retentionListCommand `cmd:"" help:"List the policies. Without any, everything is kept for ever."`
	Run  retentionRunCommand  `cmd:"" help:"Remove what is older than its policy and not on legal hold. A dry run until --confirm. A server does so by itself each night."`
}

type retentionSetCommand struct {
	databaseFlags
	Months   int32  `help:"Whole calendar months after that of receipt." xor:"how-long" required:"" env:"AIFI_AUDIT_RETENTION_MONTHS"`
	ForEver  bool   `help:"Keep for ever." xor:"how-long" required:"" env:"AIFI_AUDIT_RETENTION_FOR_EVER"`
	Withdraw bool   `help:"Take the policy back: what is more general counts again." xor:"how-long" required:"" env:"AIFI_AUDIT_RETENTION_WITHDRAW"`
	Store    *int64 `help:"Of this AiFi store id only; 0 is what was not understood." env:"AIFI_AUDIT_RETENTION_STORE"`
	Webhook  string `help:"Of this webhook only, for example tracking." env:"AIFI_AUDIT_RETENTION_WEBHOOK"`
	Actor    string `help:"Who sets it. It is kept, and goes into the log." required:"" env:"AIFI_AUDIT_RETENTION_ACTOR"`
}

// Run sets a policy.
func (c retentionSetCommand) Run(env *environment) error {
	actor, err := onCommandLine(c.Actor, "configure", "aifi-audit retention set")
	if err != nil {
		return err
	}
	n := store.NewPolicy{StoreID: c.Store, Webhook: c.Webhook, Withdrawn: c.Withdraw}
	if !c.ForEver && !c.Withdraw {
		n.Months = &c.Months
	}
	return c.withStore(env, func(s *store.Store) error {
		p, err := s.SetRetention(env.ctx, actor, n)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.stdout, "%s: %s. It counts from %s on; until then the longer of it and what was before.\n",
			ofWhat(p), howLong(p), p.At.Add(store.RetentionPause).UTC().Format(time.RFC3339))
		return err
	})
}

func ofWhat(p store.RetentionPolicy) string {
	shop, webhook := "all stores", "all webhooks"
	if p.StoreID != nil {
		shop = fmt.Sprint("store ", *p.StoreID)
	}
	if p.Webhook != nil {
		webhook = *p.Webhook
	}
	return shop + ", " + webhook
}

func howLong(p store.RetentionPolicy) string {
	switch {
	case p.Withdrawn:
		return "as more general policies say"
	case p.Months == nil:
		return "for ever"
	}
	return fmt.Sprintf("%d months", *p.Months)
}

type retentionListCommand struct {
	databaseFlags
	All bool `help:"Also those that were replaced or taken back." env:"AIFI_AUDIT_RETENTION_ALL"`
}

// Run lists policies.
func (c retentionListCommand) Run(env *environment) error {
	return c.withStore(env, func(s *store.Store) error {
		policies, err := s.RetentionPolicies(env.ctx, store.Scope{})
		if err != nil {
			return err
		}
		if !c.All {
			policies = store.CurrentPolicies(policies)
		}
		w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "OF\tKEPT\tSET\tBY\tCOUNTS FROM")
		for _, p := range policies {
			counts := p.At.Add(store.RetentionPause)
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", ofWhat(p), howLong(p), day(&p.At), orDash(&p.SetBy), day(&counts))
		}
		return w.Flush()
	})
}

type retentionRunCommand struct {
	databaseFlags
	Confirm bool      `help:"Remove. Without, only say what would be." env:"AIFI_AUDIT_RETENTION_CONFIRM"`
	Actor   string    `help:"Who has it removed. It is kept, and goes into the log." default:"aifi-audit retention run" env:"AIFI_AUDIT_RETENTION_ACTOR"`
	Today   time.Time `help:"What day it is in UTC, for example 2026-11-30, if the newest webhooks are too old to tell. Look at another clock than this machine's." format:"2006-01-02" env:"AIFI_AUDIT_RETENTION_TODAY"`
	Reason  string    `help:"Why, without personal data. It is kept, and goes into the log." default:"retention policy" env:"AIFI_AUDIT_RETENTION_REASON"`
}

// Run removes what is due, or says what that would remove.
func (c retentionRunCommand) Run(env *environment) error {
	return c.withStore(env, func(s *store.Store) error {
		plan, err := s.PlanRetention(env.ctx, c.Today)
		if err != nil {
			return err
		}
		if err := printPlan(env.stdout, plan); err != nil || !c.Confirm {
			return err
		}
		done, err := s.Retire(env.ctx, store.RetentionOrder{Actor: c.Actor, Reason: c.Reason, Today: c.Today})
		fmt.Fprintf(env.stdout, "removed: %d deliveries, %d of whose months went whole; %d events\n", done.Deliveries, done.Partitions, done.Events)
		for _, month := range done.Busy {
			fmt.Fprintf(env.stdout, "%s is in use all the time: run it again later\n", month.Format("2006-01"))
		}
		return err
	})
}

func printPlan(out io.Writer, plan store.RetentionPlan) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MONTH\tSTORE\tWEBHOOK\tDELIVERIES\tGO\tHELD\tBODY BYTES\tEVENTS\tHOLDS")
	var going int64
	for _, m := range plan.Months {
		for _, g := range m.Groups {
			holds := ""
			for _, h := range g.Holds {
				holds += h.ID.String() + " "
			}
			webhook := g.Webhook
			fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", m.Month.Format("2006-01"), g.StoreID, orDash(&webhook), g.Deliveries, g.Going(), g.Held, g.BodyBytes, g.Events, holds)
		}
		if m.Whole {
			fmt.Fprintf(w, "%s\tgoes whole: %d bytes on disk, beside those of its events\n", m.Month.Format("2006-01"), m.Bytes)
		}
		going += m.Going()
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%d deliveries are due\n", going); err != nil || plan.Doubt == "" {
		return err
	}
	_, err := fmt.Fprintln(out, "NOTHING IS REMOVED:", plan.Doubt)
	return err
}
