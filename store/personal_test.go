package store_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// suspect are names of columns that sound like a person.
var suspect = regexp.MustCompile(`customer|email|name|phone|personal|comment|metadata|body|payment_instrument|^external_id$`)

// harmless are those that are none of a shopper's.
var harmless = map[string]bool{
	"stores.external_id": true, "store_external_ids.external_id": true, // of a store
	"tokens.name": true, "event_notes.token_name": true, // of staff
	"deliveries.body_size": true, "refused.body_size": true, "log_erasures.body_commitment": true, // nobody can guess what is behind it
	"sessions.customer_satisfaction": true, "sessions.customer_satisfaction_submitted": true, "sessions.customer_first_entered_at": true,
	"sessions.customer_last_entered_at": true, "sessions.customer_first_exited_at": true, "sessions.customer_last_exited_at": true,
}

func TestTheListOfPersonalColumnsIsThatOfTheSchema(t *testing.T) {
	url := storetest.URL(t)
	columns := map[string]bool{}
	for _, c := range storetest.Query(t, url, `SELECT c.table_name || '.' || c.column_name FROM information_schema.columns c
		JOIN pg_class p ON p.relname = c.table_name AND p.relnamespace = 'public'::regnamespace AND p.relkind IN ('r', 'p') AND NOT p.relispartition
		WHERE c.table_schema = 'public'`) {
		columns[c] = true
	}
	listed := map[string]bool{}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "**Personal data** of shoppers")
	section, _, _ = strings.Cut(section, "```")
	for _, c := range store.PersonalColumns {
		name := c.Table + "." + c.Column
		if !columns[name] {
			t.Errorf("there is no %s", name)
		}
		if listed[name] {
			t.Errorf("%s is listed twice", name)
		}
		listed[name] = true
		if !strings.Contains(section, "`"+c.Table) {
			t.Errorf("README does not say that there is personal data in %s", c.Table)
		}
	}
	for c := range columns {
		_, column, _ := strings.Cut(c, ".")
		if suspect.MatchString(column) && !listed[c] && !harmless[c] && !strings.HasPrefix(c, "goose") {
			t.Errorf("%s sounds like a person, and is not listed", c)
		}
	}
}
