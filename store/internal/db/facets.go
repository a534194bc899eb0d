package db

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A list by a facet reads a view with a branch for each facet. The planner opens the
// partitions and indexes of all branches before it sees that one is left, which takes
// longer than reading the page: so the statement is run with that branch in the view's
// place.

// facetView is a view with its branches by facet, as the migrations have them.
type facetView struct {
	name     string
	branches map[string]string
}

var (
	eventFacets = facetView{"event_facets", map[string]string{
		"store":       "SELECT store_id, kind, 'store'::text AS facet, ''::text AS value, occurred_at, id AS event_id FROM events",
		"flag":        "SELECT store_id, kind, 'flag'::text AS facet, flag AS value, occurred_at, event_id FROM event_flags",
		"product":     "SELECT store_id, kind, 'product'::text AS facet, product_id AS value, occurred_at, event_id FROM event_products",
		"gondola":     "SELECT store_id, kind, 'gondola'::text AS facet, gondola_id AS value, occurred_at, event_id FROM event_gondolas",
		"disposition": "SELECT store_id, kind, 'disposition'::text AS facet, disposition AS value, occurred_at, event_id FROM event_reviews",
	}}
	sessionFacets = facetView{"session_facets", map[string]string{
		"store": "SELECT store_id, 'store'::text AS facet, ''::text AS value, first_seen_at, session_id FROM sessions",
		"flag":  "SELECT store_id, 'flag'::text AS facet, flag AS value, first_seen_at, session_id FROM session_flags",
	}}
	deliveryFacets = facetView{"delivery_facets", map[string]string{
		"store":   "SELECT store_id, 'store'::text AS facet, ''::text AS value, received_at, id, hashtextextended('', 0) AS value_hash FROM deliveries",
		"webhook": "SELECT store_id, 'webhook'::text AS facet, webhook AS value, received_at, id, hashtextextended(webhook, 0) AS value_hash FROM deliveries",
	}}
	storeFacets = facetView{"store_facets", map[string]string{
		"store":   "SELECT store_id, 'store'::text AS facet, ''::text AS value, first_seen_at, last_seen_at FROM stores",
		"product": "SELECT store_id, 'product'::text AS facet, product_id AS value, first_seen_at, last_seen_at FROM products",
		"gondola": "SELECT store_id, 'gondola'::text AS facet, gondola_id AS value, first_seen_at, last_seen_at FROM gondolas",
		"flag":    "SELECT store_id, 'flag'::text AS facet, flag AS value, first_seen_at, last_seen_at FROM store_flags JOIN stores USING (store_id)",
	}}
)

// EventsByFacet is ListEventsByFacet.
func (q *Queries) EventsByFacet(ctx context.Context, tx DBTX, a ListEventsByFacetParams) ([]ListEventsByFacetRow, error) {
	return q.ListEventsByFacet(ctx, eventFacets.only(tx, a.Facet), a)
}

// SessionsByFacet is ListSessionsByFacet.
func (q *Queries) SessionsByFacet(ctx context.Context, tx DBTX, a ListSessionsByFacetParams) ([]ListSessionsByFacetRow, error) {
	return q.ListSessionsByFacet(ctx, sessionFacets.only(tx, a.Facet), a)
}

// DeliveriesByFacet is ListDeliveriesByFacet.
func (q *Queries) DeliveriesByFacet(ctx context.Context, tx DBTX, a ListDeliveriesByFacetParams) ([]ListDeliveriesByFacetRow, error) {
	return q.ListDeliveriesByFacet(ctx, deliveryFacets.only(tx, a.Facet), a)
}

// StoresByFacet is StoresKnowing.
func (q *Queries) StoresByFacet(ctx context.Context, tx DBTX, a StoresKnowingParams) ([]StoresKnowingRow, error) {
	return q.StoresKnowing(ctx, storeFacets.only(tx, a.Facet), a)
}

// only is tx, whose statements read one branch of the view.
func (v facetView) only(tx DBTX, facet string) DBTX {
	return branch{tx, " " + v.name + " ", " (" + v.branches[facet] + ") "}
}

type branch struct {
	DBTX
	view, instead string
}

// Query runs a list.
func (b branch) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return b.DBTX.Query(ctx, strings.ReplaceAll(sql, b.view, b.instead), args...)
}
