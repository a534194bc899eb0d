package store_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// guarded are the tables that hold evidence.
var guarded = []string{
	"deliveries", "delivery_bodies", "events", "event_flags", "event_products", "event_gondolas", "access_log", "log_leaves", "log_tiles",
	"log_checkpoints", "log_cosignatures", "log_erasures", "log_access_erasures", "log_acts", "log_act_erasures", "erasure_requests", "erasure_decisions", "erasure_results", "legal_holds", "hold_lifts", "retention_policies", "log_retirements", "deliveries_default", "events_default",
}

// attempts are what nobody may do to them.
func attempts(t testing.TB, url string) map[string]string {
	t.Helper()
	sql := map[string]string{}
	for _, table := range guarded {
		column := storetest.Query(t, url, "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum = 2", table)[0]
		sql["update "+table] = "UPDATE " + table + " SET " + column + " = " + column
		sql["delete "+table] = "DELETE FROM " + table
		sql["truncate "+table] = "TRUNCATE " + table
	}
	month := "deliveries_" + time.Now().UTC().Format("200601")
	sql["truncate a month"] = "TRUNCATE " + month
	sql["delete a month"] = "DELETE FROM " + month
	return sql
}

// filled is a database whose guarded tables have rows.
func filled(t testing.TB) (url string) {
	t.Helper()
	d, _ := matrix(t)
	unguarded(t, d.url, "INSERT INTO log_cosignatures VALUES (1, 'w', '', now())",
		"INSERT INTO log_access_erasures VALUES (gen_random_uuid(), now(), '', '', gen_random_uuid())",
		"INSERT INTO log_acts VALUES ('note', gen_random_uuid(), now(), gen_random_uuid(), false, '', '')",
		"INSERT INTO log_act_erasures VALUES ('note', gen_random_uuid(), now(), '', '', gen_random_uuid())",
		"INSERT INTO erasure_requests VALUES (gen_random_uuid(), now(), now(), 1, 'a', 'r', '', '{}', '')",
		"INSERT INTO erasure_decisions VALUES (gen_random_uuid(), gen_random_uuid(), now(), 'approved', 1, 'a')",
		"INSERT INTO erasure_results VALUES (gen_random_uuid(), now(), '{}', 's', sha256(''))",
		"INSERT INTO log_erasures VALUES (0, now(), gen_random_uuid(), now(), '', '', '', '', '')",
		"INSERT INTO legal_holds VALUES (gen_random_uuid(), now(), 'a', 0, 'r', 7)", "INSERT INTO hold_lifts VALUES (gen_random_uuid(), now(), 'a', 0, 'r')",
		"INSERT INTO retention_policies OVERRIDING SYSTEM VALUE VALUES (1, now(), 'a', 0, 7, null, 1, false)", "INSERT INTO log_retirements VALUES (gen_random_uuid(), now(), now(), now(), null, 0, 0, '', '', '')",
		"INSERT INTO deliveries SELECT store_id, '1999-01-01Z', gen_random_uuid(), webhook, session_id, event_kind, event_occurred_at, event_id, issued_at, token_id, remote_addr, path, headers, body_size, body_sha256, truncated FROM deliveries LIMIT 1",
		"INSERT INTO events SELECT store_id, kind, '1999-01-01Z', id, occurred_at_known, delivery_id, received_at, issued_at, webhook, event_id, session_id, customer_id, shopper_id, store_external_id, flags, product_ids, gondola_ids, payment_provider, token_type, check_in_device_id, unreadable FROM events LIMIT 1")
	return d.url
}

func TestTheOwnerIsRefusedByTriggers(t *testing.T) {
	url := filled(t)
	for name, sql := range attempts(t, url) {
		if err := exec(t, url, sql); err == nil || !strings.Contains(err.Error(), "it is evidence") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The partition keeper moves rows out of the DEFAULT partition all the same.
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	old := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := s.EnsurePartitions(t.Context(), old, old); err != nil {
		t.Fatal(err)
	}
	if got := storetest.Query(t, url, "SELECT (SELECT count(*) FROM deliveries_199901) + (SELECT count(*) FROM events_199901) + (SELECT count(*) FROM deliveries_default)"); got[0] != "2" {
		t.Errorf("%s rows", got)
	}
	if err := exec(t, url, "TRUNCATE deliveries_199901"); err == nil {
		t.Error("a new partition is not guarded")
	}
}

// application gives a database's URL for a role that has what grant_application gives.
func application(t testing.TB, owner string) string {
	t.Helper()
	role := newRole(t, owner, "DROP OWNED BY %[1]s", "DROP ROLE %[1]s")
	storetest.SQL(t, owner, "SELECT grant_application('"+role+"')")
	url := asRole(t, owner, role)
	if got := storetest.Query(t, url, "SELECT current_user::text")[0]; got != role {
		t.Fatalf("it is %s", got)
	}
	return url
}

// newRole makes a role that may sign in, and runs statements on it after the test.
func newRole(t testing.TB, admin string, afterwards ...string) (name string) {
	t.Helper()
	name = "role_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	storetest.SQL(t, admin, "CREATE ROLE "+name+" LOGIN")
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), admin)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close(context.Background()) }()
		for _, sql := range afterwards {
			if _, err := conn.Exec(context.Background(), fmt.Sprintf(sql, name)); err != nil {
				t.Error(err)
			}
		}
	})
	return name
}

// asRole is a database's URL for another role.
func asRole(t testing.TB, databaseURL, role string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("user", role)
	u.User, u.RawQuery = nil, query.Encode()
	return u.String()
}

// The server needs no more than grant_application gives, and evidence is safe from it.
func TestTheApplicationNeedsNotOwnTheTables(t *testing.T) {
	owner := filled(t)
	url := application(t, owner)
	for name, sql := range attempts(t, owner) {
		if err := exec(t, url, "SET application_name = 'aifi-audit erases'; "+sql); err == nil || !strings.Contains(err.Error(), "permission denied") && !strings.Contains(err.Error(), "must be owner") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, sql := range []string{
		"SET session_replication_role = replica", "ALTER TABLE deliveries DISABLE TRIGGER ALL", "DROP TABLE log_leaves",
		"SELECT erase_delivery(0, now(), gen_random_uuid())", "SELECT erase_person(0, '', now(), gen_random_uuid())", "SELECT erase_comments(0, '', now(), gen_random_uuid())",
		"SELECT erase_access(1, '', '', '')", "SELECT erase_holds('')", "INSERT INTO erasure_results VALUES (gen_random_uuid(), now(), '{}', 's', '')",
		"INSERT INTO log_access_erasures VALUES (gen_random_uuid(), now(), '', '', gen_random_uuid())", "SELECT grant_application('postgres')",
		"SELECT make_partition('log_leaves', 'first_at', '2026-01-01')", "DELETE FROM goose_db_version",
	} {
		if err := exec(t, url, sql); err == nil {
			t.Errorf("it may %s", sql)
		}
	}
	// All that the server does works.
	d := newSigned(t)
	d.url = url
	if err := exec(t, owner, "SET session_replication_role = replica; DELETE FROM log_leaves; DELETE FROM log_tiles; DELETE FROM log_state; DELETE FROM log_checkpoints"); err != nil {
		t.Fatal(err)
	}
	s, published := d.open(t)
	defer s.Close()
	old := time.Date(1998, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := s.EnsurePartitions(t.Context(), old, old); err != nil {
		t.Error(err)
	}
	id := recordOne(t, s, aifi.SuspectedFraud, alcohol(1), store.Scope{})
	quarantined := recordOne(t, s, aifi.RestrictedProductsInteractions, alcohol(3), store.OnlyStores([]int64{8}))
	if r, err := s.Replay(t.Context(), store.Scope{}, quarantined); err != nil || r.Status != store.Replayed {
		t.Error(r, err)
	}
	if err := s.LogAccess(t.Context(), store.Access{Action: "view"}); err != nil {
		t.Error(err)
	}
	if _, err := s.CreateToken(t.Context(), "x", []store.Right{store.MayRead}, nil, nil); err != nil {
		t.Error(err)
	}
	jill, joe := token(t, s, "Jill", store.MayAdminister), token(t, s, "Joe", store.MayAdminister)
	recordOne(t, s, aifi.SuspectedFraud, `{"storeId":9,"customer":{"id":"in store 9"}}`, store.Scope{}) // what is in store 7 is held
	e := askFor(t, s, &jill, "in store 9")
	if e, err := s.DecideErasure(t.Context(), joe, e.ID, store.Approve, e.Digest[:]); err != nil || e.State != store.ErasureApproved {
		t.Error(e.State, err)
	}
	if _, err := s.Erase(t.Context(), e.ID, store.Execution{By: "x"}); err == nil {
		t.Error("it may erase")
	}
	if _, err := s.DecideErasure(t.Context(), joe, e.ID, store.Reject, nil); err != nil {
		t.Error(err)
	}
	if _, err := s.LiftHold(t.Context(), jane, place(t, s, store.NewHold{SessionID: "s"}).ID, "r"); err != nil {
		t.Error(err)
	}
	if err := s.RevokeToken(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	wait(t, published, d.sizeWithQueue(t))
	d.prove(t, s, id)
	d.prove(t, s, quarantined)
}

func exec(t testing.TB, url, sql string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.PgConn().Exec(t.Context(), sql).ReadAll()
	return err
}
