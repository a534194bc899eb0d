package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store/storetest"
)

// What Record writes into the catalogue is what the tables of events and deliveries have,
// and a migration gives an installation that has them already the same.
func TestTheCatalogueKnowsWhatIsThere(t *testing.T) {
	s, url := open(t)
	fill(t, s, 60)
	// Of a flag the times are those of its store: only that it is known is compared.
	const there = `SELECT concat_ws('|', facet, store_id, value, CASE WHEN facet <> 'flag' THEN first_seen_at AT TIME ZONE 'UTC' END) FROM (
		SELECT 'product' AS facet, store_id, product_id AS value, min(occurred_at) AS first_seen_at FROM event_products GROUP BY 2, 3
		UNION ALL SELECT 'gondola', store_id, gondola_id, min(occurred_at) FROM event_gondolas GROUP BY 2, 3
		UNION ALL SELECT 'flag', store_id, flag, NULL FROM event_flags GROUP BY 2, 3
		UNION ALL SELECT 'store', store_id, '', min(occurred_at) FROM events GROUP BY 2
		UNION ALL SELECT 'webhook', store_id, webhook, NULL FROM deliveries GROUP BY 2, 3) x ORDER BY 1`
	const known = `SELECT concat_ws('|', facet, store_id, value, CASE WHEN facet <> 'flag' THEN first_seen_at AT TIME ZONE 'UTC' END) FROM (
		SELECT facet, store_id, value, first_seen_at FROM store_facets
		UNION ALL SELECT 'webhook', store_id, webhook, NULL FROM store_webhooks) x ORDER BY 1`
	want := storetest.Query(t, url, there)
	if diff := cmp.Diff(want, storetest.Query(t, url, known)); diff != "" || len(want) == 0 {
		t.Error(diff)
	}
	provider := stepwise(t, url)
	if _, err := provider.DownTo(t.Context(), 19); err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, storetest.Query(t, url, known)); diff != "" {
		t.Error(diff)
	}
}
