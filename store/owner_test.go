package store_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// ordinaryOwner gives the URL of an empty database whose owner can do nothing else.
func ordinaryOwner(t *testing.T) string {
	t.Helper()
	admin := storetest.URL(t)
	name := newRole(t, admin, "DROP DATABASE %[1]s WITH (FORCE)", "DROP ROLE %[1]s")
	storetest.SQL(t, admin, "CREATE DATABASE "+name+" OWNER "+name)
	u, err := url.Parse(asRole(t, admin, name))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// Who makes the tables needs to be no superuser, and the functions that keep them work.
func TestAnOrdinaryOwnerMakesTheTables(t *testing.T) {
	url := ordinaryOwner(t)
	if _, err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if got := storetest.Query(t, url, "SELECT current_setting('is_superuser')")[0]; got != "off" {
		t.Fatal("it is a superuser: this test tests nothing")
	}
	// A parameter that nobody has declared would keep a dump from being restored.
	if got := storetest.Query(t, url, `SELECT p.oid::regprocedure::text FROM pg_proc p, unnest(p.proconfig) c WHERE c ~ '^[^=]*\.[^=]*='`); len(got) != 0 {
		t.Errorf("these set parameters that are ours: %v", got)
	}
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	old := time.Date(1999, 1, 2, 0, 0, 0, 0, time.UTC)
	record(t, s, receivedAt(t, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s", "c", old)), old))
	if err := exec(t, url, "DELETE FROM deliveries"); err == nil || !strings.Contains(err.Error(), "it is evidence") {
		t.Errorf("evidence can be deleted: %v", err)
	}
	if err := s.EnsurePartitions(t.Context(), old, old); err != nil {
		t.Error(err)
	}
	if got := storetest.Query(t, url, "SELECT count(*) FROM deliveries_199901")[0]; got != "1" {
		t.Errorf("%s deliveries are in the new partition", got)
	}
}

// Who only looks at a database leaves it as it is: it may be another program's.
func TestToLookMakesNothing(t *testing.T) {
	url := ordinaryOwner(t)
	if s, err := store.Open(t.Context(), store.Config{DatabaseURL: url}); !errors.Is(err, store.ErrSchema) {
		if err == nil {
			s.Close()
		}
		t.Errorf("it is opened: %v", err)
	}
	steps, err := store.Migrations(t.Context(), url)
	if err != nil || len(steps) == 0 {
		t.Fatalf("%v, %v", steps, err)
	}
	for _, m := range steps {
		if m.AppliedAt != nil || m.Name == "" {
			t.Errorf("%+v", m)
		}
	}
	if got := storetest.Query(t, url, "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"); len(got) != 0 {
		t.Errorf("there are %v", got)
	}
}

// Who made the tables as a superuser, and is none any more, can bring them up to date.
func TestAnOwnerWhoWasASuperuserMigrates(t *testing.T) {
	const settings = "SELECT p.oid::regprocedure || ' ' || c FROM pg_proc p, unnest(p.proconfig) c WHERE pronamespace = 'public'::regnamespace ORDER BY 1"
	url := ordinaryOwner(t)
	admin := storetest.URL(t)
	owner := storetest.Query(t, url, "SELECT current_user::text")[0]
	storetest.SQL(t, admin, "ALTER ROLE "+owner+" SUPERUSER")
	if _, err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	want := storetest.Query(t, url, settings)
	downTo(t, url, 27)
	if got := storetest.Query(t, url, settings); !strings.Contains(strings.Join(got, "\n"), "aifi_audit.keeper=") {
		t.Fatal("no function sets the parameter: this test tests nothing")
	}
	storetest.SQL(t, admin, "ALTER ROLE "+owner+" NOSUPERUSER")
	if _, err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, storetest.Query(t, url, settings)); diff != "" {
		t.Error(diff)
	}
}

// The owner does not lose his own rights by a grant in his name, and who is granted them
// needs no other right to the schema.
func TestGrantsToTheOwnerAreRefused(t *testing.T) {
	role := newRole(t, storetest.URL(t), "DROP ROLE %[1]s")
	url := ordinaryOwner(t) // is dropped first
	if _, err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if err := exec(t, url, "SELECT grant_application(current_user)"); err == nil || !strings.Contains(err.Error(), "owns the tables") {
		t.Errorf("they are granted: %v", err)
	}
	storetest.SQL(t, url, "REVOKE ALL ON SCHEMA public FROM PUBLIC", "SELECT grant_application('"+role+"')")
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: asRole(t, url, role)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	record(t, s, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s", "c", time.Now())))
}

// Who has the application's rights only is told whose he needs, and nothing is erased.
func TestToEraseNeedsTheOwner(t *testing.T) {
	s, url := open(t)
	record(t, s, deliver(t, aifi.RestrictedProductsInteractions, shopped(7, "s", "victim", time.Now())))
	asked, err := s.RequestErasure(t.Context(), store.NewErasure{Whom: store.Whom{CustomerID: "victim"}, By: "Jane Doe", Reason: "Art. 17 GDPR"})
	if err != nil {
		t.Fatal(err)
	}
	app, err := store.Open(t.Context(), store.Config{DatabaseURL: application(t, url)})
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	if _, err := app.Erase(t.Context(), asked.ID, store.Execution{By: "Jane Doe", Unapproved: true}); !errors.Is(err, store.ErrNotOwner) {
		t.Error(err)
	}
	if got := count(t, url, "delivery_bodies"); got != "1" {
		t.Errorf("%s bodies are there", got)
	}
}
