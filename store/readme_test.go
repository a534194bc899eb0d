package store_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

var sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)```")

// What README has analysts ask is answered to the role that README gives them, and that
// role sees none of the personal data but ids of customers and hashes of bodies.
func TestWhatAnalystsAskIsAnswered(t *testing.T) {
	d, _ := matrix(t)
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## The tables\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := sqlBlock.FindAllStringSubmatch(section, -1)
	if len(blocks) < 2 {
		t.Fatalf("README has %d blocks of SQL", len(blocks))
	}
	role := newRole(t, d.url, "DROP OWNED BY %[1]s", "DROP ROLE %[1]s")
	_, grants, found := strings.Cut(blocks[0][1], "CREATE ROLE analyst LOGIN PASSWORD 'secret';")
	if !found {
		t.Fatalf("README makes no role: %s", blocks[0][1])
	}
	storetest.SQL(t, d.url, strings.ReplaceAll(grants, "TO analyst", "TO "+role))
	analyst := asRole(t, d.url, role)
	for _, block := range blocks[1:] {
		if err := exec(t, analyst, block[1]); err != nil {
			t.Errorf("%v: %s", err, block[1])
		}
	}
	seen := storetest.Query(t, analyst, `SELECT table_name || '.' || column_name FROM information_schema.column_privileges WHERE grantee = $1`, role)
	columns := map[string]bool{}
	for _, c := range seen {
		columns[c] = true
	}
	for _, c := range store.PersonalColumns {
		name := c.Table + "." + c.Column
		if columns[name] && c.Column != "customer_id" && name != "deliveries.body_sha256" {
			t.Errorf("an analyst sees %s", name)
		}
	}
	if !columns["events.customer_id"] || columns["event_reviews.disposition_by"] {
		t.Errorf("an analyst sees %q", seen)
	}
}
