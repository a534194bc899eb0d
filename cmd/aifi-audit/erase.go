package main

import (
	"fmt"

	"aifi-audit/store"
)

type eraseCommand struct {
	databaseFlags
	Customer string `help:"AiFi's id of the customer." required:"" env:"AIFI_AUDIT_ERASE_CUSTOMER"`
	Actor    string `help:"Who erases. It is kept, and goes into the log." required:"" env:"AIFI_AUDIT_ERASE_ACTOR"`
	Reason   string `help:"On which ground, without personal data. It is kept, and goes into the log." required:"" env:"AIFI_AUDIT_ERASE_REASON"`
	Confirm  bool   `help:"Erase. Without, only say what would be." env:"AIFI_AUDIT_ERASE_CONFIRM"`
}

// Run erases a customer, or says what that would erase.
func (c eraseCommand) Run(env *environment) error {
	return c.withStore(env, func(s *store.Store) error {
		verb := "would be erased; nothing was: add --confirm"
		ids, err := s.CustomerDeliveries(env.ctx, c.Customer)
		if err == nil && !c.Confirm {
			err = s.MayErase(env.ctx, c.Customer)
		}
		if err == nil && c.Confirm {
			verb = "erased"
			ids, err = s.EraseCustomer(env.ctx, store.ErasureRequest{CustomerID: c.Customer, Actor: c.Actor, Reason: c.Reason})
		}
		if err != nil {
			return err
		}
		for _, id := range ids {
			fmt.Fprintln(env.stdout, id)
		}
		_, err = fmt.Fprintf(env.stdout, "bodies of %d deliveries, and the customer in events, sessions and customers: %s\n", len(ids), verb)
		return err
	})
}
