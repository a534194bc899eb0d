package store_test

import (
	"fmt"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
	"aifi-audit/store/verify"
)

// What came since the last verification is looked at in all ways.
func TestVerifyingWhatIsNewFindsTheSame(t *testing.T) {
	template, ids := matrix(t)
	from := verify.Options{From: tlog.Tree{N: 601, Hash: prefix(t, template, 601)}, Since: time.Now().Add(-time.Hour)}
	if result, found := verified(t, template, ids, from); len(found) > 0 || result.Leaves != 604-512 {
		t.Errorf("%+v: %q", result, found)
	}
	for name, c := range map[string]tamper{
		"a row":            {`UPDATE deliveries SET path = '' WHERE id = '%[7]s'`, []string{"TAMPERED row of 6"}},
		"a body":           {`UPDATE delivery_bodies SET body = 'x' WHERE delivery_id = '%[7]s'`, []string{"TAMPERED body of 6"}},
		"an event made up": {tampers["an event is made up"].sql, []string{"TAMPERED event of 1"}},
		"a flag gone":      {tampers["a flag can no longer be searched"].sql, []string{"MISSING flag of 1"}},
		"a product gone":   {tampers["a product can no longer be searched"].sql, []string{"MISSING product of 1"}},
		"a product more":   {tampers["search finds an event by a product that it does not state"].sql, []string{"MISSING catalogue", "TAMPERED product of 1"}},
		"another hour":     {tampers["an event is copied to another time"].sql, []string{"MISSING catalogue", "TAMPERED event of 1"}},
		"quarantine":       {tampers["a delivery leaves quarantine"].sql, []string{"MISSING quarantine of 4"}},
		"a delivery more":  {tampers["a delivery is made up"].sql, []string{"UNSEQUENCED delivery of -1"}},
		"cosignatures":     {tampers["cosignatures are deleted"].sql, []string{"UNVERIFIABLE cosignature"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := template
			d.url = storetest.Clone(t, template.url)
			other, err := store.NewDeliveryID()
			if err != nil {
				t.Fatal(err)
			}
			unguarded(t, d.url, named(c.sql, append(ids[:], other)))
			if _, found := verified(t, d, ids, from); gocmp.Diff(c.want, found) != "" {
				t.Errorf("%q", found)
			}
		})
	}
}

// A verification of what is new costs what is new, however much there was before: of what
// the tables grow by, it reads only what lies on the same pages as what is new. (Most
// of what it reads are the catalogues.)
func TestVerifyingWhatIsNewCostsWhatIsNew(t *testing.T) {
	d := newSigned(t)
	size := int64(0)
	grow := func(n int, at time.Time) tlog.Tree {
		s, published := d.open(t)
		defer s.Close()
		all := make([]store.Delivery, n)
		for i := range all {
			size++
			at := at.Add(time.Duration(i) * time.Second)
			all[i] = receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(size%5, fmt.Sprint(size), "c", at)), at)
		}
		recordMany(t, s, all)
		return wait(t, published, size).Tree
	}
	// pages are those of all tables, and those that were read of them so far.
	pages := func() (there, read int64) {
		storetest.Eventually(t, "nobody else is connected", func() bool {
			return storetest.Query(t, d.url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")[0] == "0"
		})
		row := storetest.Query(t, d.url, `SELECT (SELECT sum(pg_relation_size(oid)) / current_setting('block_size')::int FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace)::bigint
			|| ' ' || (SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database())`)[0]
		if _, err := fmt.Sscan(row, &there, &read); err != nil {
			t.Fatal(err)
		}
		return there, read
	}
	cost := func(from tlog.Tree, since time.Time) (there, read int64) {
		grow(40, since)
		storetest.SQL(t, d.url, "VACUUM ANALYZE")
		for range 3 { // the least counts: vacuuming reads pages too
			_, before := pages()
			result, found := verified(t, d, [victims]uuid.UUID{}, verify.Options{From: from, Since: since})
			if len(found) > 0 || result.Size != size {
				t.Errorf("%+v: %q", result, found)
			}
			var after int64
			if there, after = pages(); read == 0 || after-before < read {
				read = after - before
			}
		}
		return there, read
	}
	long := time.Now().AddDate(0, 0, -20)
	less, few := cost(grow(500, long), time.Now().Add(-3*time.Hour))
	more, many := cost(grow(6000, long.Add(time.Hour)), time.Now().Add(-time.Hour))
	if many-few > (more-less)/2 {
		t.Errorf("%d pages were read of %d, and %d of %d", few, less, many, more)
	}
}

// recordMany records as many senders at once would.
func recordMany(t testing.TB, s *store.Store, all []store.Delivery) {
	t.Helper()
	var senders errgroup.Group
	senders.SetLimit(256)
	for _, d := range all {
		senders.Go(func() error {
			_, err := s.Record(t.Context(), d)
			return err
		})
	}
	if err := senders.Wait(); err != nil {
		t.Fatal(err)
	}
}
