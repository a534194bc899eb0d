package storetest

import (
	"fmt"
	"testing"
	"time"
)

// ShiftClock has the clock of a database show another time, to all who connect from then
// on: functions of our own come before PostgreSQL's.
func ShiftClock(t testing.TB, databaseURL string, ahead time.Duration) {
	t.Helper()
	var statements []string
	for _, name := range []string{"now", "clock_timestamp"} {
		statements = append(statements, fmt.Sprintf("CREATE OR REPLACE FUNCTION public.%s() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT pg_catalog.%s() + interval ''%d microseconds'''",
			name, name, ahead.Microseconds()))
	}
	SQL(t, databaseURL, append(statements, `DO $$
		DECLARE f regprocedure;
		BEGIN
			EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog, pg_temp', current_database());
			FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND array_to_string(p.proconfig, ' ') LIKE '%search_path=%' LOOP
				EXECUTE format('ALTER FUNCTION %s SET search_path = public, pg_catalog, pg_temp', f);
			END LOOP;
		END $$`)...)
}
