package verify

import (
	"context"
	"regexp"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store/internal/db"
)

// Statements about the catalogue, of which sqlc knows too little. They read its tables and
// call few of its functions: those see what was committed a moment ago, and so may fail
// over a partition that the snapshot still has.

// schemaRow is what the catalogue says of one thing that belongs to a table or view of
// ours, or of a function.
type schemaRow struct {
	Relation string // "" of a function
	What     string // table, column, trigger, rule, policy, index, constraint, function
	Name     string // "" of what is of the relation itself
	Says     string
	Body     string // of a function
}

// month ends the name of a partition.
var month = regexp.MustCompile(`_[0-9]{6}$`)

// like is the relation in whose place the row's stands: all months are alike.
func (r schemaRow) like() string { return month.ReplaceAllString(r.Relation, anyMonth) }

const anyMonth = "_YYYYMM"

// home is the schema in which this session finds deliveries. Names of things that lie
// elsewhere tell where.
const home = `home AS (
    SELECT n.oid, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('deliveries')
)`

// schemaRows takes the names of tables and views, and of functions.
const schemaRows = `WITH RECURSIVE ` + home + `, ours AS (
    SELECT c.oid FROM pg_class c JOIN home ON home.oid = c.relnamespace WHERE c.relname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION
    SELECT i.inhrelid FROM ours JOIN pg_inherits i ON i.inhparent = ours.oid
), relations AS (
    SELECT c.*, CASE WHEN c.relnamespace = home.oid THEN c.relname::text ELSE n.nspname || '.' || c.relname END AS called
    FROM ours JOIN pg_class c ON c.oid = ours.oid JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN home
), types AS (
    SELECT t.oid, t.typcollation, CASE WHEN n.oid IN (home.oid, 'pg_catalog'::regnamespace) THEN t.typname::text ELSE n.nspname || '.' || t.typname END AS called
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace CROSS JOIN home
), functions AS (
    SELECT p.*, CASE WHEN n.oid = home.oid THEN p.proname::text ELSE n.nspname || '.' || p.proname END AS called
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace CROSS JOIN home
)
SELECT r.called, 'table', ''::text, concat_ws(', ',
    CASE r.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'divided table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END,
    'part of ' || (SELECT string_agg(p.relname, ' and ' ORDER BY p.relname) FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhrelid = r.oid),
    CASE WHEN r.relpersistence <> 'p' THEN 'not durable' END), ''
FROM relations r
UNION ALL
SELECT r.called, 'column', a.attname, concat_ws(', ', t.called, CASE WHEN a.attgenerated <> '' THEN 'generated' END,
    CASE WHEN a.attcollation <> t.typcollation THEN 'in another order' END), ''
FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid JOIN types t ON t.oid = a.atttypid
WHERE a.attnum > 0 AND NOT r.relispartition
UNION ALL
SELECT r.called, 'trigger', t.tgname, concat_ws(' ',
    CASE WHEN t.tgtype & 2 > 0 THEN 'BEFORE' WHEN t.tgtype & 64 > 0 THEN 'INSTEAD OF' ELSE 'AFTER' END,
    concat_ws(' OR ', CASE WHEN t.tgtype & 4 > 0 THEN 'INSERT' END, CASE WHEN t.tgtype & 16 > 0 THEN 'UPDATE' END,
        CASE WHEN t.tgtype & 8 > 0 THEN 'DELETE' END, CASE WHEN t.tgtype & 32 > 0 THEN 'TRUNCATE' END),
    CASE WHEN t.tgtype & 1 > 0 THEN 'FOR EACH ROW' ELSE 'FOR EACH STATEMENT' END, 'EXECUTE ' || f.called || '(' || encode(t.tgargs, 'escape') || ')',
    'OLD TABLE ' || t.tgoldtable, 'NEW TABLE ' || t.tgnewtable,
    CASE WHEN t.tgqual IS NOT NULL OR t.tgattr::text <> '' THEN 'under a condition' END, CASE WHEN t.tgconstraint <> 0 THEN 'as a constraint' END,
    CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas only' WHEN 'A' THEN 'always' END), ''
FROM relations r JOIN pg_trigger t ON t.tgrelid = r.oid JOIN functions f ON f.oid = t.tgfoid
WHERE NOT t.tgisinternal
UNION ALL
SELECT r.called, 'rule', w.rulename, CASE WHEN w.ev_enabled = 'D' THEN 'disabled' ELSE 'a rule' END, ''
FROM relations r JOIN pg_rewrite w ON w.ev_class = r.oid
WHERE w.rulename <> '_RETURN' OR w.ev_enabled <> 'O'
UNION ALL
SELECT r.called, 'policy', p.polname, 'a policy', ''
FROM relations r JOIN pg_policy p ON p.polrelid = r.oid
UNION ALL
SELECT r.called, 'policy', '', 'row security is on', ''
FROM relations r WHERE r.relrowsecurity OR r.relforcerowsecurity
UNION ALL
-- PostgreSQL believes what a function of somebody's says of itself: by an index, or a
-- constraint, it may leave out rows. What is of PostgreSQL itself is not in pg_depend.
SELECT r.called, x.what, x.name, 'by ' || string_agg(DISTINCT coalesce(f.called, 'an operator'), ' and '), ''
FROM relations r
JOIN LATERAL (
    SELECT 'pg_class'::regclass AS class, i.indexrelid AS oid, 'index' AS what, c.relname AS name
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = r.oid AND i.indisvalid AND NOT c.relispartition
    UNION ALL
    SELECT 'pg_constraint'::regclass, c.oid, 'constraint', c.conname FROM pg_constraint c WHERE c.conrelid = r.oid AND c.conislocal
) x ON true
JOIN pg_depend d ON d.classid = x.class AND d.objid = x.oid AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
LEFT JOIN functions f ON f.oid = d.refobjid AND d.refclassid = 'pg_proc'::regclass
GROUP BY r.called, x.what, x.name
UNION ALL
SELECT '', 'function', f.called || '(' || coalesce((SELECT string_agg(t.called, ', ' ORDER BY a.at)
    FROM unnest(f.proargtypes) WITH ORDINALITY a (oid, at) JOIN types t ON t.oid = a.oid), '') || ')',
    concat_ws(', ', CASE f.prokind WHEN 'f' THEN 'gives ' ELSE 'another kind, gives ' END || CASE WHEN f.proretset THEN 'rows of ' ELSE '' END || t.called,
    'of ' || array_to_string(f.proargnames, ' '), CASE WHEN f.pronargdefaults > 0 OR f.provariadic <> 0 THEN 'not all needed' END, l.lanname,
    CASE f.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END, 'parallel ' || f.proparallel::text,
    CASE WHEN f.prosecdef THEN 'as its owner' END, CASE WHEN f.proisstrict THEN 'strict' END, CASE WHEN f.prosqlbody IS NOT NULL THEN 'parsed' END,
    (SELECT string_agg(CASE c WHEN 'search_path=' || quote_ident(home.nspname) || ', pg_temp' THEN 'search_path=(its own)'
        ELSE lower(split_part(c, '=', 1)) || substr(c, strpos(c, '=')) END, ', ' ORDER BY lower(c) COLLATE "C") FROM unnest(f.proconfig) c)), f.prosrc
FROM functions f JOIN home ON home.oid = f.pronamespace JOIN types t ON t.oid = f.prorettype JOIN pg_language l ON l.oid = f.prolang
WHERE f.proname = ANY ($2::text[])`

const catalogueLate = "names are looked up elsewhere before they are among those of PostgreSQL"

// strangers takes the names of tables and views, and of functions, and gives what this
// session, or a role that may be the server's (not each superuser may), finds in their place, or in the place of
// what PostgreSQL has: a function or operator whose types are closer to those that are
// asked for goes before its own. What a superuser installed with an extension is no
// stranger, nor are functions of types that the tables do not have.
const strangers = `WITH ` + home + `, writers AS (
    SELECT r.oid, r.rolname FROM pg_roles r
    WHERE has_table_privilege(r.oid, to_regclass('deliveries'), 'INSERT')
        AND (NOT r.rolsuper OR r.rolname = current_user OR r.oid = (SELECT c.relowner FROM pg_class c WHERE c.oid = to_regclass('deliveries')))
), paths AS (
    SELECT 0 AS path, s.at, s.name::text FROM unnest(current_schemas(false)) WITH ORDINALITY s (name, at)
    UNION ALL
    SELECT 1, 0, r.rolname FROM writers r
    UNION ALL
    SELECT 2 + dense_rank() OVER (ORDER BY s.setdatabase, s.setrole), e.at, coalesce(replace(e.name[1], '""', '"'), e.name[2])
    FROM pg_db_role_setting s
    CROSS JOIN LATERAL unnest(s.setconfig) c
    CROSS JOIN LATERAL regexp_matches(substr(c, length('search_path=') + 1), '"((?:[^"]|"")*)"|([^",\s]+)', 'g') WITH ORDINALITY e (name, at)
    WHERE c LIKE 'search\_path=%' AND s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
        AND (s.setrole = 0 OR s.setrole IN (SELECT r.oid FROM writers r))
), before AS (
    SELECT DISTINCT n.oid FROM paths p JOIN pg_namespace n ON n.nspname = p.name JOIN home ON n.oid <> home.oid
    WHERE NOT EXISTS (SELECT 1 FROM paths h WHERE h.path = p.path AND h.at < p.at AND h.name = home.nspname) AND n.nspname <> 'pg_catalog'
), searched AS (
    SELECT oid FROM before UNION SELECT oid FROM home UNION SELECT n.oid FROM pg_namespace n WHERE n.nspname = ANY (current_schemas(false)) AND n.nspname <> 'pg_catalog'
)
SELECT 'table' AS what, n.nspname || '.' || c.relname AS name, 'it is found in place of the table or view of that name' AS says
FROM pg_class c JOIN before ON before.oid = c.relnamespace JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL
SELECT 'function', n.nspname || '.' || p.proname, 'it is found in place of the function of that name'
FROM pg_proc p JOIN before ON before.oid = p.pronamespace JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.proname = ANY ($2::text[])
UNION ALL
SELECT 'function', n.nspname || '.' || p.proname, 'it may be found in place of PostgreSQL''s own'
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.pronamespace = ANY (ARRAY(SELECT s.oid FROM searched s)) AND p.proname IN (SELECT o.proname FROM pg_proc o WHERE o.pronamespace = 'pg_catalog'::regnamespace)
    AND NOT EXISTS (SELECT 1 FROM pg_type t WHERE t.oid = ANY (p.proargtypes) AND t.typnamespace <> 'pg_catalog'::regnamespace)
    AND NOT EXISTS (SELECT 1 FROM pg_depend d JOIN pg_roles r ON r.oid = p.proowner WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' AND r.rolsuper)
UNION ALL
SELECT 'operator', n.nspname || '.' || p.oprname, 'it may be found in place of PostgreSQL''s own'
FROM pg_operator p JOIN pg_namespace n ON n.oid = p.oprnamespace
WHERE p.oprnamespace = ANY (ARRAY(SELECT s.oid FROM searched s)) AND p.oprname IN (SELECT o.oprname FROM pg_operator o WHERE o.oprnamespace = 'pg_catalog'::regnamespace)
    AND NOT EXISTS (SELECT 1 FROM pg_type t WHERE t.oid IN (p.oprleft, p.oprright) AND t.typnamespace <> 'pg_catalog'::regnamespace)
    AND NOT EXISTS (SELECT 1 FROM pg_depend d JOIN pg_roles r ON r.oid = p.oprowner WHERE d.classid = 'pg_operator'::regclass AND d.objid = p.oid AND d.deptype = 'e' AND r.rolsuper)
UNION ALL
SELECT DISTINCT 'setting', 'search_path', '` + catalogueLate + `' FROM paths p WHERE p.name = 'pg_catalog' AND p.at > 1
ORDER BY 1, 2`

func readSchema(ctx context.Context, tx db.DBTX, relations, functions []string) ([]schemaRow, error) {
	rows, err := tx.Query(ctx, schemaRows, relations, functions)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[schemaRow])
}

// stranger lies where names are looked up, before or beside what is meant.
type stranger struct{ What, Name, Says string }

func readStrangers(ctx context.Context, tx db.DBTX, relations, functions []string) ([]stranger, error) {
	rows, err := tx.Query(ctx, strangers, relations, functions)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[stranger])
}
