package store_test

import (
	"strings"
	"testing"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// What an operator does to the database costs no delivery: it waits in the spool,
// and nothing of it is set aside, until the operator has mended it.
func TestMistakesOfOperators(t *testing.T) {
	for name, sql := range map[string]struct{ breaks, mends string }{
		"a table is missing":     {"ALTER TABLE deliveries RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO deliveries"},
		"a column is missing":    {"ALTER TABLE events RENAME webhook TO elsewhere", "ALTER TABLE events RENAME elsewhere TO webhook"},
		"the database is closed": {"ALTER DATABASE %s ALLOW_CONNECTIONS false", "ALTER DATABASE %s ALLOW_CONNECTIONS true"},
		"writing is forbidden":   {"ALTER DATABASE %s SET default_transaction_read_only = on", "ALTER DATABASE %s RESET default_transaction_read_only"},
	} {
		t.Run(name, func(t *testing.T) {
			url := storetest.URL(t)
			path, _, _ := strings.Cut(url, "?")
			database := path[strings.LastIndex(path, "/")+1:]
			operate := func(sql string) {
				admin := strings.Replace(url, "/"+database, "/postgres", 1)
				if strings.Contains(sql, "%s") {
					storetest.SQL(t, admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+database+"'")
					storetest.SQL(t, admin, strings.ReplaceAll(sql, "%s", database),
						"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+database+"'")
					return
				}
				storetest.SQL(t, url, sql)
			}
			s := spooling(t, url, t.TempDir())
			defer s.Close()
			all := []store.Delivery{interactionOf(t, 0)}
			record(t, s, all[0])
			operate(sql.breaks)
			for n := 1; n < 20; n++ {
				d := interactionOf(t, n)
				all = append(all, d)
				if r := record(t, s, d); r.Status != store.Spooled {
					t.Errorf("delivery %d is %s", n, r.Status)
				}
			}
			operate(sql.mends)
			storetest.Eventually(t, "the spool is empty", func() bool { return drained(s) })
			if st := s.Spool(); st.Damaged != 0 {
				t.Errorf("%d deliveries were set aside", st.Damaged)
			}
			kept(t, url, all)
		})
	}
}

// A commit that PostgreSQL may forget at a crash is none, even if an operator has
// asked for such.
func TestCommitsAreDurable(t *testing.T) {
	for set, want := range map[string]string{"off": "on", "local": "local", "remote_apply": "remote_apply"} {
		url := storetest.URL(t)
		storetest.SQL(t, url, "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET synchronous_commit = "+set+"'; END $$")
		s, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
		if err != nil {
			t.Fatal(err)
		}
		got, err := store.WriteSetting(t.Context(), s, "synchronous_commit")
		s.Close()
		if err != nil || got != want {
			t.Errorf("set to %s it is %s, %v", set, got, err)
		}
	}
}
