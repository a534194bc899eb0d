package store_test

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storefill"
	"aifi-audit/store/storetest"
)

// Several processes that start at once make the same partitions.
func TestPartitionsAreMadeByManyAtOnce(t *testing.T) {
	url := storetest.URL(t)
	var stores []*store.Store
	for range 4 {
		s, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		stores = append(stores, s)
	}
	from := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	var all sync.WaitGroup
	for _, s := range stores {
		all.Go(func() {
			if err := s.EnsurePartitions(t.Context(), from, from.AddDate(0, 11, 0)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := storetest.Query(t, url, "SELECT count(*) FROM pg_class WHERE relname ~ '^(deliveries|events)_2001..$' AND relispartition"); got[0] != "24" {
		t.Errorf("there are %s partitions", got[0])
	}
}

// A search over a week reads the months that the week lies in, and no other.
func TestAWeekReadsItsMonthsOnly(t *testing.T) {
	s, url := open(t)
	storetest.Fill(t, url, s, 5_000, 200*24*time.Hour)
	statements, err := store.TraceReads(t.Context(), s, url)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Now().UTC().AddDate(0, -3, 0)
	to := from.AddDate(0, 0, 7)
	months := []string{from.Format("200601"), to.Format("200601")}
	page, week := store.Page{Limit: 20}, store.Filter{From: &from, To: &to}
	with := func(f store.Filter) store.Filter { f.From, f.To = week.From, week.To; return f }
	events := func(f store.Filter) func() error {
		return func() error {
			_, _, err := s.Events(t.Context(), store.Scope{}, store.AlcoholInteraction, f, page)
			return err
		}
	}
	for name, read := range map[string]func() error{
		"events": events(week), "of a store": events(with(store.Filter{StoreIDs: []int64{7}})), "of a flag": events(with(store.Filter{Flags: []string{storefill.Flag}})),
		"of a product":  events(with(store.Filter{ProductIDs: []string{"product-7"}})),
		"of a session":  events(with(store.Filter{SessionIDs: []string{"session-100"}})),
		"of a customer": events(with(store.Filter{CustomerIDs: []string{"customer-100"}})),
		"deliveries":    func() error { _, _, err := s.Deliveries(t.Context(), store.Scope{}, week, page); return err },
	} {
		t.Run(name, func(t *testing.T) {
			if err := read(); err != nil {
				t.Fatal(err)
			}
			plans, err := statements.Explain(t.Context(), s)
			if err != nil || len(plans) == 0 {
				t.Fatalf("%d plans, %v", len(plans), err)
			}
			for _, text := range plans {
				var explained []struct{ Plan plan }
				if err := json.Unmarshal([]byte(text), &explained); err != nil {
					t.Fatal(err)
				}
				for _, relation := range explained[0].Plan.read() {
					if month := relation[max(0, len(relation)-6):]; partition.MatchString(relation) && !slices.Contains(months, month) {
						t.Errorf("it reads %s", relation)
					}
				}
			}
		})
	}
}

// partition matches the names of partitions but the DEFAULT one, which may have any time.
var partition = regexp.MustCompile(`_[0-9]{6}$`)

// read are the tables that a plan has read.
func (p plan) read() (relations []string) {
	if p.Relation != "" && p.Loops > 0 {
		relations = append(relations, p.Relation)
	}
	for _, sub := range p.Plans {
		relations = append(relations, sub.read()...)
	}
	return relations
}

// Who reads for a long time keeps a partition from being made, and nobody from recording.
func TestAPartitionIsNotWaitedFor(t *testing.T) {
	s, url := open(t)
	reader, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close(context.Background()) }()
	if _, err := reader.Exec(t.Context(), "BEGIN; SELECT FROM events_default"); err != nil {
		t.Fatal(err)
	}
	old := time.Date(1999, 1, 2, 0, 0, 0, 0, time.UTC)
	if err := s.EnsurePartitions(t.Context(), old, old); err == nil {
		t.Error("the partition of events was made under a reader")
	}
	made := func() string {
		return storetest.Query(t, url, "SELECT count(*) FROM pg_class WHERE relname ~ '_199901$' AND relispartition AND relkind = 'r'")[0]
	}
	if got := made(); got != "5" {
		t.Errorf("%s partitions were made, and not the other five", got)
	}
	record(t, s, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s", "c", old)))
	restarted, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Now: func() time.Time { return old.AddDate(1, 0, 0) }})
	if err != nil {
		t.Fatal("it does not start: ", err)
	}
	restarted.Close()
	if _, err := reader.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := s.EnsurePartitions(t.Context(), old, old); err != nil {
		t.Error(err)
	}
	if got := made(); got != "6" {
		t.Errorf("there are %s partitions", got)
	}
}
