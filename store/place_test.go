package store_test

import (
	"errors"
	"strings"
	"testing"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// Where the tables cannot be made, or could not hold what AiFi sends, nothing is made, and
// the operator is told what to do.
func TestTheTablesAreMadeOnlyWhereTheyFit(t *testing.T) {
	for name, c := range map[string]struct{ encoding, schema, says string }{
		"no encoding":                       {"SQL_ASCII", "", "ENCODING 'UTF8'"},
		"an encoding of few":                {"LATIN1", "", "ENCODING 'UTF8'"},
		"a schema to be quoted":             {"UTF8", `"Audit-1"`, `the schema "Audit-1"`},
		"a schema named like a word of SQL": {"UTF8", `"user"`, `the schema "user"`},
		"no schema":                         {"UTF8", "nowhere", "no schema"},
		"a schema of its own":               {"UTF8", "audit_1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			url := ordinaryOwner(t)
			admin := storetest.URL(t)
			owner := storetest.Query(t, url, "SELECT current_user::text")[0]
			if c.encoding != "UTF8" {
				storetest.SQL(t, admin, "DROP DATABASE "+owner+" WITH (FORCE)",
					"CREATE DATABASE "+owner+" OWNER "+owner+" ENCODING '"+c.encoding+"' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
			}
			if c.schema != "" {
				storetest.SQL(t, admin, "ALTER ROLE "+owner+" SET search_path = "+c.schema)
			}
			if c.schema != "" && c.schema != "nowhere" {
				storetest.SQL(t, url, "CREATE SCHEMA "+c.schema)
			}
			done, err := store.Migrate(t.Context(), url)
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, store.ErrPlace) || !strings.Contains(err.Error(), c.says) || len(done) != 0 {
				t.Errorf("took %d steps, %v", len(done), err)
			}
			if made := storetest.Query(t, url, "SELECT relname::text FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)"); len(made) != 0 {
				t.Errorf("there are %v", made)
			}
		})
	}
}
