package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// TestScripts runs testdata/script. Each script has a database of its own in
// DATABASE_URL, an empty data directory, and some commands besides those of testscript:
//
//	receive WEBHOOK FILE...   records the files as webhooks, as a server would
//	spool WEBHOOK FILE...     the same while the database is away
//	damage FILE TEXT          changes the first byte of a text in a file
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("DATABASE_URL", storetest.URL(env.T().(testing.TB)))
			env.Setenv("AIFI_AUDIT_DATA_DIR", filepath.Join(env.WorkDir, "data"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"receive": func(ts *testscript.TestScript, _ bool, args []string) {
				receive(ts, ts.Getenv("DATABASE_URL"), nil, args)
			},
			"spool": func(ts *testscript.TestScript, _ bool, args []string) {
				away := "postgres://nobody@127.0.0.1:1/nothing?connect_timeout=1"
				receive(ts, away, &store.Local{Dir: ts.Getenv("AIFI_AUDIT_DATA_DIR")}, args)
			},
			"damage": damage,
		},
	})
}

func receive(ts *testscript.TestScript, url string, local *store.Local, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: receive or spool WEBHOOK FILE...")
	}
	ctx := context.Background()
	if local != nil {
		ts.Check(os.MkdirAll(local.Dir, 0o700))
	}
	s, err := store.Open(ctx, store.Config{DatabaseURL: url, Local: local})
	ts.Check(err)
	defer s.Close()
	for _, file := range args[1:] {
		id, err := store.NewDeliveryID()
		ts.Check(err)
		_, err = s.Record(ctx, store.Delivery{
			ID: id, Webhook: aifi.Webhook(args[0]), Path: "/api/push/" + args[0], RemoteAddr: "192.0.2.1", Body: []byte(ts.ReadFile(file)),
		})
		ts.Check(err)
	}
}

func damage(ts *testscript.TestScript, _ bool, args []string) {
	files, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(files) != 1 {
		ts.Fatalf("%q are the files", files)
	}
	text := ts.ReadFile(files[0])
	at := strings.Index(text, args[1])
	if at < 0 {
		ts.Fatalf("there is no %q", args[1])
	}
	ts.Check(os.WriteFile(files[0], []byte(text[:at]+"X"+text[at+1:]), 0o600))
}
