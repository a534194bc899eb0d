package db_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/storefill"
	"aifi-audit/store/storetest"
)

// A list that reads a branch in place of its view reads what the view has.
func TestBranchesAreThoseOfTheirViews(t *testing.T) {
	url := storetest.URL(t)
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	day := 24 * time.Hour
	if err := storefill.Fill(t.Context(), url, s, storefill.Options{Events: 2000, Stores: 5, From: time.Now().Add(-day), Span: day, Reviewed: true}); err != nil {
		t.Fatal(err)
	}
	for view, branches := range db.FacetViews() {
		facets := storetest.Query(t, url, fmt.Sprintf("SELECT DISTINCT facet FROM %s ORDER BY facet", view))
		if diff := cmp.Diff(facets, slices.Sorted(maps.Keys(branches))); diff != "" {
			t.Errorf("%s has other facets (-view +branches):\n%s", view, diff)
		}
		columns := strings.Join(storetest.Query(t, url, "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 ORDER BY attnum", view), ", ")
		for facet, branch := range branches {
			differ := storetest.Query(t, url, fmt.Sprintf(`
				WITH v AS (SELECT %[1]s FROM %[2]s WHERE facet = '%[3]s'), b AS (SELECT %[1]s FROM (%[4]s) b)
				SELECT count(*) FROM ((TABLE v EXCEPT ALL TABLE b) UNION ALL (TABLE b EXCEPT ALL TABLE v)) d`, columns, view, facet, branch))
			if differ[0] != "0" {
				t.Errorf("the branch %s of %s differs in %s rows", facet, view, differ[0])
			}
		}
	}
}
