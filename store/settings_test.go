package store_test

import (
	"testing"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// Settings of the role, as hosts of PostgreSQL make them, keep no migration from waiting
// as long as it has to.
func TestMigrationsHeedNoTimeouts(t *testing.T) {
	url := ordinaryOwner(t)
	if _, err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	downTo(t, url, 28)
	owner := storetest.Query(t, url, "SELECT current_user::text")[0]
	for _, setting := range []string{"statement_timeout = '1s'", "lock_timeout = '1s'", "default_transaction_isolation = 'serializable'"} {
		storetest.SQL(t, storetest.URL(t), "ALTER ROLE "+owner+" SET "+setting)
	}
	end := holding(t, url, "BEGIN; LOCK TABLE goose_db_version IN EXCLUSIVE MODE")
	ended := make(chan error, 1)
	go func() {
		_, err := store.Migrate(t.Context(), url)
		ended <- err
	}()
	storetest.Eventually(t, "a step has waited for longer than the timeouts", func() bool {
		return len(ended) > 0 || storetest.Query(t, url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND now() - query_start > interval '1200ms'")[0] == "1"
	})
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
