package main

import (
	"errors"
	"fmt"

	"aifi-audit/store"
)

type logAcceptCommand struct {
	databaseFlags
	LogDir  string `help:"Where the log's public keys lie, and its newest checkpoint is remembered. Default: log, below --data-dir." env:"AIFI_AUDIT_LOG_DIR" type:"path" placeholder:"DIR"`
	Actor   string `help:"Who accepts. It is kept, and goes into the log." required:"" env:"AIFI_AUDIT_LOG_ACCEPT_ACTOR"`
	Reason  string `help:"Why. It is kept, and goes into the log." required:"" env:"AIFI_AUDIT_LOG_ACCEPT_REASON"`
	Confirm bool   `help:"Accept. Without, only say what would be." env:"AIFI_AUDIT_LOG_ACCEPT_CONFIRM"`
}

// Run accepts that the database lost a part of the log, or says what that would be.
func (c logAcceptCommand) Run(env *environment) (err error) {
	dir, err := logFlags{LogDir: c.LogDir}.dir(c.databaseFlags)
	if err != nil {
		return err
	}
	config, err := dir.reading()
	if err != nil {
		return err
	}
	if config.Verifier == nil {
		return fmt.Errorf("%s has no public key of the log: say where it is with --log-dir", dir)
	}
	config.Memory = dir.file("checkpoint")
	url, end, err := c.open(env.ctx, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	s, err := store.Open(env.ctx, store.Config{DatabaseURL: url, Logger: env.log, Log: config})
	if err != nil {
		return err
	}
	defer s.Close()
	if !c.Confirm {
		r, err := s.Rollback(env.ctx)
		if err == nil {
			_, err = fmt.Fprintf(env.stdout, "%s\nWhat was signed behind the last common leaf would be given up; nothing was: add --confirm\n", r)
		}
		return err
	}
	r, kept, err := s.AcceptRollback(env.ctx, c.Actor, c.Reason)
	if err == nil {
		_, err = fmt.Fprintf(env.stdout, "%s\naccepted; the checkpoint that was signed is kept in %s\n", r, kept)
	}
	return err
}
