package verify

import (
	"context"
	_ "embed" // the schema as it should be
	"fmt"
	"maps"
	"slices"
	"strings"

	"aifi-audit/migrations"
	"aifi-audit/store/internal/db"
)

// schemaText is what the catalogue says of a database that was migrated, a line each:
// relation, what, name, and what it says, apart by tabs. What the migrations themselves
// say of queries and bodies is not in it.
//
//go:embed schema.txt
var schemaText string

// aspect is one thing of a table, a view or a function, by what it is and its name.
type aspect struct{ what, name string }

// wantedSchema is the schema as it should be: what the catalogue says of the aspects of
// each relation, those of functions under "", and the definitions.
type wantedSchema struct {
	relations map[string]map[aspect]string
	migrations.Definitions
}

func readWantedSchema() (wantedSchema, error) {
	w := wantedSchema{relations: map[string]map[aspect]string{}}
	for line := range strings.Lines(schemaText) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 4 {
			return w, fmt.Errorf("schema.txt has the line %q", line)
		}
		if w.relations[f[0]] == nil {
			w.relations[f[0]] = map[aspect]string{}
		}
		w.relations[f[0]][aspect{f[1], f[2]}] = f[3]
	}
	var err error
	w.Definitions, err = migrations.ReadDefinitions()
	return w, err
}

// tables are the names of all tables and views but of months, which come and go.
func (w wantedSchema) tables() (names []string) {
	for name := range w.relations {
		if name != "" && !strings.HasSuffix(name, anyMonth) {
			names = append(names, name)
		}
	}
	return names
}

// schema holds what search reads through, and what guards the tables, against what the
// migrations made: the tables may be as they were, and still nobody see all of them.
func (v *verification) schema(ctx context.Context) error {
	want, err := readWantedSchema()
	if err != nil {
		return err
	}
	late, err := catalogueFirst(ctx, v.log.Conn)
	if err != nil {
		return err
	}
	functions := slices.Collect(maps.Keys(want.Functions))
	rows, err := readSchema(ctx, v.log.Conn, want.tables(), functions)
	if err != nil {
		return err
	}
	v.compareSchema(want, rows)
	found, err := readStrangers(ctx, v.log.Conn, want.tables(), functions)
	if err != nil {
		return err
	}
	if late && !slices.ContainsFunc(found, func(s stranger) bool { return s.What == "setting" }) {
		found = append(found, stranger{"setting", "search_path", catalogueLate})
	}
	for _, s := range found {
		v.found(Finding{Class: Tampered, What: s.What, Object: s.Name, Detail: s.Says})
	}
	return v.views(ctx, want)
}

// catalogueFirst has a transaction find PostgreSQL's own catalogue, whatever goes by the
// names of its tables and functions where names are looked up before. It tells whether
// there is such a place.
func catalogueFirst(ctx context.Context, tx db.DBTX) (late bool, err error) {
	var path string
	if err := tx.QueryRow(ctx, "SHOW search_path").Scan(&path); err != nil {
		return false, err
	}
	names := strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(`, "`, r) })
	if slices.Index(names, "pg_catalog") <= 0 {
		return false, nil
	}
	_, err = tx.Exec(ctx, "SET LOCAL search_path = pg_catalog, "+path)
	return true, err
}

func (v *verification) compareSchema(want wantedSchema, rows []schemaRow) {
	have, likes := map[string]map[aspect]schemaRow{}, map[string]string{"": ""}
	for _, r := range rows {
		if have[r.Relation] == nil {
			have[r.Relation] = map[aspect]schemaRow{}
		}
		have[r.Relation][aspect{r.What, r.Name}], likes[r.Relation] = r, r.like()
	}
	for _, name := range want.tables() {
		likes[name] = name
	}
	for _, relation := range slices.Sorted(maps.Keys(likes)) {
		wanted, there := want.relations[likes[relation]], have[relation]
		if relation != "" && (wanted == nil || there == nil) {
			detail := "it is not there"
			if wanted == nil {
				detail = "it is not of the schema: " + there[aspect{"table", ""}].Says
			}
			v.found(Finding{Class: Tampered, What: "table", Object: relation, Detail: detail})
			continue
		}
		all := map[aspect]bool{}
		for a := range wanted {
			all[a] = true
		}
		for a := range there {
			all[a] = true
		}
		for _, a := range slices.SortedFunc(maps.Keys(all), compareAspects) {
			says, should := wanted[a]
			row, is := there[a]
			detail := ""
			switch {
			case !is:
				detail = "it is not there"
			case !should:
				detail = "it is not of the schema: " + row.Says
			case says != row.Says:
				detail = fmt.Sprintf("it is not as migrated: %s, and should be: %s", row.Says, says)
			case a.what == "function" && row.Body != want.Functions[strings.Split(a.name, "(")[0]]:
				detail = "it does not do what its migration says"
			}
			if detail != "" {
				v.found(Finding{Class: Tampered, What: a.what, Object: strings.Trim(relation+"."+a.name, "."), Detail: detail})
			}
		}
	}
}

func compareAspects(a, b aspect) int {
	if c := strings.Compare(a.what, b.what); c != 0 {
		return c
	}
	return strings.Compare(a.name, b.name)
}
