package store_test

import (
	"cmp"
	"net/url"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
	"aifi-audit/store/verify"
)

// schemaTampers are what an owner of the database can do so that others do not see, or
// see something else, or so that he can do more than he may, while no row is touched.
var schemaTampers = map[string]tamper{
	"search hides an event": {
		`CREATE OR REPLACE VIEW event_facets AS
			SELECT store_id, kind, 'store'::text AS facet, ''::text AS value, occurred_at, id AS event_id FROM events WHERE delivery_id <> '%[2]s'
			UNION ALL SELECT store_id, kind, 'flag', flag, occurred_at, event_id FROM event_flags
			UNION ALL SELECT store_id, kind, 'product', product_id, occurred_at, event_id FROM event_products
			UNION ALL SELECT store_id, kind, 'gondola', gondola_id, occurred_at, event_id FROM event_gondolas
			UNION ALL SELECT store_id, kind, 'disposition', disposition, occurred_at, event_id FROM event_reviews`,
		[]string{"TAMPERED view event_facets"},
	},
	"a hold is shown as lifted": {
		`CREATE OR REPLACE VIEW holds AS SELECT h.id, h.at AS placed_at, h.placed_by, h.reason, h.store_id, h.session_id, h.customer_id, h.from_time, h.to_time,
			coalesce(l.at, h.at) AS lifted_at, l.lifted_by, l.reason AS lift_reason FROM legal_holds h LEFT JOIN hold_lifts l ON l.hold_id = h.id`,
		[]string{"TAMPERED view holds"},
	},
	"two columns of a view change places": {
		`ALTER VIEW event_facets RENAME event_id TO x; ALTER VIEW event_facets RENAME facet TO event_id; ALTER VIEW event_facets RENAME value TO facet; ALTER VIEW event_facets RENAME x TO value`,
		[]string{"TAMPERED column event_facets.event_id", "TAMPERED column event_facets.value", "TAMPERED view event_facets"},
	},
	"a view is a copy of what it showed": {
		`CREATE TABLE copy AS SELECT * FROM session_facets; DROP VIEW session_facets; ALTER TABLE copy RENAME TO session_facets`,
		[]string{"TAMPERED table session_facets"},
	},
	"a view is gone": {
		`DROP VIEW held_deliveries`, []string{"TAMPERED table held_deliveries"},
	},
	"a view is in place of a table": {
		`ALTER TABLE quarantine RENAME TO q; CREATE VIEW quarantine AS SELECT * FROM q`,
		[]string{"TAMPERED table quarantine", "TAMPERED view held_deliveries"},
	},
	"rows are hidden from all but the owner": {
		`CREATE POLICY most ON access_log USING (token_id <> 1); ALTER TABLE access_log ENABLE ROW LEVEL SECURITY`,
		[]string{"TAMPERED policy access_log", "TAMPERED policy access_log.most"},
	},
	"a month is hidden from all but the owner": {
		`DO $$ BEGIN EXECUTE (SELECT 'ALTER TABLE ' || min(oid::regclass::text) || ' ENABLE ROW LEVEL SECURITY' FROM pg_class WHERE relname ~ '^event_flags_[0-9]{6}$'); END $$`,
		[]string{"TAMPERED policy event_flags_YYYYMM"},
	},
	"what is inserted is thrown away": {
		`CREATE RULE forget AS ON INSERT TO event_notes DO INSTEAD NOTHING`, []string{"TAMPERED rule event_notes.forget"},
	},
	"a trigger throws away what is inserted": {
		`CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER forget BEFORE INSERT ON quarantine FOR EACH ROW EXECUTE FUNCTION forget()`,
		[]string{"TAMPERED trigger quarantine.forget"},
	},
	"a trigger alters what is inserted into one month": {
		`CREATE FUNCTION alter_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.flags := NULL; RETURN NEW; END';
		 DO $$ BEGIN EXECUTE (SELECT 'CREATE TRIGGER x BEFORE INSERT ON ' || min(oid::regclass::text) || ' FOR EACH ROW EXECUTE FUNCTION alter_it()' FROM pg_class WHERE relname ~ '^events_[0-9]{6}$'); END $$`,
		[]string{"TAMPERED trigger events_YYYYMM.x"},
	},
	"triggers are switched off": {
		`ALTER TABLE hold_lifts DISABLE TRIGGER ALL`,
		[]string{"TAMPERED trigger hold_lifts.refuse_change", "TAMPERED trigger hold_lifts.refuse_truncate", "TAMPERED trigger hold_lifts.stamp_at"},
	},
	"a trigger is gone": {
		`DROP TRIGGER refuse_change ON access_log`, []string{"TAMPERED trigger access_log.refuse_change"},
	},
	"a trigger is gone from one month": {
		`DO $$ BEGIN EXECUTE (SELECT 'DROP TRIGGER refuse_truncate ON ' || min(oid::regclass::text) FROM pg_class WHERE relname ~ '^events_[0-9]{6}$'); END $$`,
		[]string{"TAMPERED trigger events_YYYYMM.refuse_truncate"},
	},
	"a trigger works no more but in one case": {
		`CREATE OR REPLACE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON log_acts FOR EACH ROW WHEN (OLD.adopted) EXECUTE FUNCTION refuse_change()`,
		[]string{"TAMPERED trigger log_acts.refuse_change"},
	},
	"a trigger calls another function": {
		`CREATE SCHEMA other; CREATE FUNCTION other.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
		 CREATE OR REPLACE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON log_acts FOR EACH ROW EXECUTE FUNCTION other.refuse_change()`,
		[]string{"TAMPERED trigger log_acts.refuse_change"},
	},
	"a guard refuses nothing": {
		`CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE TG_OP WHEN ''DELETE'' THEN OLD ELSE NEW END; END'`,
		[]string{"TAMPERED function refuse_change()"},
	},
	"what is held can be removed": {
		`CREATE OR REPLACE FUNCTION hold_covers(h holds, stores bigint[], sessions text[], customers text[], received timestamptz, occurred timestamptz)
			RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN false`,
		[]string{"TAMPERED function hold_covers(holds, _int8, _text, _text, timestamptz, timestamptz)"},
	},
	"a function finds other tables": {
		`ALTER FUNCTION retire_month(uuid) SET search_path = other, public, pg_temp`, []string{"TAMPERED function retire_month(uuid)"},
	},
	"a function runs as its caller": {
		`ALTER FUNCTION retire_deliveries(uuid) SECURITY INVOKER`, []string{"TAMPERED function retire_deliveries(uuid)"},
	},
	"a function is gone": {
		`DROP FUNCTION sweep_people(int)`, []string{"TAMPERED function sweep_people(int4)"},
	},
	"a function closer to what is called": {
		`CREATE FUNCTION retention_at(bigint, varchar, timestamptz) RETURNS integer LANGUAGE sql AS 'SELECT 1'`,
		[]string{"TAMPERED function retention_at(int8, varchar, timestamptz)"},
	},
	"a function closer to what is called than PostgreSQL's own": {
		`CREATE FUNCTION hashtextextended(text, integer) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT 1::bigint'`,
		[]string{"TAMPERED function public.hashtextextended", "TAMPERED view delivery_facets"},
	},
	"an operator closer to what is asked than PostgreSQL's own": {
		`CREATE FUNCTION never(text, varchar) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT false'; CREATE OPERATOR = (LEFTARG = text, RIGHTARG = varchar, FUNCTION = never)`,
		[]string{"TAMPERED operator public.="},
	},
	"a column of another type": {
		`CREATE DOMAIN mine AS text; ALTER TABLE log_checkpoints ADD more text; ALTER TABLE event_personal_info ALTER email TYPE mine`,
		[]string{"TAMPERED column event_personal_info.email", "TAMPERED column log_checkpoints.more"},
	},
	"an index without some rows": {
		`CREATE FUNCTION lie() RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN current_user = ''x''; END'; CREATE INDEX a_few ON event_notes (at) WHERE lie()`,
		[]string{"TAMPERED index event_notes.a_few"},
	},
	"a constraint that says what is not so": {
		`CREATE FUNCTION one() RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; ALTER TABLE event_flags ADD CONSTRAINT only_one CHECK (store_id = one())`,
		[]string{"TAMPERED constraint event_flags.only_one"},
	},
	"rows of another table": {
		`CREATE TABLE more () INHERITS (hold_lifts)`, []string{"TAMPERED table more"},
	},
	"a month elsewhere": {
		`CREATE SCHEMA other; CREATE TABLE other.events_209901 PARTITION OF events FOR VALUES FROM ('2099-01-01') TO ('2099-02-01')`,
		[]string{"TAMPERED table other.events_YYYYMM"},
	},
	"what a function is given changes places": {
		`DO $$ DECLARE body text := (SELECT prosrc FROM pg_proc WHERE proname = 'erase_access'); BEGIN
			DROP FUNCTION erase_access;
			EXECUTE 'CREATE FUNCTION erase_access(entry bigint, new_query text, new_path text, new_detail text) RETURNS void LANGUAGE plpgsql
				SECURITY DEFINER SET search_path = public, pg_temp SET application_name = ''aifi-audit erases'' AS ' || quote_literal(body);
		 END $$`,
		[]string{"TAMPERED function erase_access(int8, text, text, text)"},
	},
	"the catalogue is somebody's": {
		`CREATE VIEW pg_rewrite AS SELECT * FROM pg_catalog.pg_rewrite WHERE false; CREATE VIEW pg_policy AS SELECT * FROM pg_catalog.pg_policy WHERE false;
		 CREATE RULE forget AS ON INSERT TO event_notes DO INSTEAD NOTHING;
		 DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$`,
		[]string{"TAMPERED rule event_notes.forget", "TAMPERED setting search_path"},
	},
	"a column in another order": {
		`CREATE COLLATION of_mine (provider = icu, locale = 'und', deterministic = false); ALTER TABLE event_personal_info ALTER email TYPE text COLLATE of_mine`,
		[]string{"TAMPERED column event_personal_info.email"},
	},
	"a table that a crash empties": {
		`ALTER TABLE log_cosignatures SET UNLOGGED`, []string{"TAMPERED table log_cosignatures"},
	},
	"a function of a schema that is searched last": {
		`CREATE SCHEMA other; CREATE FUNCTION other.get_byte(bytea, bigint) RETURNS integer LANGUAGE sql AS 'SELECT 1';
		 DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, other', current_database()); END $$`,
		[]string{"TAMPERED function other.get_byte"},
	},
}

var aMonth = regexp.MustCompile(`_[0-9]{6}\b`)

// Each way to have search show something else is found, and nothing else, by a full
// verification and by one of what is new.
func TestWhatHidesRowsIsFound(t *testing.T) {
	template, ids := matrix(t)
	whole := tlog.Tree{N: 604, Hash: prefix(t, template, 604)}
	for name, c := range schemaTampers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := template
			d.url = storetest.Clone(t, template.url)
			storetest.SQL(t, d.url, named(c.sql, ids[:]))
			result, found := verified(t, d, ids, verify.Options{})
			for i := range found {
				found[i] = aMonth.ReplaceAllString(found[i], "_YYYYMM")
			}
			if diff := gocmp.Diff(c.want, found); diff != "" || result.Clean() {
				t.Error(diff)
			}
			again, _ := verified(t, d, ids, verify.Options{From: whole})
			if gocmp.Diff(result.Findings, again.Findings) != "" {
				t.Errorf("of what is new: %v", again.Findings)
			}
		})
	}
}

// What the server's role alone finds in place of what is meant is found by whoever verifies.
func TestWhatARoleFindsElsewhereIsFound(t *testing.T) {
	template, ids := matrix(t)
	for name, c := range map[string]struct{ sql, schema string }{
		"by its setting of PostgreSQL's own": {`CREATE SCHEMA far; ALTER ROLE %[1]s SET search_path = public, pg_catalog`, "pg_catalog"},
		"by its name":                        {`CREATE SCHEMA %[1]s`, "%[1]s"},
		"by a setting":                       {`CREATE SCHEMA "so, ""far"; ALTER ROLE %[1]s SET search_path = "so, ""far", public`, `so, "far`},
		"by one of there":                    {`CREATE SCHEMA far; ALTER ROLE %[1]s IN DATABASE %[2]s SET search_path = nowhere, far, public`, "far"},
		"without the schema":                 {`CREATE SCHEMA far; ALTER ROLE %[1]s SET search_path = far`, "far"},
		"not, as it is later":                {`CREATE SCHEMA far; ALTER ROLE %[1]s SET search_path = public, far`, ""},
		"not, as an analyst's":               {`CREATE SCHEMA far; REVOKE INSERT ON deliveries FROM %[1]s; ALTER ROLE %[1]s SET search_path = far, public`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := template
			d.url = storetest.Clone(t, template.url)
			role := newRole(t, d.url, "DROP OWNED BY %[1]s", "DROP ROLE %[1]s")
			storetest.SQL(t, d.url, "SELECT grant_application('"+role+"')")
			database := storetest.Query(t, d.url, "SELECT current_database()::text")[0]
			storetest.SQL(t, d.url, strings.NewReplacer("%[1]s", role, "%[2]s", database).Replace(c.sql))
			in := strings.ReplaceAll(c.schema, "%[1]s", role)
			quoted := pgx.Identifier{cmp.Or(strings.TrimPrefix(in, "pg_catalog"), "far")}.Sanitize()
			storetest.SQL(t, d.url, "CREATE VIEW "+quoted+".sessions AS SELECT * FROM public.sessions WHERE false",
				"CREATE FUNCTION "+quoted+".text_hashes(text[]) RETURNS bigint[] LANGUAGE sql AS 'SELECT NULL::bigint[]'")
			var want []string
			if in == "pg_catalog" {
				want = []string{"TAMPERED setting search_path"}
			} else if in != "" {
				want = []string{"TAMPERED function " + in + ".text_hashes", "TAMPERED table " + in + ".sessions"}
			}
			if _, found := verified(t, d, ids, verify.Options{}); gocmp.Diff(want, found) != "" {
				t.Errorf("%q", found)
			}
		})
	}
}

// A schema that came about in another way, and is looked at by somebody else, is the same.
func TestTheSchemaOfEachInstallationIsClean(t *testing.T) {
	for name, c := range map[string]struct {
		made    func(t *testing.T, d *signed)
		without []string // what is not checked
	}{
		"as the application": {made: func(t *testing.T, d *signed) { d.url = application(t, d.url) }},
		"as an ordinary owner, in a schema of his": {made: func(t *testing.T, d *signed) {
			d.url = ordinaryOwner(t)
			storetest.SQL(t, d.url, "CREATE SCHEMA audit")
			d.url += "&search_path=audit"
			if _, err := store.Migrate(t.Context(), d.url); err != nil {
				t.Fatal(err)
			}
		}},
		"as one who only reads": {made: func(t *testing.T, d *signed) {
			role := newRole(t, d.url, "DROP OWNED BY %[1]s", "DROP ROLE %[1]s")
			database := storetest.Query(t, d.url, "SELECT current_database()::text")[0]
			storetest.SQL(t, d.url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+role, "GRANT EXECUTE ON FUNCTION make_partition TO "+role, "REVOKE TEMPORARY ON DATABASE "+database+" FROM PUBLIC")
			d.url = asRole(t, d.url, role)
		}, without: []string{"what views show, since this role may not make temporary ones"}},
		"with other months": {made: func(t *testing.T, d *signed) {
			storetest.SQL(t, d.url, "SELECT make_partition('events', 'occurred_at', '1999-01-01'), make_partition('delivery_bodies', 'received_at', '1999-01-01')",
				"DO $$ BEGIN EXECUTE (SELECT 'DROP TABLE ' || min(oid::regclass::text) FROM pg_class WHERE relname ~ '^event_flags_[0-9]{6}$'); END $$")
		}},
		"migrated step by step": {made: func(t *testing.T, d *signed) {
			d.url = ordinaryOwner(t)
			if _, err := stepwise(t, d.url).UpTo(t.Context(), 7); err != nil {
				t.Fatal(err)
			}
			storetest.SQL(t, d.url, "CREATE TABLE deliveries_199901 PARTITION OF deliveries FOR VALUES FROM ('1999-01-01Z') TO ('1999-02-01Z')")
			if _, err := store.Migrate(t.Context(), d.url); err != nil {
				t.Fatal(err)
			}
		}},
		"with what others made beside it": {made: func(t *testing.T, d *signed) {
			storetest.SQL(t, d.url, "CREATE SCHEMA other", "CREATE TABLE other.events (id int)", "CREATE TABLE mine (id int)", "CREATE VIEW my_events AS SELECT * FROM events",
				"CREATE FUNCTION my_function(text) RETURNS text LANGUAGE sql AS 'SELECT $1'", "CREATE FUNCTION lower(mine) RETURNS text LANGUAGE sql AS 'SELECT NULL'",
				"CREATE INDEX my_index ON events (shopper_id)", "CREATE TRIGGER mine BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION stamp_at()",
				"CREATE EXTENSION citext", "CREATE EXTENSION pg_trgm")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newSigned(t)
			c.made(t, &d)
			looksClean(t, d, c.without)
		})
	}
}

// looksClean verifies a database of which the schema is as it should be.
func looksClean(t *testing.T, d signed, without []string) {
	t.Helper()
	if result, found := verified(t, d, [victims]uuid.UUID{}, verify.Options{}); len(found) > 0 || gocmp.Diff(without, result.Unchecked) != "" {
		t.Errorf("%q, and not checked: %q", found, result.Unchecked)
	}
}

// replicaIsClean verifies a replica, and what is restored from a dump of it.
func replicaIsClean(t *testing.T, p *storetest.Pair) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: p.URL}) // makes partitions
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	written := storetest.Query(t, p.URL, "SELECT pg_current_wal_lsn()::text")[0]
	storetest.Eventually(t, "the replica has all", func() bool {
		return storetest.Query(t, p.ReplicaURL, "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", written)[0] == "true"
	})
	d := newSigned(t)
	d.url = p.ReplicaURL
	looksClean(t, d, []string{"what views show, since this is a replica, which cannot make temporary ones"})

	storetest.SQL(t, p.URL, "CREATE DATABASE restored")
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/restored"
	d.url = u.String()
	bin, dump := storetest.Query(t, p.URL, "SELECT setting FROM pg_config WHERE name = 'BINDIR'")[0], filepath.Join(t.TempDir(), "dump")
	for _, args := range [][]string{
		{"pg_dump", "--format=custom", "--file=" + dump, "--dbname=" + p.ReplicaURL},
		{"pg_restore", "--exit-on-error", "--dbname=" + d.url, dump},
	} {
		if text, err := osexec.CommandContext(t.Context(), filepath.Join(bin, args[0]), args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", args[0], err, text)
		}
	}
	looksClean(t, d, nil)
}
