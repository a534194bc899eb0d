package store_test

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store"
	"aifi-audit/store/storefill"
	"aifi-audit/store/storetest"
)

// plan is a node of PostgreSQL's plans, after it ran.
type plan struct {
	NodeType string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Rows     float64 `json:"Actual Rows"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Loops    float64 `json:"Actual Loops"`
	Plans    []plan
}

// most gives the node that handled the most rows. Catalogue and reviews are as small here
// as to be read whole; but what is kept of that for a join is of no known size.
func (p plan) most() (rows float64, node string) {
	if p.NodeType == "Materialize" {
		return math.Inf(1), p.NodeType
	}
	if !slices.Contains([]string{"products", "gondolas", "event_reviews"}, p.Relation) {
		rows, node = (p.Rows+p.Removed)*p.Loops, p.NodeType+" "+p.Relation+" "+p.Index
	}
	for _, sub := range p.Plans {
		if r, n := sub.most(); r > rows {
			rows, node = r, n
		}
	}
	return rows, node
}

// mostRows is plan.most of PostgreSQL's JSON.
func mostRows(t *testing.T, text string) (rows float64, node string) {
	t.Helper()
	var explained []struct{ Plan plan }
	if err := json.Unmarshal([]byte(text), &explained); err != nil {
		t.Fatal(err)
	}
	return explained[0].Plan.most()
}

// A page costs what the page holds, for each filter that staff have: no node of a plan
// handles more rows than the page has, or than a few for each store and value that it
// merges, in a table that is very much larger.
func TestPageCostsThePageNotTheTable(t *testing.T) {
	s, url := open(t)
	const span = 80 * 24 * time.Hour
	if err := storefill.Fill(t.Context(), url, s, storefill.Options{
		Events: 50_000, Stores: storetest.FillStores, From: time.Now().UTC().Truncate(time.Second).Add(-span), Span: span, Reviewed: true,
	}); err != nil {
		t.Fatal(err)
	}
	statements, err := store.TraceReads(t.Context(), s, url)
	if err != nil {
		t.Fatal(err)
	}
	const limit, stores = 20, storetest.FillStores
	from, to := time.Now().AddDate(0, 0, -21), time.Now().AddDate(0, 0, -14)
	none := store.Scope{}
	page := store.Page{Limit: limit}
	events := func(kind store.Kind, f store.Filter) func() error {
		return func() error { _, _, err := s.Events(t.Context(), none, kind, f, page); return err }
	}
	sessions := func(f store.Filter) func() error {
		return func() error { _, _, err := s.Sessions(t.Context(), none, f, page); return err }
	}
	deliveries := func(f store.Filter) func() error {
		return func() error { _, _, err := s.Deliveries(t.Context(), none, f, page); return err }
	}
	flag := []string{storefill.Flag}
	for name, c := range map[string]struct {
		read   func() error
		merged float64 // stores times values
	}{
		"all":                      {events(store.AlcoholInteraction, store.Filter{}), 1},
		"of a week":                {events(store.AlcoholInteraction, store.Filter{From: &from, To: &to}), 1},
		"before":                   {events(store.AlcoholInteraction, store.Filter{To: &to}), 1},
		"of a store":               {events(store.AlcoholInteraction, store.Filter{StoreIDs: []int64{7}}), 1},
		"of a store's week":        {events(store.AlcoholInteraction, store.Filter{StoreIDs: []int64{7}, From: &from, To: &to}), 1},
		"of three stores":          {events(store.FraudAlert, store.Filter{StoreIDs: []int64{7, 8, 9}}), 3},
		"by the retailer's id":     {events(store.AlcoholInteraction, store.Filter{StoreExternalIDs: []string{"SHOP-7"}}), 1},
		"of a flag":                {events(store.AlcoholInteraction, store.Filter{Flags: flag}), stores},
		"of a flag never seen":     {events(store.AlcoholInteraction, store.Filter{Flags: []string{"NEVER"}}), stores},
		"of a product":             {events(store.AlcoholInteraction, store.Filter{ProductIDs: []string{"product-7"}}), stores},
		"of two gondolas":          {events(store.AlcoholInteraction, store.Filter{GondolaIDs: []string{"8", "9"}}), 2 * stores},
		"of a product and a flag":  {events(store.AlcoholInteraction, store.Filter{ProductIDs: []string{"product-7"}, Flags: flag}), stores},
		"of all three":             {events(store.AlcoholInteraction, store.Filter{ProductIDs: []string{"product-7"}, GondolaIDs: []string{"8"}, Flags: flag}), stores},
		"that never meet":          {events(store.AlcoholInteraction, store.Filter{ProductIDs: []string{"product-7"}, GondolaIDs: []string{"9"}, Flags: flag}), stores},
		"of a session":             {events(store.AlcoholInteraction, store.Filter{SessionIDs: []string{"session-1000"}}), 1},
		"of a customer":            {events(store.AlcoholInteraction, store.Filter{CustomerIDs: []string{"customer-1000"}}), 1},
		"of a disposition":         {events(store.AlcoholInteraction, store.Filter{Dispositions: []store.Disposition{store.Confirmed}}), stores},
		"not marked":               {events(store.AlcoholInteraction, store.Filter{Dispositions: []store.Disposition{store.Unmarked}}), 1},
		"not marked in a store":    {events(store.AlcoholInteraction, store.Filter{StoreIDs: []int64{7}, Dispositions: []store.Disposition{store.Unmarked}}), 1},
		"marked, of a product":     {events(store.AlcoholInteraction, store.Filter{ProductIDs: []string{"product-7"}, Dispositions: []store.Disposition{store.Confirmed}}), stores},
		"registrations":            {events(store.Registration, store.Filter{}), 1},
		"fraud alerts":             {events(store.FraudAlert, store.Filter{}), 1},
		"sessions":                 {sessions(store.Filter{}), 1},
		"sessions of a store":      {sessions(store.Filter{StoreIDs: []int64{7}}), 1},
		"sessions of a flag":       {sessions(store.Filter{Flags: flag}), stores},
		"sessions, flag not seen":  {sessions(store.Filter{Flags: []string{"NEVER"}}), stores},
		"deliveries":               {deliveries(store.Filter{}), 1},
		"deliveries of a store":    {deliveries(store.Filter{StoreIDs: []int64{7}}), 1},
		"deliveries of a session":  {deliveries(store.Filter{SessionIDs: []string{"session-1000"}}), 1},
		"deliveries of a webhook":  {deliveries(store.Filter{Webhooks: []string{"restricted-products-interactions"}}), stores},
		"deliveries, none of kind": {deliveries(store.Filter{StoreIDs: []int64{7}, Webhooks: []string{"never"}}), 1},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.read(); err != nil {
				t.Fatal(err)
			}
			plans, err := statements.Explain(t.Context(), s)
			if err != nil || len(plans) == 0 {
				t.Fatalf("%d plans, %v", len(plans), err)
			}
			for _, text := range plans {
				most := max(3*(limit+1), c.merged*store.SharedRows(limit+1, stores)) + stores // the few of a month may be sorted
				if rows, node := mostRows(t, text); rows > most {
					t.Errorf("%s handles %.0f rows:\n%s", node, rows, text)
				}
			}
		})
	}
}

// What no store was ever seen with is looked for in the catalogue only.
func TestWhatWasNeverSeenIsLookedForInNoPartition(t *testing.T) {
	s, url := open(t)
	storetest.Fill(t, url, s, 1000, 80*24*time.Hour)
	statements, err := store.TraceReads(t.Context(), s, url)
	if err != nil {
		t.Fatal(err)
	}
	page, never := store.Page{Limit: 20}, []string{"NEVER"}
	for name, f := range map[string]store.Filter{
		"flag": {Flags: never}, "product": {ProductIDs: never}, "gondola": {GondolaIDs: never}, "webhook": {Webhooks: never}, "store": {StoreIDs: []int64{999}},
		"product, not in these stores": {ProductIDs: []string{"product-7"}, StoreIDs: []int64{999}},
	} {
		t.Run(name, func(t *testing.T) {
			var found int
			if f.Webhooks == nil {
				events, _, err := s.Events(t.Context(), store.Scope{}, store.AlcoholInteraction, f, page)
				if err != nil {
					t.Fatal(err)
				}
				found = len(events)
			} else {
				deliveries, _, err := s.Deliveries(t.Context(), store.Scope{}, f, page)
				if err != nil {
					t.Fatal(err)
				}
				found = len(deliveries)
			}
			plans, err := statements.Explain(t.Context(), s)
			if err != nil || len(plans) != 1 || found > 0 {
				t.Fatalf("%d rows by %d plans, %v", found, len(plans), err)
			}
			var explained []struct{ Plan plan }
			if err := json.Unmarshal([]byte(plans[0]), &explained); err != nil {
				t.Fatal(err)
			}
			for _, relation := range explained[0].Plan.relations() {
				if strings.HasPrefix(relation, "event") || strings.HasPrefix(relation, "deliver") {
					t.Errorf("%s is read", relation)
				}
			}
		})
	}
}

// relations are the tables that a plan reads, or would if it came to it.
func (p plan) relations() []string {
	var names []string
	if p.Relation != "" {
		names = append(names, p.Relation)
	}
	for _, sub := range p.Plans {
		names = append(names, sub.relations()...)
	}
	return names
}

// However many months are kept, the plan of a page knows those that it needs.
func TestAPageReadsTheMonthsThatItNeeds(t *testing.T) {
	s, url := open(t)
	storetest.Fill(t, url, s, 20_000, 80*24*time.Hour)
	statements, err := store.TraceReads(t.Context(), s, url)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	last := month.AddDate(0, -1, 0)
	from, to := last.AddDate(0, 0, 7), last.AddDate(0, 0, 14)
	week := []string{"events_" + last.Format("200601")}
	newest := []string{"events_" + month.Format("200601"), "events_" + month.AddDate(0, 1, 0).Format("200601"), "events_" + month.AddDate(0, 2, 0).Format("200601"), "events_default"}
	for name, c := range map[string]struct {
		filter store.Filter
		page   store.Page
		want   []string
	}{
		"a week":                   {store.Filter{From: &from, To: &to}, store.Page{}, week},
		"a week of a store":        {store.Filter{From: &from, To: &to, StoreIDs: []int64{7}}, store.Page{}, week},
		"a week of a flag":         {store.Filter{From: &from, To: &to, Flags: []string{storefill.Flag}}, store.Page{}, week},
		"a week, oldest first":     {store.Filter{From: &from, To: &to}, store.Page{OldestFirst: true}, week},
		"the newest":               {store.Filter{}, store.Page{}, newest},
		"the newest of a store":    {store.Filter{StoreIDs: []int64{7}}, store.Page{}, newest[:1]},
		"the newest of two stores": {store.Filter{StoreIDs: []int64{7, 8}}, store.Page{}, newest[:1]},
		"the newest of a flag":     {store.Filter{Flags: []string{storefill.Flag}}, store.Page{}, newest[:1]},
	} {
		t.Run(name, func(t *testing.T) {
			c.page.Limit = 1 // the month may be young
			if _, _, err := s.Events(t.Context(), store.Scope{}, store.FraudAlert, c.filter, c.page); err != nil {
				t.Fatal(err)
			}
			plans, err := statements.Explain(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			read := map[string]bool{}
			for _, text := range plans {
				var explained []struct{ Plan plan }
				if err := json.Unmarshal([]byte(text), &explained); err != nil {
					t.Fatal(err)
				}
				for _, relation := range explained[0].Plan.relations() {
					if strings.HasPrefix(relation, "events_") {
						read[relation] = true
					}
				}
			}
			if diff := cmp.Diff(c.want, slices.Sorted(maps.Keys(read))); diff != "" {
				t.Error(diff)
			}
		})
	}
}
