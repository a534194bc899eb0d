package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
)

// month is eight hours before a month begins: what happens from then on lies in two
// partitions.
var month = time.Date(time.Now().UTC().Year(), time.Now().UTC().Month(), 1, -8, 0, 0, 0, time.UTC)

// fill records events of three stores, of which some share their times.
func fill(t testing.TB, s *store.Store, n int) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		body := fmt.Sprintf(`{"storeId":%d,"storeExternalId":"shop %d","sessionId":"s%d","eventId":"e%d","timeOfOrigin":%q,
			"customer":{"id":"c%d"},"shopper":{"shopperId":"x","shopperFlags":["F%d"]},"productIds":["p%d","p%d"],"gondolaIds":[%d],
			"session":{"shoppingSessionFlags":["F%d"]}}`,
			i%3, i%3, i%11, i, month.Add(time.Duration(i/4)*time.Hour).Format(time.RFC3339), i%7, i%2, i%5, i%3, i%4, i%3)
		webhook := aifi.RestrictedProductsInteractions
		if i%13 == 12 {
			webhook = aifi.Tracking
		}
		d := deliver(t, webhook, body)
		all.Go(func() {
			if _, err := s.Record(context.Background(), d); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func ids(events []store.Event) []string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = e.ID.String()
	}
	return out
}

// matches is the meaning of a filter, told again without SQL.
func matches(e store.Event, f store.Filter) bool {
	one := func(want []string, have *string) bool {
		return want == nil || have != nil && slices.Contains(want, *have)
	}
	many := func(want, have []string) bool {
		return want == nil || slices.ContainsFunc(have, func(h string) bool { return slices.Contains(want, h) })
	}
	return (f.StoreIDs == nil || slices.Contains(f.StoreIDs, e.StoreID)) && one(f.StoreExternalIDs, e.StoreExternalID) &&
		one(f.SessionIDs, e.SessionID) && one(f.CustomerIDs, e.CustomerID) && many(f.ProductIDs, e.ProductIDs) &&
		many(f.GondolaIDs, e.GondolaIDs) && many(f.Flags, e.Flags) && ofDisposition(f.Dispositions, e.Review.Disposition) &&
		(f.From == nil || !e.OccurredAt.Before(*f.From)) && (f.To == nil || e.OccurredAt.Before(*f.To))
}

func TestPagingThroughAnyFilterIsTheFullScan(t *testing.T) {
	s, _ := open(t)
	fill(t, s, 60)
	everything := func() (all []store.Event) {
		if err := s.ExportEvents(t.Context(), store.Scope{}, store.AlcoholInteraction, store.Filter{}, func(e store.Event) error {
			all = append(all, e)
			return nil
		}); err != nil || len(all) != 56 {
			t.Fatal(len(all), err)
		}
		return all
	}
	review(t, s, everything())
	all := everything()
	rapid.Check(t, func(t *rapid.T) {
		store.SetPaging(s, rapid.Int64Range(0, 9).Draw(t, "looks through"), rapid.SampledFrom([]int{0, 100}).Draw(t, "merges gladly"), rapid.Bool().Draw(t, "never merges"))
		some := func(name, format string, n int) []string {
			if !rapid.Bool().Draw(t, name) {
				return nil
			}
			return rapid.SliceOfN(rapid.Map(rapid.IntRange(0, n), func(i int) string { return fmt.Sprintf(format, i) }), 1, 3).Draw(t, name+" values")
		}
		f := store.Filter{
			StoreExternalIDs: some("external", "shop %d", 3), SessionIDs: some("session", "s%d", 11), CustomerIDs: some("customer", "c%d", 7),
			ProductIDs: some("product", "p%d", 5), GondolaIDs: some("gondola", "%d", 4), Flags: some("flag", "F%d", 2),
		}
		if rapid.Bool().Draw(t, "store") {
			f.StoreIDs = rapid.SliceOfN(rapid.Int64Range(0, 3), 1, 3).Draw(t, "stores")
		}
		if rapid.Bool().Draw(t, "disposition") {
			f.Dispositions = anyDisposition.Draw(t, "dispositions")
		}
		if rapid.Bool().Draw(t, "range") {
			from, to := month.Add(5*time.Hour), month.Add(30*time.Hour)
			f.From, f.To = &from, &to
		}
		scope, visible := store.Scope{}, []int64{0, 1, 2}
		if rapid.Bool().Draw(t, "limited") {
			visible = []int64{0, 2}
			scope = store.OnlyStores(visible)
		}
		var want []store.Event
		for _, e := range all {
			if matches(e, f) && slices.Contains(visible, e.StoreID) {
				want = append(want, e)
			}
		}
		var exported []store.Event
		if err := s.ExportEvents(context.Background(), scope, store.AlcoholInteraction, f, func(e store.Event) error {
			exported = append(exported, e)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, exported); diff != "" {
			t.Fatal(diff)
		}
		page := store.Page{Limit: rapid.IntRange(7, 40).Draw(t, "limit"), OldestFirst: rapid.Bool().Draw(t, "oldest first")}
		if page.OldestFirst {
			slices.Reverse(want)
		}
		pages := func(page store.Page, turn func(*store.Page, *store.Position)) (pages [][]string) {
			for {
				events, onward, err := s.Events(context.Background(), scope, store.AlcoholInteraction, f, page)
				if err != nil {
					t.Fatal(err)
				}
				pages = append(pages, ids(events))
				if onward == nil {
					return pages
				}
				turn(&page, onward)
			}
		}
		forth := pages(page, func(p *store.Page, at *store.Position) { p.After = at })
		if diff := cmp.Diff(ids(want), slices.Concat(forth...), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		// Back again, from the first item of the last page: what comes before page n is page n-1.
		last := forth[len(forth)-1]
		if len(forth) == 1 {
			return
		}
		at := want[len(want)-len(last)].Position()
		page.Before = &at
		back := pages(page, func(p *store.Page, at *store.Position) { p.Before = at })
		slices.Reverse(back)
		if diff := cmp.Diff(forth[:len(forth)-1], back); diff != "" {
			t.Fatal(diff)
		}
		n, err := s.CountEvents(context.Background(), scope, store.AlcoholInteraction, f, store.Page{Limit: 1000, Before: &at, OldestFirst: page.OldestFirst})
		if err != nil || int(n) != len(want)-len(last) {
			t.Fatalf("%d are counted before the last page of %d in %d, %v", n, len(last), len(want), err)
		}
	})
}

// The lists that have a statement for pages and one for exports say the same by both.
func TestPagingIsTheExport(t *testing.T) {
	s, _ := open(t)
	fill(t, s, 60)
	rapid.Check(t, func(t *rapid.T) {
		store.SetPaging(s, rapid.Int64Range(0, 9).Draw(t, "looks through"), rapid.SampledFrom([]int{0, 100}).Draw(t, "merges gladly"), rapid.Bool().Draw(t, "never merges"))
		some := func(name string, values ...string) []string {
			if !rapid.Bool().Draw(t, name) {
				return nil
			}
			return rapid.SliceOfN(rapid.SampledFrom(values), 1, 3).Draw(t, name+" values")
		}
		f := store.Filter{
			SessionIDs: some("session", "s1", "s2", "s99"), CustomerIDs: some("customer", "c1", "c2", "c99"),
			Flags: some("flag", "F0", "F1", "F99"), StoreExternalIDs: some("external", "shop 0", "shop 1", "shop 99"),
			Webhooks: some("webhook", string(aifi.Tracking), string(aifi.RestrictedProductsInteractions), "never"),
		}
		if rapid.Bool().Draw(t, "store") {
			f.StoreIDs = rapid.SliceOfN(rapid.Int64Range(0, 3), 1, 3).Draw(t, "stores")
		}
		scope := store.Scope{}
		if rapid.Bool().Draw(t, "limited") {
			scope = store.OnlyStores([]int64{0, 2})
		}
		limit := rapid.IntRange(1, 40).Draw(t, "limit")
		samePaged(t, scope, f, limit, s.Sessions, s.ExportSessions, func(x store.Session) string { return fmt.Sprint(x.StoreID, x.SessionID, x.Flags) })
		samePaged(t, scope, f, limit, s.Deliveries, s.ExportDeliveries, func(x store.KeptDelivery) string { return fmt.Sprint(x.StoreID, x.ID, x.Status) })
	})
}

func samePaged[T any](t *rapid.T, scope store.Scope, f store.Filter, limit int,
	page func(context.Context, store.Scope, store.Filter, store.Page) ([]T, *store.Position, error),
	export func(context.Context, store.Scope, store.Filter, func(T) error) error, name func(T) string,
) {
	t.Helper()
	var want, got []string
	if err := export(context.Background(), scope, f, func(x T) error { want = append(want, name(x)); return nil }); err != nil {
		t.Fatal(err)
	}
	for p := (store.Page{Limit: limit}); ; {
		items, next, err := page(context.Background(), scope, f, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			got = append(got, name(item))
		}
		if next == nil {
			break
		}
		p.After = next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestPagesStayPutWhileEventsArrive(t *testing.T) {
	s, _ := open(t)
	fill(t, s, 100)
	before, _, err := s.Events(t.Context(), store.Scope{}, store.AlcoholInteraction, store.Filter{}, store.Page{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var got []store.Event
	page := store.Page{Limit: 7}
	for i := 0; ; i++ {
		record(t, s, deliver(t, aifi.RestrictedProductsInteractions,
			fmt.Sprintf(`{"storeId":1,"sessionId":"new %d","timeOfOrigin":%q}`, i, month.Add(200*time.Hour).Format(time.RFC3339))))
		events, next, err := s.Events(t.Context(), store.Scope{}, store.AlcoholInteraction, store.Filter{}, page)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, events...)
		if next == nil {
			break
		}
		page.After = next
	}
	old := slices.DeleteFunc(got, func(e store.Event) bool { return strings.HasPrefix(*e.SessionID, "new") })
	if diff := cmp.Diff(ids(before), ids(old)); diff != "" {
		t.Error(diff)
	}
}

func TestTokens(t *testing.T) {
	s, _ := open(t)
	past := time.Now().Add(-time.Hour)
	secret, err := s.CreateToken(t.Context(), "a", []store.Right{store.MayRead}, []int64{7}, nil)
	if err != nil {
		t.Fatal(err)
	}
	expired, err := s.CreateToken(t.Context(), "b", []store.Right{store.MayRead}, nil, &past)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateToken(t.Context(), "a", nil, nil, nil); !errors.Is(err, store.ErrNameTaken) {
		t.Errorf("a name given twice: %v", err)
	}
	token, why := s.Authenticate(t.Context(), secret)
	if why != "" || !token.May(store.MayRead) || token.May(store.MayIngest) || token.Scope().Allows(8) || !token.Scope().Allows(7) {
		t.Errorf("got %+v, %v", token, why)
	}
	for name, bad := range map[string]string{"expired": expired, "cut": secret[:len(secret)-1], "empty": ""} {
		if _, why := s.Authenticate(t.Context(), bad); why == "" {
			t.Errorf("%s passes", name)
		}
	}
	if err := s.RevokeToken(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, why := s.Authenticate(t.Context(), secret); why == "" {
		t.Error("a revoked token passes")
	}
	if err := s.RevokeToken(t.Context(), "nobody"); err == nil {
		t.Error("an unknown token was revoked")
	}
}
