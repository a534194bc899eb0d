package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// A page of who looked costs what the page holds, whatever is asked for, though the access
// log is kept for ever: no node of a plan handles more rows than a few pages have.
func TestWhoLookedCostsThePageNotTheTable(t *testing.T) {
	s, database := open(t)
	for i := range 30 {
		if _, err := s.CreateToken(t.Context(), fmt.Sprintf("staff %d", i), []store.Right{store.MayRead}, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	const delivery = "019a0a6e-5f3c-7a10-8b1e-3f1d2c4b5a69"
	// Staff 29 left long ago, and an evidence pack is rare. Half of all are counts.
	storetest.SQL(t, database, `INSERT INTO access_log (at, token_id, action, path, query, remote_addr, status)
		SELECT '2026-01-01Z'::timestamptz + i * interval '1 minute', CASE WHEN i < 40 THEN 30 ELSE 1 + i % 29 END,
			CASE WHEN i % 5000 = 7 THEN 'evidence' WHEN i % 2 = 0 THEN 'count' ELSE 'view' END,
			CASE WHEN i % 9000 = 11 THEN '/deliveries/`+delivery+`' WHEN i % 2 = 0 THEN '/sessions.count' ELSE '/sessions/session-' || i / 10 END,
			CASE WHEN i % 3000 = 13 THEN 'from=2026-01-01T00:00:00%2B01:00&sessionId=c1' ELSE 'storeId=7' END, '192.0.2.1', CASE WHEN i % 4000 = 17 THEN 404 ELSE 200 END
		FROM generate_series(0, 49999) i`, "ANALYZE access_log")
	statements, err := store.TraceReads(t.Context(), s, database)
	if err != nil {
		t.Fatal(err)
	}
	const limit = 20
	yes, no := true, false
	for name, f := range map[string]store.Filter{
		"all": {}, "of a token": {Tokens: []string{"staff 5"}}, "of who left": {Tokens: []string{"staff 29"}}, "of nobody": {Tokens: []string{"nobody"}},
		"of a frequent action": {Actions: []string{"view"}}, "of a rare action": {Actions: []string{"evidence"}}, "of no action": {Actions: []string{"subject-access"}},
		"denied": {Denied: &yes}, "not denied": {Denied: &no}, "without counts": {Counts: &no},
		"at a session": {SessionIDs: []string{"session-1000"}}, "searched for": {SessionIDs: []string{"c1"}}, "at no session": {SessionIDs: []string{"none"}}, "at a delivery": {DeliveryIDs: []uuid.UUID{uuid.MustParse(delivery)}},
		"at either of two": {SessionIDs: []string{"session-1000", "session-2000"}},
	} {
		for _, page := range []store.Page{{Limit: limit}, {Limit: limit, OldestFirst: true}} {
			t.Run(fmt.Sprintf("%s, oldest first: %v", name, page.OldestFirst), func(t *testing.T) {
				if _, _, err := s.AccessLog(t.Context(), store.Scope{}, f, page); err != nil {
					t.Fatal(err)
				}
				plans, err := statements.Explain(t.Context(), s)
				if err != nil || len(plans) == 0 {
					t.Fatalf("%d plans, %v", len(plans), err)
				}
				for _, text := range plans {
					if rows, node := mostRows(t, text); rows > 40*(limit+1) {
						t.Errorf("%s handles %.0f rows:\n%s", node, rows, text)
					}
				}
			})
		}
	}
}

// No request can be such that it is not written, and none hides what it is about.
func TestWhateverIsAskedForIsWrittenAndFound(t *testing.T) {
	s, _ := open(t)
	id := uuid.MustParse("019a0a6e-5f3c-7a10-8b1e-3f1d2c4b5a69")
	about := []store.Access{
		{Path: "/sessions/a%20%5C%C3%A9+%FF"},
		{Path: "/api/v1/sessions/a%20%5c%c3%a9%2B%ff/evidence", Query: "%"},
		{Path: "/session", Query: "&&x&sessionId=a+%5C%C3%A9%2B%FF&y=%zz"},
		{Path: "/sessions", Query: `%73essionId=%61%20\é%2b%ff`},
	}
	others := []store.Access{
		{},
		{Path: "/", Query: "="},
		{Path: "/sessions/", Query: "sessionId"},
		{Path: "/sessions/b", Query: "sessionId=&sessionId==&%=%"},
		{Path: `\`, Query: `\x&\\&%5c`},
		{Path: "/deliveries/" + strings.ToUpper(id.String()), Query: strings.Repeat("%", 8192)},
		{Path: "/x", Query: "sessionId=" + strings.Repeat("%00&", 2000)},
		{Path: "/x/sessions/a"},
	}
	for i, a := range slices.Concat(about, others) {
		a.Action = "view"
		if err := s.LogAccess(t.Context(), a); err != nil {
			t.Errorf("%d is not written: %v", i, err)
		}
	}
	for _, c := range []struct {
		filter store.Filter
		want   int
	}{
		{store.Filter{SessionIDs: []string{`a \é+` + "\xff"}}, len(about)},
		{store.Filter{SessionIDs: []string{"none", "b"}}, 1},
		{store.Filter{SessionIDs: []string{"a"}}, 0},
		{store.Filter{DeliveryIDs: []uuid.UUID{id}}, 1},
	} {
		found, _, err := s.AccessLog(t.Context(), store.Scope{}, c.filter, store.Page{Limit: 100})
		n, countErr := s.CountAccessLog(t.Context(), store.Scope{}, c.filter, store.Page{Limit: 100})
		if err != nil || countErr != nil || len(found) != c.want || n != int64(c.want) {
			t.Errorf("%s%s: %d found, %d counted, %v, %v", c.filter.SessionIDs, c.filter.DeliveryIDs, len(found), n, err, countErr)
		}
	}
}
