package store_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store/storetest"
	"aifi-audit/store/verify"
)

// actTamper is what somebody with all rights does to what staff wrote, and what verify
// says; and what of that only shows in leaves which an incremental verification does not
// open again.
type actTamper struct {
	sql          string
	want, opened []string
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

// actTampers, by what they are about, are the other ways.
var actTampers = map[string]map[string]actTamper{
	"notes": {
		"a note is deleted, and its review":                     {"DELETE FROM event_reviews r USING event_notes n WHERE n.id = '{seen}' AND r.event_id = n.event_id; DELETE FROM event_notes WHERE id = '{seen}'", []string{"MISSING row of note seen"}, nil},
		"a note is deleted with all that the log has beside it": {"DELETE FROM event_reviews r USING event_notes n WHERE n.id = '{seen}' AND r.event_id = n.event_id; DELETE FROM event_notes WHERE id = '{seen}'; DELETE FROM log_acts WHERE id = '{seen}'", []string{"MISSING row of note seen"}, nil},
		"a note is deleted, and what its leaf was made of says that its delivery was retired": {`DELETE FROM event_reviews r USING event_notes n WHERE n.id = '{seen}' AND r.event_id = n.event_id; DELETE FROM event_notes WHERE id = '{seen}';
			UPDATE log_acts SET delivery_id = gen_random_uuid() WHERE id = '{seen}'`, []string{"MISSING row of note seen"}, nil},
		"a note is made up": {`INSERT INTO event_notes SELECT store_id, at + interval '1 second', gen_random_uuid(), kind, occurred_at, event_id, delivery_id, token_id, token_name, NULL, 'made up' FROM event_notes WHERE id = '{seen}';
			UPDATE event_reviews r SET notes = 2, last_note_at = at + interval '1 second' FROM event_notes n WHERE n.id = '{seen}' AND r.event_id = n.event_id`, []string{"TAMPERED row of note ?"}, nil},
		"a comment is erased by hand": {`UPDATE event_notes SET comment = '[erased]' WHERE id = '{seen}'; INSERT INTO log_act_erasures SELECT kind, id, now(), commitment, secret, gen_random_uuid() FROM log_acts WHERE id = '{seen}';
			UPDATE log_acts SET secret = NULL WHERE id = '{seen}'`, []string{"TAMPERED comment of note seen"}, nil},
		"the secret of a note is deleted":                {"UPDATE log_acts SET secret = NULL WHERE id = '{seen}'", []string{"UNVERIFIABLE row of note seen"}, nil},
		"what the leaf of a note was made of is deleted": {"DELETE FROM log_acts WHERE id = '{seen}'", []string{"UNVERIFIABLE row of note seen"}, nil},
		"what the erasure of a comment left is edited":   {"UPDATE log_act_erasures SET request_id = gen_random_uuid() WHERE kind = 'note'", []string{"TAMPERED erasure of note named"}, nil},
		"what the erasure of a comment left is deleted":  {"DELETE FROM log_act_erasures WHERE kind = 'note'", []string{"MISSING erasure of note named", "UNVERIFIABLE row of note named"}, nil},
	},
	"reviews": {
		"a review is edited":           {"UPDATE event_reviews SET disposition = 'false_alarm' WHERE disposition_by = 'Early'", []string{"TAMPERED review of event ?"}, nil},
		"a review is of somebody else": {"UPDATE event_reviews SET disposition_by = 'x' WHERE disposition_by = 'Early'", []string{"TAMPERED review of event ?"}, nil},
		"a review is deleted":          {"DELETE FROM event_reviews WHERE disposition_by = 'Early'", []string{"MISSING review of event ?"}, nil},
		"a review is made up":          {"INSERT INTO event_reviews SELECT store_id, kind, occurred_at, gen_random_uuid(), disposition, disposition_at, disposition_by, notes, last_note_at FROM event_reviews LIMIT 1", []string{"TAMPERED review of event ?"}, nil},
	},
	"holds": {
		"a hold is deleted": {"DELETE FROM legal_holds WHERE id = '{held}'", []string{"MISSING row of hold held"}, nil},
		"a hold is deleted with all that the log has beside it": {"DELETE FROM legal_holds WHERE id = '{held}'; DELETE FROM log_acts WHERE id = '{held}'", []string{"MISSING row of hold held"}, nil},
		"a hold is made up": {"INSERT INTO legal_holds SELECT gen_random_uuid(), at, placed_by, token_id, reason, 7 FROM legal_holds WHERE id = '{held}'", []string{"TAMPERED row of hold ?"}, nil},
		"a hold is made up with what a leaf would be made of": {"INSERT INTO legal_holds SELECT '01940000-0000-7000-8000-00000000000f', at, placed_by, token_id, reason, 7 FROM legal_holds WHERE id = '{held}'; INSERT INTO log_acts SELECT kind, '01940000-0000-7000-8000-00000000000f', at, delivery_id, adopted, commitment, secret FROM log_acts WHERE id = '{held}'", []string{"TAMPERED row of hold ?"}, nil},
	},
	"lifts": {
		"a hold is said to be lifted": {"INSERT INTO hold_lifts SELECT '{held}', at, lifted_by, token_id, reason FROM hold_lifts", []string{"TAMPERED lift of hold held"}, nil},
		"a lift is deleted":           {"DELETE FROM hold_lifts", []string{"MISSING lift of hold lifted"}, nil},
	},
	"policies": {
		"a policy is deleted": {"DELETE FROM retention_policies", []string{"MISSING row of policy 1"}, nil},
		"a policy is made up": {"INSERT INTO retention_policies (at, set_by, token_id, months, withdrawn) SELECT at, set_by, token_id, 1, false FROM retention_policies", []string{"TAMPERED row of policy 2"}, nil},
	},
	"requests": {
		"a request is deleted":                   {"DELETE FROM erasure_requests WHERE id = '{rejected}'", []string{"MISSING request of erasure rejected"}, nil},
		"a request is made up":                   {"INSERT INTO erasure_requests SELECT gen_random_uuid(), requested_at, expires_at, token_id, requested_by, reason, subject, found, digest FROM erasure_requests WHERE id = '{rejected}'", []string{"TAMPERED request of erasure ?"}, nil},
		"an open request is about somebody else": {"UPDATE erasure_subjects SET customer_id = '0'", []string{"TAMPERED subject of erasure open"}, nil},
	},
	"decisions": {
		"a decision is deleted": {"DELETE FROM erasure_decisions WHERE id = '{approval}'", []string{"MISSING row of decision approval"}, nil},
		"a decision is made up": {"INSERT INTO erasure_decisions SELECT '{rejected}', gen_random_uuid(), at, 'approved', token_id, decided_by FROM erasure_decisions WHERE id = '{approval}'", []string{"TAMPERED row of decision ?"}, nil},
	},
	"results": {
		"a result is made up":                         {"INSERT INTO erasure_results SELECT '{rejected}', executed_at, erased, statement, secret FROM erasure_results", []string{"TAMPERED certificate of erasure rejected", "TAMPERED result of erasure rejected", "UNSEQUENCED certificate of erasure rejected"}, nil},
		"a statement of what was erased is edited":    {"UPDATE erasure_results SET statement = statement || 'x'", []string{"TAMPERED certificate of erasure done", "TAMPERED result of erasure done"}, []string{"TAMPERED certificate of erasure done"}},
		"an erasure is said to be by another request": {"UPDATE log_erasures SET request_id = '{rejected}'", []string{"TAMPERED certificate of erasure done"}, nil},
		"a result is deleted":                         {"DELETE FROM erasure_results", []string{"MISSING certificate of erasure done", "MISSING result of erasure done"}, []string{"MISSING certificate of erasure done"}},
	},
	"the access log": {
		"an early entry of the access log is deleted":              {"DELETE FROM access_log WHERE path = '/early'", []string{"MISSING row of row 1 of the access log"}, nil},
		"an entry of the access log is made up":                    {"INSERT INTO access_log (at, token_id, action, path, query, remote_addr, entry_id, secret, status) SELECT at, 2, action, path, query, remote_addr, gen_random_uuid(), secret, status FROM access_log WHERE path = '/search'", []string{"UNSEQUENCED access of entry ? of the access log"}, nil},
		"an entry of the access log is made up as one of long ago": {"INSERT INTO access_log (at, token_id, action, path, query, remote_addr) SELECT at, 2, action, path, query, remote_addr FROM access_log WHERE path = '/early'", []string{"TAMPERED row of ? of the access log"}, nil},
		"an entry of the access log is made one of long ago":       {"UPDATE access_log SET entry_id = NULL WHERE path = '/search'", []string{"MISSING access of entry search of the access log", "TAMPERED row of ? of the access log"}, []string{"MISSING access of entry search of the access log"}},
		"an entry of the access log is deleted":                    {"DELETE FROM access_log WHERE path = '/search'", []string{"MISSING access of entry search of the access log"}, []string{"MISSING access of entry search of the access log"}},
	},
}

// Each fact of each act is committed to.
func TestActEdits(t *testing.T) {
	all := map[string]map[string]actTamper{}
	for want, fields := range edits {
		all[want] = map[string]actTamper{}
		for field, sql := range fields {
			c := actTamper{sql, []string{want}, nil}
			if want == entryEdited {
				c.opened = c.want
			}
			all[want][field] = c
		}
	}
	tamperInRounds(t, all)
}

// Each other way to tamper with what staff wrote is found, and nothing else.
func TestActTampers(t *testing.T) { tamperInRounds(t, actTampers) }

// tamperInRounds does, to one database after another, one thing to each act, and sees that
// all of them are found, and nothing else.
func tamperInRounds(t *testing.T, all map[string]map[string]actTamper) {
	template := acting(t)
	rounds := 0
	for _, ways := range all {
		rounds = max(rounds, len(ways))
	}
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			d := template
			d.url = storetest.Clone(t, template.url)
			statements := []string{}
			var want, opened []string
			for _, about := range slices.Sorted(maps.Keys(all)) {
				ways := all[about]
				if names := slices.Sorted(maps.Keys(ways)); round < len(names) {
					c := ways[names[round]]
					t.Log(about+":", names[round])
					statements = append(statements, d.ids.Replace(c.sql))
					want, opened = append(want, c.want...), append(opened, c.opened...)
				}
			}
			unguarded(t, d.url, statements...)
			slices.Sort(want)
			again := slices.DeleteFunc(slices.Clone(want), func(f string) bool { return slices.Contains(opened, f) })
			for _, mode := range []struct {
				name string
				from tlog.Tree
				want []string
			}{{"full", tlog.Tree{}, want}, {"from the start", d.start, want}, {"from the end", d.newest, again}} {
				_, _, against := d.verify(t, verify.Options{From: mode.from})
				if diff := gocmp.Diff(mode.want, against); diff != "" {
					t.Errorf("%s: %s", mode.name, diff)
				}
			}
		})
	}
}
