package verify_test

import (
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"aifi-audit/migrations"
	"aifi-audit/store/storetest"
	"aifi-audit/store/verify"
)

var update = flag.Bool("schema.update", false, "write schema.txt after a migration, in place of comparing it")

// What is held against a database is what the migrations make, all of it: the tables,
// views and functions are those that are there, not those that somebody thought of.
func TestTheSchemaIsWhatTheMigrationsMake(t *testing.T) {
	const file = "schema.txt"
	url := storetest.URL(t)
	relations := storetest.Query(t, url, `SELECT relname::text FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND relname !~ '_[0-9]{6}$' AND relname <> 'goose_db_version'`)
	functions := storetest.Query(t, url, "SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1")
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	made, err := verify.Schema(t.Context(), conn, relations, functions)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, []byte(made), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(said), made); diff != "" {
		t.Error("after a migration, run this test with -schema.update: ", diff)
	}
	// Bodies and queries are read from the migrations.
	d, err := migrations.ReadDefinitions()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range functions {
		if body := storetest.Query(t, url, "SELECT prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = $1", f); !slices.Equal(body, []string{d.Functions[f]}) {
			t.Errorf("the migrations are read to make the function %s do %q, and it does %q", f, d.Functions[f], body)
		}
	}
	for _, v := range storetest.Query(t, url, "SELECT viewname::text FROM pg_views WHERE schemaname = 'public'") {
		if d.Views[v] == "" {
			t.Errorf("the migrations are not read to make the view %s", v)
		}
	}
}
