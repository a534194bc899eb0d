package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"aifi-audit/store"
)

type tokenCommand struct {
	Create tokenCreateCommand `cmd:"" help:"Create a token and print it, alone, on standard output. It is shown this once."`
	List   tokenListCommand   `cmd:"" help:"List the tokens. The tokens themselves are kept nowhere."`
	Revoke tokenRevokeCommand `cmd:"" help:"Revoke a token. Running servers know it within seconds."`
}

type tokenCreateCommand struct {
	databaseFlags
	Name    string        `help:"What the token is called in lists and logs, for example 'AiFi console' or a person. Unique." required:"" env:"AIFI_AUDIT_TOKEN_NAME"`
	Scope   []string      `help:"What it is good for: ingest (AiFi posts webhooks), read (search and view), export (CSV), review (mark events and comment on them), admin (replay, time zones of stores, legal holds, retention). Repeat or separate by commas; none implies another." enum:"ingest,read,export,review,admin" required:"" env:"AIFI_AUDIT_TOKEN_SCOPE"`
	Store   []int64       `help:"Limit it to this AiFi store id. Repeat for more. Without, all stores." env:"AIFI_AUDIT_TOKEN_STORE"`
	Expires time.Duration `help:"How long it is good, for example 2160h. Without, for ever." env:"AIFI_AUDIT_TOKEN_EXPIRES"`
}

// Run creates a token.
func (c tokenCreateCommand) Run(env *environment) error {
	name := strings.TrimSpace(c.Name)
	if name == "" || c.Expires < 0 {
		return fmt.Errorf("--name must not be empty, nor --expires negative")
	}
	var expires *time.Time
	if c.Expires > 0 {
		t := time.Now().Add(c.Expires)
		expires = &t
	}
	rights := make([]store.Right, len(c.Scope))
	for i, scope := range c.Scope {
		rights[i] = store.Right(scope)
	}
	return c.withStore(env, func(s *store.Store) error {
		secret, err := s.CreateToken(env.ctx, name, rights, c.Store, expires)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(env.stdout, secret)
		return err
	})
}

type tokenListCommand struct{ databaseFlags }

// Run lists the tokens.
func (c tokenListCommand) Run(env *environment) error {
	return c.withStore(env, func(s *store.Store) error {
		tokens, err := s.Tokens(env.ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tSCOPES\tSTORES\tCREATED\tEXPIRES\tREVOKED\tLAST USED")
		for _, t := range tokens {
			stores := "all"
			if t.StoreIDs != nil {
				stores = strings.Trim(fmt.Sprint(t.StoreIDs), "[]")
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.Name, strings.Trim(fmt.Sprint(t.Rights), "[]"), stores,
				day(&t.CreatedAt), day(t.ExpiresAt), day(t.RevokedAt), day(t.LastUsedAt))
		}
		return w.Flush()
	})
}

func day(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}

type tokenRevokeCommand struct {
	databaseFlags
	Name string `arg:"" help:"The token's name."`
}

// Run revokes a token.
func (c tokenRevokeCommand) Run(env *environment) error {
	return c.withStore(env, func(s *store.Store) error { return s.RevokeToken(env.ctx, c.Name) })
}
