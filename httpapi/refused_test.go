package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// waitFor asks for a page until it has so many items; it fails after half a minute.
func (s *server) waitFor(t testing.TB, path, token string, items int) []map[string]any {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		got := s.do(t, http.MethodGet, path, token, nil).items(t)
		if len(got) == items {
			return got
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s has %d items, want %d", path, len(got), items)
		case <-tick.C:
		}
	}
}

func TestRefusedWebhooksCanBeReplayed(t *testing.T) {
	s := serve(t)
	revoked := s.token(t, "revoked", nil, store.MayIngest)
	if err := s.store.RevokeToken(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	body := ofStore(sample(t, "suspected-fraud"), "7")
	for token, want := range map[string]int{"aifi_audit_mistyped": 401, revoked: 401, s.staff: 403, "": 401} {
		if a := s.do(t, http.MethodPost, "/api/push/suspected-fraud", token, []byte(body)); a.status != want {
			t.Errorf("%.12s: answer %d, want %d", token, a.status, want)
		}
	}
	all := s.waitFor(t, "/api/v1/refused", s.admin, 3) // nothing of who presented no token
	reasons := map[string]map[string]any{}
	for _, item := range all {
		reasons[fmt.Sprint(item["reason"])] = item
	}
	for _, reason := range []string{"unknown_token", "revoked_token", "no_ingest_scope"} {
		if reasons[reason] == nil {
			t.Errorf("none is refused as %s: %v", reason, all)
		}
	}
	for name, token := range map[string]string{
		"staff": s.staff, "an admin of one store": s.token(t, "admin of 7", []int64{7}, store.MayAdminister),
		"an admin of the unknown store": s.token(t, "admin of 0", []int64{0}, store.MayAdminister),
	} {
		if a := s.do(t, http.MethodGet, "/api/v1/refused", token, nil); a.status == 200 && len(a.items(t)) > 0 {
			t.Errorf("%s sees what was refused", name)
		}
	}
	if got := s.get(t, "/api/v1/fraud-alerts").items(t); len(got) != 0 {
		t.Errorf("what was refused is found: %v", got)
	}
	one := fmt.Sprint(reasons["unknown_token"]["deliveryId"])
	for range 2 { // the second time it is left alone
		if a := s.do(t, http.MethodPost, "/api/v1/refused/"+one+"/replay", s.admin, nil); a.status != 200 {
			t.Errorf("replay: %d %s", a.status, a.body)
		}
	}
	found := s.get(t, "/api/v1/fraud-alerts").items(t)
	if len(found) != 1 || found[0]["deliveryId"] != one {
		t.Errorf("after a replay: %v", found)
	}
	if a := s.do(t, http.MethodGet, "/api/v1/deliveries/"+one+"/body", s.staff, nil); string(a.body) != body {
		t.Errorf("the body is %q", a.body)
	}
	a := s.do(t, http.MethodPost, "/api/v1/refused/replay?tokenFingerprint="+fmt.Sprint(reasons["revoked_token"]["tokenFingerprint"]), s.admin, nil)
	if a.status != 200 || a.json(t)["replayed"] != 1.0 {
		t.Errorf("replay of a token's: %d %s", a.status, a.body)
	}
	s.waitFor(t, "/api/v1/refused?replayed=false", s.admin, 1)
	if a := s.do(t, http.MethodPost, "/api/v1/refused/019a0a6e-5f3c-7a10-8b1e-3f1d2c4b5a69/replay", s.admin, nil); a.status != 404 {
		t.Errorf("one that is not there: %d", a.status)
	}
}

func TestOnlyTheNewestRefusedAreKept(t *testing.T) {
	s := serve(t)
	for n := range 25 {
		s.do(t, http.MethodPost, "/api/push/tracking", "wrong", fmt.Appendf(nil, `{"n":%d}`, n))
	}
	newest := func() string {
		got := storetest.Query(t, s.database, "SELECT convert_from(body, 'UTF8') FROM refused ORDER BY received_at DESC LIMIT 1")
		return strings.Join(got, "")
	}
	for newest() != `{"n":24}` {
		if t.Context().Err() != nil {
			t.Fatal("the newest is not kept")
		}
	}
	if got := s.do(t, http.MethodGet, "/api/v1/refused?limit=100", s.admin, nil).items(t); len(got) != maxRefused {
		t.Errorf("%d are kept", len(got))
	}
}
