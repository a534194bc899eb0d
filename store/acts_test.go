package store_test

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
	"aifi-audit/store/verify"
)

// acted is a database in which staff have done all that they can.
type acted struct {
	signed
	names         *strings.Replacer // of ids, for findings
	ids           *strings.Replacer // of names in braces, for statements
	start, newest tlog.Tree         // before the acts, and behind them
}

// acting makes the acts, and tells what the ids are called.
func acting(t testing.TB) acted {
	t.Helper()
	d := acted{signed: newSigned(t)}
	var called []string // names and ids
	call := func(name string, id fmt.Stringer) { called = append(called, name, id.String()) }
	var deliveries [4]store.Delivery
	d.queue(t, func(s *store.Store) {
		for i := range deliveries {
			deliveries[i] = deliver(t, aifi.RestrictedProductsInteractions, alcohol(i))
			record(t, s, deliveries[i])
		}
	})
	d.start = d.sequenceAll(t)
	d.queue(t, func(s *store.Store) {
		// Of before acts had leaves.
		unguarded(t, d.url,
			`INSERT INTO access_log (at, token_id, action, path, query, remote_addr) OVERRIDING SYSTEM VALUE
				SELECT '2025-01-01Z'::timestamptz, 1, 'view', p, '', '192.0.2.1' FROM unnest(ARRAY['/early', '/api/v1/customers/1']) p`, // rows 1 and 2
			`INSERT INTO event_notes SELECT store_id, '2025-01-02Z', '01940000-0000-7000-8000-000000000001', kind, occurred_at, id, delivery_id, 1, 'Early', 'confirmed', 'early'
				FROM events WHERE delivery_id = '`+deliveries[2].ID.String()+`'`,
			`INSERT INTO event_reviews SELECT store_id, kind, occurred_at, event_id, 'confirmed', at, token_name, 1, at FROM event_notes`)
		called = append(called, "early", "01940000-0000-7000-8000-000000000001")
		if adopted, err := s.AdoptActs(t.Context(), jane, "they are as they were", true); err != nil || !gocmp.Equal(adopted, map[string]int{"note": 1, "early access": 2}) {
			t.Fatal(adopted, err)
		}
		call("seen", note(t, s, store.NewNote{DeliveryID: deliveries[0].ID, Disposition: store.Confirmed, Comment: "seen"}).ID)
		call("named", note(t, s, store.NewNote{DeliveryID: deliveries[1].ID, Disposition: store.UnderReview, Comment: "she was here"}).ID)
		call("held", place(t, s, store.NewHold{SessionID: "s0", CustomerID: "0"}).ID)
		lifted := place(t, s, store.NewHold{CustomerID: "1"})
		call("lifted", lifted.ID)
		if _, err := s.LiftHold(t.Context(), jane, lifted.ID, "closed"); err != nil {
			t.Fatal(err)
		}
		months := int32(12)
		if _, err := s.SetRetention(t.Context(), jane, store.NewPolicy{Webhook: string(aifi.SuspectedFraud), Months: &months}); err != nil {
			t.Fatal(err)
		}
		if err := s.LogAccess(t.Context(), store.Access{TokenID: 1, Action: "search", Path: "/search", Query: "storeId=7", RemoteAddr: "192.0.2.1", Status: 200}); err != nil {
			t.Fatal(err)
		}
		requester, approver := token(t, s, "Jane", store.MayAdminister), token(t, s, "Joe", store.MayAdminister)
		done, rejected := askFor(t, s, &requester, "1"), askFor(t, s, &requester, "2")
		call("done", done.ID)
		call("open", askFor(t, s, &requester, "3").ID)
		call("rejected", rejected.ID)
		if _, err := s.DecideErasure(t.Context(), approver, done.ID, store.Approve, done.Digest[:]); err != nil {
			t.Fatal(err)
		}
		if _, err := s.DecideErasure(t.Context(), approver, rejected.ID, store.Reject, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Erase(t.Context(), done.ID, store.Execution{By: "Olga"}); err != nil {
			t.Fatal(err)
		}
	})
	called = append(called, "approval", storetest.Query(t, d.url, "SELECT id::text FROM erasure_decisions WHERE decision = 'approved'")[0])
	called = append(called, "search", storetest.Query(t, d.url, "SELECT entry_id::text FROM access_log WHERE path = '/search'")[0])
	d.sequenceAll(t)
	d.queue(t, func(s *store.Store) { recordAll(t, s, alcohols(10, 300)...) })
	d.newest = d.sequenceAll(t)
	var names, ids []string
	for i := 0; i < len(called); i += 2 {
		names, ids = append(names, called[i+1], called[i]), append(ids, "{"+called[i]+"}", called[i+1])
	}
	d.names, d.ids = strings.NewReplacer(names...), strings.NewReplacer(ids...)
	return d
}

// sequenceAll signs all that waits.
func (d signed) sequenceAll(t testing.TB) tlog.Tree {
	t.Helper()
	s, published := d.open(t)
	defer s.Close()
	return wait(t, published, d.sizeWithQueue(t)).Tree
}

func (d signed) sizeWithQueue(t testing.TB) (size int64) {
	t.Helper()
	const sql = "SELECT (coalesce((SELECT sum(cardinality(leaves)) FROM log_queue), 0) + coalesce((SELECT max(size) FROM log_state), 0))::text"
	if _, err := fmt.Sscan(storetest.Query(t, d.url, sql)[0], &size); err != nil {
		t.Fatal(err)
	}
	return size
}

// strange are ids that no act has.
var strange = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|row ([3-9]|[1-9][0-9]+)\b`)

// verify gives the findings, each without its leaf and detail and with names in place of
// ids; against are those that speak against the database.
func (d acted) verify(t testing.TB, o verify.Options) (v verify.Result, all, against []string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: d.url, Log: store.LogConfig{Verifier: d.verifier(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	o.Found = func(f verify.Finding) {
		short := f
		short.Leaf, short.ErasedBy, short.Detail = nil, nil, ""
		text := strange.ReplaceAllString(d.names.Replace(short.String()), "?")
		if f.ErasedBy != nil {
			text += " by leaf"
		}
		all = append(all, text)
		if f.Class != verify.Erased && f.Class != verify.Retired {
			against = append(against, text)
		}
	}
	if v, err = s.Verify(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, cmp.Compare)
	slices.SortFunc(against, cmp.Compare)
	return v, all, against
}

func TestActsAreClean(t *testing.T) {
	d := acting(t)
	for mode, o := range map[string]verify.Options{"full": {}, "from the start": {From: d.start}, "from the end": {From: d.newest}} {
		v, all, against := d.verify(t, o)
		if len(against) > 0 || !v.Clean() {
			t.Errorf("%s: %q", mode, against)
		}
		for _, erased := range []string{"ERASED comment of note named by leaf", "ERASED customer of hold lifted by leaf", "ERASED customer of row 2 of the access log by leaf"} {
			if !slices.Contains(all, erased) {
				t.Errorf("%s: %s is not among %q", mode, erased, all)
			}
		}
		if len(v.Adopted) != 1 || v.Adopted[0].Acts != 3 {
			t.Errorf("%s: adopted %+v", mode, v.Adopted)
		}
	}
}

// Somebody who takes an act away may hide its leaf too.
func TestAnActIsHiddenWithItsLeaf(t *testing.T) {
	whole := acting(t)
	before, _, _ := whole.verify(t, verify.Options{})
	for what, sql := range map[string]string{
		"its leaf is another":                 `UPDATE log_leaves SET hashes = sha256('') || substr(hashes, 33) WHERE has_acts(ids)`,
		"its leaf is called one of a webhook": `UPDATE log_leaves SET ids = set_byte(ids, position(uuid_send('{held}') IN ids) - 2, 1) WHERE position(uuid_send('{held}') IN ids) > 0`,
	} {
		d := whole
		d.url = storetest.Clone(t, whole.url)
		unguarded(t, d.url, d.ids.Replace(`DELETE FROM legal_holds WHERE id = '{held}'; DELETE FROM log_acts WHERE id = '{held}'`), d.ids.Replace(sql))
		for mode, o := range map[string]verify.Options{"full": {}, "incremental": {From: d.newest, FromActs: before.Acts}} {
			if v, all, _ := d.verify(t, o); v.Clean() {
				t.Errorf("%s, %s: %q", what, mode, all)
			}
		}
	}
	if v, all, _ := whole.verify(t, verify.Options{From: whole.newest, FromActs: before.Acts}); !v.Clean() || v.Acts != before.Acts {
		t.Errorf("%+v %q", v, all)
	}
}

// What is to be adopted is adopted also if a later migration fails, and is taken again.
func TestAMigrationThatFailsAdopts(t *testing.T) {
	d := acted{signed: newSigned(t), names: strings.NewReplacer(), ids: strings.NewReplacer()}
	downTo(t, d.url, store.ActsVersion-1)
	storetest.SQL(t, d.url, "INSERT INTO legal_holds VALUES (gen_random_uuid(), now(), 'Jane', 0, 'r', 7)", "CREATE FUNCTION expect_rows(bigint, bigint) RETURNS void LANGUAGE sql AS ''")
	if _, err := store.Migrate(t.Context(), d.url); err == nil {
		t.Fatal("no migration fails: this test tests nothing")
	}
	storetest.SQL(t, d.url, "DROP FUNCTION expect_rows")
	if _, err := store.Migrate(t.Context(), d.url); err != nil {
		t.Fatal(err)
	}
	d.sequenceAll(t)
	if v, all, _ := d.verify(t, verify.Options{}); !v.Clean() || len(v.Adopted) != 1 || v.Adopted[0].Acts != 1 {
		t.Errorf("%+v %q", v, all)
	}
}

// What staff wrote before acts had leaves is adopted by the migration, and what turns up
// without one afterwards is told apart.
func TestTheMigrationAdopts(t *testing.T) {
	d := acted{signed: newSigned(t), names: strings.NewReplacer(), ids: strings.NewReplacer()}
	downTo(t, d.url, store.ActsVersion-1)
	const hold = "INSERT INTO legal_holds VALUES (gen_random_uuid(), now(), 'Jane', 0, 'r', 7)"
	storetest.SQL(t, d.url, hold, hold, `INSERT INTO access_log (at, token_id, action, path, query, remote_addr) VALUES (now(), 1, 'view', '/', '', '')`)
	if _, err := store.Migrate(t.Context(), d.url); err != nil {
		t.Fatal(err)
	}
	d.sequenceAll(t)
	if _, err := store.Migrate(t.Context(), d.url); err != nil {
		t.Fatal(err)
	}
	v, all, _ := d.verify(t, verify.Options{})
	if !v.Clean() || v.Size != 3 || len(v.Adopted) != 1 || v.Adopted[0].Acts != 3 {
		t.Fatalf("%+v %q", v, all)
	}
	storetest.SQL(t, d.url, hold)
	if v, all, _ = d.verify(t, verify.Options{}); !slices.Equal(all, []string{"TAMPERED row of hold ?"}) {
		t.Errorf("%+v %q", v, all)
	}
	d.queue(t, func(s *store.Store) {
		for _, confirmed := range []bool{false, true, true} {
			adopted, err := s.AdoptActs(t.Context(), jane, "written during the upgrade", confirmed)
			t.Log(confirmed, adopted)
			if err != nil {
				t.Error(err)
			}
		}
	})
	if n := d.sizeWithQueue(t); n != 3+2 { // the hold, and who adopted it
		t.Errorf("%d leaves", n)
	}
	d.sequenceAll(t)
	if v, all, _ = d.verify(t, verify.Options{}); !v.Clean() || len(v.Adopted) != 2 {
		t.Errorf("%+v %q", v, all)
	}
}

// Nothing was adopted where there was nothing to adopt: then who wrote what is not known.
func TestAnActWithoutALeaf(t *testing.T) {
	d := acted{signed: newSigned(t), names: strings.NewReplacer(), ids: strings.NewReplacer()}
	d.queue(t, func(s *store.Store) { place(t, s, store.NewHold{SessionID: "s"}) })
	if _, all, _ := d.verify(t, verify.Options{}); len(all) > 0 {
		t.Errorf("while its leaf waits: %q", all)
	}
	d.sequenceAll(t)
	storetest.SQL(t, d.url, "INSERT INTO legal_holds VALUES (gen_random_uuid(), now(), 'Jane', 0, 'r', 7)")
	if _, all, _ := d.verify(t, verify.Options{}); !slices.Equal(all, []string{"UNSEQUENCED row of hold ?"}) {
		t.Errorf("%q", all)
	}
}

// Notes go with their event when its time is over, and their leaves stay.
func TestANoteIsRetired(t *testing.T) {
	d := newSigned(t)
	d.queue(t, func(s *store.Store) {
		old := monthsAgo(3, time.Hour)
		del := receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s", "c", old)), old)
		record(t, s, del)
		record(t, s, receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s2", "c2", old)), old))
		note(t, s, store.NewNote{DeliveryID: del.ID, Disposition: store.Confirmed, Comment: "seen"})
		keepFor(t, d.url, s, store.NewPolicy{Months: months(1)})
		if done := retire(t, s); done.Deliveries != 2 {
			t.Fatalf("%+v", done)
		}
	})
	if n := count(t, d.url, "event_notes"); n != "0" {
		t.Fatalf("%s notes are there", n)
	}
	d.sequenceAll(t)
	if found := findings(t, d); len(found) != 1 || !strings.HasPrefix(found[0], "RETIRED deliveries of retirement") {
		t.Errorf("%q", found)
	}
	// What was retired long before the last verification is still known to be.
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: d.url, Log: store.LogConfig{Verifier: d.verifier(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	full, err := s.Verify(t.Context(), verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	again := verify.Options{From: tlog.Tree{N: full.Size, Hash: full.RootHash}, FromActs: full.Acts, Since: time.Now().Add(time.Hour)}
	again.Found = func(f verify.Finding) {
		if f.NoteID != nil || f.RetirementID != nil || f.What == "leaves" {
			t.Errorf("an incremental verification finds %s", f)
		}
	}
	if _, err := s.Verify(t.Context(), again); err != nil {
		t.Error(err)
	}
	unguarded(t, d.url, "DELETE FROM log_acts WHERE kind = 'note'")
	if found := findings(t, d); !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, "MISSING row of note") }) {
		t.Errorf("%q", found)
	}
}
