package httpapi_test

import (
	"encoding/binary"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

func TestAdminsSetRetention(t *testing.T) {
	s := serve(t)
	for _, body := range []string{
		`{"months":24}`, `{"months":6,"webhook":"tracking","storeId":null}`, `{"months":12,"webhook":"tracking"}`, `{"months":null,"storeId":7}`,
		`{"months":3,"storeId":8}`, `{"withdrawn":true,"storeId":8}`,
	} {
		if a := s.post(t, "/api/v1/retention", s.admin, body); a.status != http.StatusCreated {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	got := s.get(t, "/api/v1/retention").json(t)
	if n := len(got["history"].([]any)); n != 6 {
		t.Errorf("%d policies", n)
	}
	var current []any
	for _, p := range got["current"].([]any) {
		m := p.(map[string]any)
		current = append(current, []any{m["storeId"], m["webhook"], m["months"], m["setBy"]})
	}
	want := []any{[]any{nil, nil, 24.0, "admin"}, []any{nil, "tracking", 12.0, "admin"}, []any{7.0, nil, nil, "admin"}}
	if diff := cmp.Diff(want, current); diff != "" {
		t.Error(diff)
	}
	if limited := s.do(t, http.MethodGet, "/api/v1/retention", s.shop7, nil).json(t); len(limited["history"].([]any)) != 4 || len(limited["current"].([]any)) != 3 {
		t.Errorf("a token of store 7 sees %v", limited)
	}
	details := storetest.Query(t, s.database, "SELECT detail FROM access_log WHERE action = 'configure' ORDER BY id")
	if len(details) != 6 || !strings.HasSuffix(details[1], `"by":"admin","webhook":"tracking","months":6}`) || !strings.HasSuffix(details[5], `"storeId":8,"months":null,"withdrawn":true}`) {
		t.Errorf("%q", details)
	}
	plan := s.do(t, http.MethodGet, "/api/v1/retention/plan", s.admin, nil)
	if diff := cmp.Diff(map[string]any{"months": []any{}, "unfinished": false, "doubt": nil}, plan.json(t)); diff != "" {
		t.Error(diff)
	}
}

func TestAPlanNamesWhatHoldsKeep(t *testing.T) {
	s := serve(t)
	stock(t, s)
	s.post(t, "/api/v1/retention", s.admin, `{"months":1}`)
	hold := s.post(t, "/api/v1/holds", s.admin, `{"storeId":7,"reason":"case 12"}`).json(t)["id"]
	// As if all of it had come four months ago, and the policy been set then.
	storetest.SQL(t, s.database, "SET session_replication_role = replica", "UPDATE retention_policies SET at = at - interval '8 days'",
		"UPDATE deliveries SET received_at = received_at - interval '4 months'", "UPDATE delivery_bodies SET received_at = received_at - interval '4 months'",
		"UPDATE quarantine SET received_at = received_at - interval '4 months'")
	plan := s.do(t, http.MethodGet, "/api/v1/retention/plan", s.admin, nil).json(t)
	if doubt, _ := plan["doubt"].(string); !strings.Contains(doubt, "say what day it is") { // the samples are old
		t.Errorf("the doubt is %v", plan["doubt"])
	}
	var got []any
	for _, m := range plan["months"].([]any) {
		m := m.(map[string]any)
		got = append(got, m["whole"], m["going"])
		for _, g := range m["groups"].([]any) {
			g := g.(map[string]any)
			got = append(got, []any{g["storeId"], g["webhook"], g["due"], g["deliveries"], g["held"], g["events"], g["holds"]})
		}
	}
	held, free := []any{hold}, []any{}
	want := []any{
		false, 5.0,
		[]any{0.0, "suspected-fraud", true, 1.0, 0.0, 0.0, free},
		[]any{7.0, "remote-register", true, 1.0, 1.0, 1.0, held},
		[]any{7.0, "restricted-products-interactions", true, 1.0, 1.0, 1.0, held},
		[]any{7.0, "suspected-fraud", true, 1.0, 1.0, 1.0, held},
		[]any{7.0, "transition/left", true, 1.0, 1.0, 1.0, held},
		[]any{8.0, "remote-register", true, 1.0, 0.0, 1.0, free},
		[]any{8.0, "restricted-products-interactions", true, 1.0, 0.0, 1.0, free},
		[]any{8.0, "suspected-fraud", true, 1.0, 0.0, 1.0, free},
		[]any{8.0, "transition/left", true, 1.0, 0.0, 1.0, free},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRetentionThatIsRefused(t *testing.T) {
	s := serve(t)
	admin7 := s.token(t, "admin of store 7", []int64{7}, store.MayAdminister)
	for name, c := range map[string]struct {
		token, body string
		status      int
		pointer     any
	}{
		"no admin":                 {s.staff, `{"months":1}`, 403, nil},
		"no token":                 {"", `{"months":1}`, 401, nil},
		"limited":                  {admin7, `{"months":1,"storeId":7}`, 403, nil},
		"nothing":                  {s.admin, `{}`, 400, "/months"},
		"no months":                {s.admin, `{"months":0}`, 400, "/months"},
		"less":                     {s.admin, `{"months":-1}`, 400, "/months"},
		"too many":                 {s.admin, `{"months":1201}`, 400, "/months"},
		"very many":                {s.admin, `{"months":4294967297}`, 400, "/months"},
		"half a month":             {s.admin, `{"months":0.5}`, 400, "/months"},
		"months in words":          {s.admin, `{"months":"one"}`, 400, "/months"},
		"a webhook with a mistake": {s.admin, `{"months":1,"webhook":"trackng"}`, 400, "/webhook"},
		"an empty webhook":         {s.admin, `{"months":1,"webhook":""}`, 400, "/webhook"},
		"a store in words":         {s.admin, `{"months":1,"storeId":"7"}`, 400, "/storeId"},
		"withdrawn with months":    {s.admin, `{"months":1,"withdrawn":true}`, 400, "/withdrawn"},
		"withdrawn, perhaps":       {s.admin, `{"withdrawn":"perhaps"}`, 400, "/withdrawn"},
		"of the past":              {s.admin, `{"months":1,"at":"2020-01-01"}`, 400, "/at"},
		"a list":                   {s.admin, `[{"months":1}]`, 400, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.post(t, "/api/v1/retention", c.token, c.body)
			if v := a.json(t); a.status != c.status || v["pointer"] != c.pointer {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	if n := storetest.Query(t, s.database, "SELECT count(*) FROM retention_policies")[0]; n != "0" {
		t.Errorf("%s policies are set", n)
	}
	for token, status := range map[string]int{s.staff: 403, admin7: 403, "": 401} {
		if a := s.do(t, http.MethodGet, "/api/v1/retention/plan", token, nil); a.status != status {
			t.Errorf("got %d %s", a.status, a.body)
		}
	}
	if a := s.do(t, http.MethodGet, "/api/v1/retention/plan?month=2026-01", s.admin, nil); a.status != 400 {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// push4MonthsAgo keeps a webhook as if it had come four months ago.
func (s *server) push4MonthsAgo(t testing.TB, webhook, body string) string {
	t.Helper()
	id := uuid.New()
	var ms [8]byte
	now := time.Now().UTC()
	binary.BigEndian.PutUint64(ms[:], uint64(time.Date(now.Year(), now.Month()-4, 9, 0, 0, 0, 0, time.UTC).UnixMilli()))
	copy(id[:6], ms[2:])
	id[6], id[7] = 0x70, 0
	if _, err := s.store.Record(t.Context(), store.Delivery{ID: id, Webhook: aifi.Webhook(webhook), Path: "/api/push/" + webhook, Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
	return id.String()
}

// What was retired is told from what never was; and what still states an event gives a
// pack that says what is missing.
func TestWhatWasRetiredIsGone(t *testing.T) {
	s := serve(t)
	first := s.push4MonthsAgo(t, "suspected-fraud", sample(t, "suspected-fraud"))
	alone := s.push4MonthsAgo(t, "transition/left", sample(t, "transition-left"))
	again := s.push(t, "suspected-fraud", sample(t, "suspected-fraud")).json(t)["deliveryId"].(string)
	s.post(t, "/api/v1/retention", s.admin, `{"months":1}`)
	storetest.SQL(t, s.database, "SET session_replication_role = replica", "UPDATE retention_policies SET at = at - interval '8 days'")
	if done, err := s.store.Retire(t.Context(), store.RetentionOrder{Actor: "a", Reason: "r", Today: time.Now()}); err != nil || done.Deliveries != 2 || done.Events != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	s.sequenced(t, 5) // three deliveries, the policy, what was retired
	for path, status := range map[string]int{
		"deliveries/" + first: 410, "deliveries/" + alone + "/body": 410, "log/proofs/inclusion?deliveryId=" + alone: 410,
		"deliveries/" + again: 200, "deliveries/019a0a6e-5f3c-7a10-8b1e-3f1d2c4b5a69": 404,
	} {
		if a := s.get(t, "/api/v1/"+path); a.status != status {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := s.do(t, http.MethodGet, "/api/v1/deliveries/"+first, s.shop7, nil); a.status != 404 {
		t.Errorf("who sees some stores is told %d %s", a.status, a.body)
	}
	if items := s.get(t, "/api/v1/fraud-alerts").items(t); len(items) != 1 || items[0]["deliveryId"] != first {
		t.Errorf("%v", items)
	}
	if n := storetest.Query(t, s.database, "SELECT count(*) FROM access_log WHERE status = 410")[0]; n != "3" {
		t.Errorf("%s denials are written", n)
	}
	pack := s.get(t, "/api/v1/fraud-alerts/evidence")
	result, found := s.verifyPack(t, pack.body)
	if result.Deliveries != 0 || len(found) != 1 || !strings.HasPrefix(found[0], "UNVERIFIABLE event") {
		t.Errorf("%+v, %q", result, found)
	}
	if !strings.Contains(string(unpack(t, pack.body)["manifest.json"]), "1 deliveries that stated events of this pack first were removed") {
		t.Error("the manifest does not say so")
	}
}
