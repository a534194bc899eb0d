package store_test

import (
	"cmp"
	"fmt"
	"maps"
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
func (d acted) verify(t testing.TB, o store.VerifyOptions) (v store.Verification, all, against []string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: d.url, Log: store.LogConfig{Verifier: d.verifier(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	o.Found = func(f store.Finding) {
		short := f
		short.Leaf, short.ErasedBy, short.Detail = nil, nil, ""
		text := strange.ReplaceAllString(d.names.Replace(short.String()), "?")
		if f.ErasedBy != nil {
			text += " by leaf"
		}
		all = append(all, text)
		if f.Class != store.Erased && f.Class != store.Retired {
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
	for mode, o := range map[string]store.VerifyOptions{"full": {}, "from the start": {From: d.start}, "from the end": {From: d.newest}} {
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

// actTamper is what somebody with all rights does to what staff wrote, and what verify
// says. late: it shows in leaves that an incremental verification does not open again.
type actTamper struct {
	sql  string
	late bool
	want []string
}

// edits, by what is found, are statements that change one field, or a group of fields that go together, of
// one act.
var edits = map[string]map[string]string{
	"TAMPERED row of note seen": {
		"disposition": "UPDATE event_notes SET disposition = 'false_alarm' WHERE id = '{seen}'; UPDATE event_reviews r SET disposition = 'false_alarm' FROM event_notes n WHERE n.id = '{seen}' AND r.event_id = n.event_id",
		"comment":     "UPDATE event_notes SET comment = 'not seen' WHERE id = '{seen}'",
		"no comment":  "UPDATE event_notes SET comment = NULL WHERE id = '{seen}'",
		"who":         "UPDATE event_notes SET token_name = 'Joe', token_id = 2 WHERE id = '{seen}'; UPDATE event_reviews r SET disposition_by = 'Joe' FROM event_notes n WHERE n.id = '{seen}' AND r.event_id = n.event_id",
		"token":       "UPDATE event_notes SET token_id = 2 WHERE id = '{seen}'",
		"when":        "UPDATE event_notes SET at = at + interval '1 us' WHERE id = '{seen}'; UPDATE event_reviews r SET disposition_at = at, last_note_at = at FROM event_notes n WHERE n.id = '{seen}' AND r.event_id = n.event_id",
		"never":       "UPDATE event_notes SET at = 'infinity' WHERE id = '{seen}'; UPDATE event_reviews r SET disposition_at = at, last_note_at = at FROM event_notes n WHERE n.id = '{seen}' AND r.event_id = n.event_id",
		"event":       "UPDATE event_notes SET event_id = gen_random_uuid() WHERE id = '{seen}'; UPDATE event_reviews r SET event_id = n.event_id FROM event_notes n WHERE n.id = '{seen}' AND r.last_note_at = n.at",
		"delivery":    "UPDATE event_notes SET delivery_id = gen_random_uuid() WHERE id = '{seen}'",
		"its leaf":    "UPDATE log_acts SET commitment = sha256('') WHERE id = '{seen}'",
		"its salt":    "UPDATE log_acts SET secret = sha256('') WHERE id = '{seen}'",
		"its time":    "UPDATE log_acts SET at = at + interval '1 us' WHERE id = '{seen}'",
		"adopted":     "UPDATE log_acts SET adopted = true WHERE id = '{seen}'",
		"another of its id": `INSERT INTO event_notes SELECT 8, at, id, kind, occurred_at, event_id, delivery_id, token_id, token_name, disposition, comment FROM event_notes WHERE id = '{seen}';
			INSERT INTO event_reviews SELECT 8, kind, occurred_at, event_id, disposition, disposition_at, disposition_by, notes, last_note_at FROM event_reviews WHERE event_id = (SELECT event_id FROM event_notes WHERE id = '{seen}' LIMIT 1)`,
	},
	"TAMPERED row of note named": {
		"erased comment":  "UPDATE event_notes SET comment = 'put back' WHERE id = '{named}'",
		"erased, but who": "UPDATE event_notes SET token_name = 'Joe' WHERE id = '{named}'; UPDATE event_reviews r SET disposition_by = 'Joe' FROM event_notes n WHERE n.id = '{named}' AND r.event_id = n.event_id",
	},
	"TAMPERED row of note early": {
		"adopted": "UPDATE event_notes SET comment = 'late' WHERE id = '{early}'",
	},
	"TAMPERED row of hold held": {
		"who": "UPDATE legal_holds SET placed_by = 'Joe' WHERE id = '{held}'", "token": "UPDATE legal_holds SET token_id = 9 WHERE id = '{held}'",
		"reason": "UPDATE legal_holds SET reason = 'x' WHERE id = '{held}'", "store": "UPDATE legal_holds SET store_id = 7 WHERE id = '{held}'",
		"session": "UPDATE legal_holds SET session_id = 's9' WHERE id = '{held}'", "customer": "UPDATE legal_holds SET customer_id = NULL WHERE id = '{held}'",
		"from": "UPDATE legal_holds SET from_time = '2026-01-01Z' WHERE id = '{held}'", "to": "UPDATE legal_holds SET to_time = 'infinity' WHERE id = '{held}'",
		"when": "UPDATE legal_holds SET at = at - interval '1 day' WHERE id = '{held}'",
	},
	"TAMPERED row of hold lifted": {
		"erased, but why": "UPDATE legal_holds SET reason = 'x' WHERE id = '{lifted}'", "erased": "UPDATE legal_holds SET customer_id = '2' WHERE id = '{lifted}'",
	},
	"TAMPERED lift of hold lifted": {
		"who": "UPDATE hold_lifts SET lifted_by = 'Joe'", "token": "UPDATE hold_lifts SET token_id = 9", "reason": "UPDATE hold_lifts SET reason = 'x'",
		"when": "UPDATE hold_lifts SET at = at - interval '1 day'", "which": "UPDATE log_acts SET commitment = sha256('') WHERE kind = 'lift'",
	},
	"TAMPERED row of policy 1": {
		"months": "UPDATE retention_policies SET months = 1", "for ever": "UPDATE retention_policies SET months = NULL", "who": "UPDATE retention_policies SET set_by = 'Joe'",
		"token": "UPDATE retention_policies SET token_id = 9", "store": "UPDATE retention_policies SET store_id = 7", "webhook": "UPDATE retention_policies SET webhook = NULL",
		"withdrawn": "UPDATE retention_policies SET months = NULL, withdrawn = true", "when": "UPDATE retention_policies SET at = at - interval '1 year'",
	},
	"TAMPERED request of erasure rejected": {
		"who": "UPDATE erasure_requests SET requested_by = 'Joe' WHERE id = '{rejected}'", "token": "UPDATE erasure_requests SET token_id = NULL WHERE id = '{rejected}'",
		"reason": "UPDATE erasure_requests SET reason = 'x' WHERE id = '{rejected}'", "whom": "UPDATE erasure_requests SET subject = sha256('') WHERE id = '{rejected}'",
		"found": `UPDATE erasure_requests SET found = found || '{"deliveries": 99}' WHERE id = '{rejected}'`, "digest": "UPDATE erasure_requests SET digest = sha256('') WHERE id = '{rejected}'",
		"when": "UPDATE erasure_requests SET requested_at = requested_at - interval '1 day' WHERE id = '{rejected}'", "until": "UPDATE erasure_requests SET expires_at = 'infinity' WHERE id = '{rejected}'",
	},
	"TAMPERED row of decision approval": {
		"who": "UPDATE erasure_decisions SET decided_by = 'Jane' WHERE id = '{approval}'", "token": "UPDATE erasure_decisions SET token_id = NULL WHERE id = '{approval}'",
		"what": "UPDATE erasure_decisions SET decision = 'unapproved' WHERE id = '{approval}'", "when": "UPDATE erasure_decisions SET at = at - interval '1 day' WHERE id = '{approval}'",
		"of what": "UPDATE erasure_decisions SET request_id = gen_random_uuid() WHERE id = '{approval}'",
	},
	"TAMPERED result of erasure done": {
		"what": `UPDATE erasure_results SET erased = erased || '{"deliveries": 0}'`,
	},
	entryEdited: {
		"who": "UPDATE access_log SET token_id = 2 WHERE path = '/search'", "action": "UPDATE access_log SET action = 'view' WHERE path = '/search'",
		"path": "UPDATE access_log SET path = '/x' WHERE path = '/search'", "query": "UPDATE access_log SET query = '' WHERE path = '/search'",
		"from where": "UPDATE access_log SET remote_addr = '192.0.2.9' WHERE path = '/search'", "status": "UPDATE access_log SET status = 403 WHERE path = '/search'",
		"rows": "UPDATE access_log SET rows = 1 WHERE path = '/search'", "detail": "UPDATE access_log SET detail = 'x' WHERE path = '/search'",
		"when": "UPDATE access_log SET at = at + interval '1 us' WHERE path = '/search'",
	},
	"TAMPERED row of row 1 of the access log": {
		"who": "UPDATE access_log SET token_id = 2 WHERE path = '/early'", "what": "UPDATE access_log SET path = '/later' WHERE path = '/early'",
		"when": "UPDATE access_log SET at = '2025-02-01Z' WHERE path = '/early'", "from where": "UPDATE access_log SET remote_addr = '192.0.2.9' WHERE path = '/early'",
	},
}

const entryEdited = "TAMPERED access of entry search of the access log"

// actTampers are the other ways.
var actTampers = map[string]actTamper{
	"a note is deleted, and its review": {
		sql:  "DELETE FROM event_reviews r USING event_notes n WHERE n.id = '{seen}' AND r.event_id = n.event_id; DELETE FROM event_notes WHERE id = '{seen}'",
		want: []string{"MISSING row of note seen"},
	},
	"a note is deleted with all that the log has beside it": {
		sql:  "DELETE FROM event_reviews r USING event_notes n WHERE n.id = '{seen}' AND r.event_id = n.event_id; DELETE FROM event_notes WHERE id = '{seen}'; DELETE FROM log_acts WHERE id = '{seen}'",
		want: []string{"MISSING row of note seen"},
	},
	"a note is deleted, and what its leaf was made of says that its delivery was retired": {
		sql: `DELETE FROM event_reviews r USING event_notes n WHERE n.id = '{seen}' AND r.event_id = n.event_id; DELETE FROM event_notes WHERE id = '{seen}';
			UPDATE log_acts SET delivery_id = gen_random_uuid() WHERE id = '{seen}'`,
		want: []string{"MISSING row of note seen"},
	},
	"a note is made up": {
		sql: `INSERT INTO event_notes SELECT store_id, at + interval '1 second', gen_random_uuid(), kind, occurred_at, event_id, delivery_id, token_id, token_name, NULL, 'made up' FROM event_notes WHERE id = '{seen}';
			UPDATE event_reviews r SET notes = 2, last_note_at = at + interval '1 second' FROM event_notes n WHERE n.id = '{seen}' AND r.event_id = n.event_id`,
		want: []string{"TAMPERED row of note ?"},
	},
	"a comment is erased by hand": {
		sql: `UPDATE event_notes SET comment = '[erased]' WHERE id = '{seen}'; INSERT INTO log_act_erasures SELECT kind, id, now(), commitment, secret, gen_random_uuid() FROM log_acts WHERE id = '{seen}';
			UPDATE log_acts SET secret = NULL WHERE id = '{seen}'`,
		want: []string{"TAMPERED comment of note seen"},
	},
	"the secret of a note is deleted":                          {sql: "UPDATE log_acts SET secret = NULL WHERE id = '{seen}'", want: []string{"UNVERIFIABLE row of note seen"}},
	"what the leaf of a note was made of is deleted":           {sql: "DELETE FROM log_acts WHERE id = '{seen}'", want: []string{"UNVERIFIABLE row of note seen"}},
	"what the erasure of a comment left is edited":             {sql: "UPDATE log_act_erasures SET request_id = gen_random_uuid() WHERE kind = 'note'", want: []string{"TAMPERED erasure of note named"}},
	"what the erasure of a comment left is deleted":            {sql: "DELETE FROM log_act_erasures WHERE kind = 'note'", want: []string{"MISSING erasure of note named", "UNVERIFIABLE row of note named"}},
	"a review is edited":                                       {sql: "UPDATE event_reviews SET disposition = 'false_alarm' WHERE disposition_by = 'Early'", want: []string{"TAMPERED review of event ?"}},
	"a review is of somebody else":                             {sql: "UPDATE event_reviews SET disposition_by = 'x' WHERE disposition_by = 'Early'", want: []string{"TAMPERED review of event ?"}},
	"a review is deleted":                                      {sql: "DELETE FROM event_reviews WHERE disposition_by = 'Early'", want: []string{"MISSING review of event ?"}},
	"a review is made up":                                      {sql: "INSERT INTO event_reviews SELECT store_id, kind, occurred_at, gen_random_uuid(), disposition, disposition_at, disposition_by, notes, last_note_at FROM event_reviews LIMIT 1", want: []string{"TAMPERED review of event ?"}},
	"a hold is deleted":                                        {sql: "DELETE FROM legal_holds WHERE id = '{held}'", want: []string{"MISSING row of hold held"}},
	"a hold is deleted with all that the log has beside it":    {sql: "DELETE FROM legal_holds WHERE id = '{held}'; DELETE FROM log_acts WHERE id = '{held}'", want: []string{"MISSING row of hold held"}},
	"a hold is made up":                                        {sql: "INSERT INTO legal_holds SELECT gen_random_uuid(), at, placed_by, token_id, reason, 7 FROM legal_holds WHERE id = '{held}'", want: []string{"TAMPERED row of hold ?"}},
	"a hold is made up with what a leaf would be made of":      {sql: "INSERT INTO legal_holds SELECT '01940000-0000-7000-8000-00000000000f', at, placed_by, token_id, reason, 7 FROM legal_holds WHERE id = '{held}'; INSERT INTO log_acts SELECT kind, '01940000-0000-7000-8000-00000000000f', at, delivery_id, adopted, commitment, secret FROM log_acts WHERE id = '{held}'", want: []string{"TAMPERED row of hold ?"}},
	"a hold is said to be lifted":                              {sql: "INSERT INTO hold_lifts SELECT '{held}', now(), placed_by, token_id, reason FROM legal_holds WHERE id = '{held}'", want: []string{"TAMPERED lift of hold held"}},
	"a lift is deleted":                                        {sql: "DELETE FROM hold_lifts", want: []string{"MISSING lift of hold lifted"}},
	"a policy is deleted":                                      {sql: "DELETE FROM retention_policies", want: []string{"MISSING row of policy 1"}},
	"a policy is made up":                                      {sql: "INSERT INTO retention_policies (at, set_by, token_id, months, withdrawn) SELECT at, set_by, token_id, 1, false FROM retention_policies", want: []string{"TAMPERED row of policy 2"}},
	"a request is deleted":                                     {sql: "DELETE FROM erasure_requests WHERE id = '{rejected}'", want: []string{"MISSING request of erasure rejected"}},
	"a request is made up":                                     {sql: "INSERT INTO erasure_requests SELECT gen_random_uuid(), requested_at, expires_at, token_id, requested_by, reason, subject, found, digest FROM erasure_requests WHERE id = '{rejected}'", want: []string{"TAMPERED request of erasure ?"}},
	"a decision is deleted":                                    {sql: "DELETE FROM erasure_decisions WHERE id = '{approval}'", want: []string{"MISSING row of decision approval"}},
	"a decision is made up":                                    {sql: "INSERT INTO erasure_decisions SELECT '{rejected}', gen_random_uuid(), at, 'approved', token_id, decided_by FROM erasure_decisions WHERE id = '{approval}'", want: []string{"TAMPERED row of decision ?"}},
	"a result is made up":                                      {sql: "INSERT INTO erasure_results SELECT '{rejected}', executed_at, erased, statement, secret FROM erasure_results", want: []string{"TAMPERED certificate of erasure rejected", "TAMPERED result of erasure rejected", "UNSEQUENCED certificate of erasure rejected"}},
	"a statement of what was erased is edited":                 {sql: "UPDATE erasure_results SET statement = statement || 'x'", late: true, want: []string{"TAMPERED certificate of erasure done", "TAMPERED result of erasure done"}},
	"an erasure is said to be by another request":              {sql: "UPDATE log_erasures SET request_id = '{rejected}'", want: []string{"TAMPERED certificate of erasure done"}},
	"an open request is about somebody else":                   {sql: "UPDATE erasure_subjects SET customer_id = '0'", want: []string{"TAMPERED subject of erasure open"}},
	"a result is deleted":                                      {sql: "DELETE FROM erasure_results", late: true, want: []string{"MISSING certificate of erasure done", "MISSING result of erasure done"}},
	"an early entry of the access log is deleted":              {sql: "DELETE FROM access_log WHERE path = '/early'", want: []string{"MISSING row of row 1 of the access log"}},
	"an entry of the access log is made up":                    {sql: "INSERT INTO access_log (at, token_id, action, path, query, remote_addr, entry_id, secret, status) SELECT at, 2, action, path, query, remote_addr, gen_random_uuid(), secret, status FROM access_log WHERE path = '/search'", want: []string{"UNSEQUENCED access of entry ? of the access log"}},
	"an entry of the access log is made up as one of long ago": {sql: "INSERT INTO access_log (at, token_id, action, path, query, remote_addr) SELECT at, 2, action, path, query, remote_addr FROM access_log WHERE path = '/early'", want: []string{"TAMPERED row of ? of the access log"}},
	"an entry of the access log is made one of long ago":       {sql: "UPDATE access_log SET entry_id = NULL WHERE path = '/search'", late: true, want: []string{"MISSING access of entry search of the access log", "TAMPERED row of ? of the access log"}},
	"an entry of the access log is deleted":                    {sql: "DELETE FROM access_log WHERE path = '/search'", late: true, want: []string{"MISSING access of entry search of the access log"}},
}

// Each fact of each act is committed to. A database has one edited of each act.
func TestActEdits(t *testing.T) {
	template := acting(t)
	rounds := 0
	for _, fields := range edits {
		rounds = max(rounds, len(fields))
	}
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			d := template
			d.url = storetest.Clone(t, template.url)
			var want []string
			for found, fields := range edits {
				if names := slices.Sorted(maps.Keys(fields)); round < len(names) {
					t.Log(found, names[round])
					unguarded(t, d.url, d.ids.Replace(fields[names[round]]))
					want = append(want, found)
				}
			}
			slices.Sort(want)
			for mode, o := range map[string]store.VerifyOptions{"full": {}, "from the start": {From: d.start}, "from the end": {From: d.newest}} {
				_, _, against := d.verify(t, o)
				opened := want
				if mode == "from the end" { // entries of the access log are not opened again
					opened = slices.DeleteFunc(slices.Clone(want), func(f string) bool { return f == entryEdited })
				}
				if diff := gocmp.Diff(opened, against); diff != "" {
					t.Errorf("%s: %s", mode, diff)
				}
			}
		})
	}
}

// Each other way to tamper with what staff wrote is found, and nothing else.
func TestActTampers(t *testing.T) {
	template := acting(t)
	for name, c := range actTampers {
		t.Run(name, func(t *testing.T) {
			d := template
			d.url = storetest.Clone(t, template.url)
			unguarded(t, d.url, d.ids.Replace(c.sql))
			from := d.newest
			if c.late {
				from = d.start
			}
			for mode, o := range map[string]store.VerifyOptions{"full": {}, "incremental": {From: from}} {
				v, _, against := d.verify(t, o)
				if diff := gocmp.Diff(c.want, against); diff != "" || v.Clean() {
					t.Errorf("%s: %s", mode, diff)
				}
			}
		})
	}
}

// Somebody who takes an act away may hide its leaf too.
func TestAnActIsHiddenWithItsLeaf(t *testing.T) {
	d := acting(t)
	unguarded(t, d.url, d.ids.Replace(`DELETE FROM legal_holds WHERE id = '{held}'; DELETE FROM log_acts WHERE id = '{held}'`),
		`UPDATE log_leaves SET hashes = sha256('') || substr(hashes, 33) WHERE has_acts(ids)`)
	for mode, o := range map[string]store.VerifyOptions{"full": {}, "incremental": {From: d.newest}} {
		if v, all, _ := d.verify(t, o); v.Clean() {
			t.Errorf("%s: %q", mode, all)
		}
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
	v, all, _ := d.verify(t, store.VerifyOptions{})
	if !v.Clean() || v.Size != 3 || len(v.Adopted) != 1 || v.Adopted[0].Acts != 3 {
		t.Fatalf("%+v %q", v, all)
	}
	storetest.SQL(t, d.url, hold)
	if v, all, _ = d.verify(t, store.VerifyOptions{}); !slices.Equal(all, []string{"TAMPERED row of hold ?"}) {
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
	if v, all, _ = d.verify(t, store.VerifyOptions{}); !v.Clean() || len(v.Adopted) != 2 {
		t.Errorf("%+v %q", v, all)
	}
}

// Nothing was adopted where there was nothing to adopt: then who wrote what is not known.
func TestAnActWithoutALeaf(t *testing.T) {
	d := acted{signed: newSigned(t), names: strings.NewReplacer(), ids: strings.NewReplacer()}
	d.queue(t, func(s *store.Store) { place(t, s, store.NewHold{SessionID: "s"}) })
	if _, all, _ := d.verify(t, store.VerifyOptions{}); len(all) > 0 {
		t.Errorf("while its leaf waits: %q", all)
	}
	d.sequenceAll(t)
	storetest.SQL(t, d.url, "INSERT INTO legal_holds VALUES (gen_random_uuid(), now(), 'Jane', 0, 'r', 7)")
	if _, all, _ := d.verify(t, store.VerifyOptions{}); !slices.Equal(all, []string{"UNSEQUENCED row of hold ?"}) {
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
	unguarded(t, d.url, "DELETE FROM log_acts WHERE kind = 'note'")
	if found := findings(t, d); !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, "MISSING row of note") }) {
		t.Errorf("%q", found)
	}
}
