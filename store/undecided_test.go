package store_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// Webhooks with tokens that a server never saw outlast it, and are judged by what their
// tokens were good for when they came.
func TestTokensCanBeLookedUpLater(t *testing.T) {
	url, dir := storetest.URL(t), t.TempDir()
	proxy := storetest.NewProxy(t, url)
	proxy.Cut()
	s := undecidable(t, proxy.URL, dir, 0)
	office := openAt(t, url, store.Config{}) // as aifi-audit token does
	makeToken := func(name string, right store.Right, stores []int64, expires time.Duration) string {
		t.Helper()
		at := time.Now().Add(expires)
		secret, err := office.CreateToken(t.Context(), name, []store.Right{right}, stores, &at)
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	revoke := func(name string) {
		t.Helper()
		if err := office.RevokeToken(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	good := makeToken("good", store.MayIngest, []int64{1}, time.Hour)
	later := makeToken("revoked after the receipt", store.MayIngest, nil, time.Hour)
	bad := map[string]string{
		"unknown_token": "aifi_audit_x", "expired_token": makeToken("expired", store.MayIngest, nil, -time.Hour),
		"revoked_token": makeToken("revoked", store.MayIngest, nil, time.Hour), "no_ingest_scope": makeToken("staff", store.MayRead, nil, time.Hour),
	}
	revoke("revoked")

	recorded := []store.Delivery{interactionOf(t, 1), interactionOf(t, 6)} // of store 1
	keepUndecided(t, s, good, recorded[0])
	keepUndecided(t, s, later, recorded[1])
	foreign := interactionOf(t, 2) // of another store
	keepUndecided(t, s, good, foreign)
	var wantRefused []string
	for why, secret := range bad {
		d := interactionOf(t, 3)
		if why == "unknown_token" {
			d.Body = append(d.Body, make([]byte, store.MaxRefusedBody)...)
		}
		keepUndecided(t, s, secret, d)
		body, cut := d.Body, len(d.Body) > store.MaxRefusedBody
		if cut {
			body = body[:store.MaxRefusedBody]
		}
		wantRefused = append(wantRefused, fmt.Sprintf("%s %s %x %x %t", why, d.ID, sha256.Sum256([]byte(secret)), sha256.Sum256(body), cut))
	}
	s.Close()
	revoke("revoked after the receipt")

	s = undecidable(t, proxy.URL, dir, 0)
	defer s.Close()
	proxy.Mend()
	storetest.Eventually(t, "all is decided", func() bool { u := s.Undecided(); return u.Records == 0 && !u.Counting })
	kept(t, url, recorded)
	if got := storetest.Query(t, url, "SELECT delivery_id || ' ' || reason FROM quarantine"); len(got) != 1 || got[0] != foreign.ID.String()+" store_not_allowed" {
		t.Errorf("in quarantine are %q", got)
	}
	got := storetest.Query(t, url, `SELECT reason || ' ' || delivery_id || ' ' || encode(token_hash, 'hex') || ' ' || encode(sha256(body), 'hex') || ' ' || truncated FROM refused`)
	if diff := cmp.Diff(sorted(wantRefused), sorted(got)); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	u := s.Undecided()
	if diff := cmp.Diff(map[store.Refusal]int64{"unknown_token": 1, "expired_token": 1, "revoked_token": 1, "no_ingest_scope": 1}, u.Refused); diff != "" || u.Recorded != 3 || u.Damaged != 0 {
		t.Errorf("%+v %s", u, diff)
	}
	if tokens := storetest.Query(t, url, "SELECT DISTINCT t.name FROM deliveries d JOIN tokens t ON t.id = d.token_id ORDER BY 1"); !cmp.Equal(tokens, []string{"good", "revoked after the receipt"}) {
		t.Errorf("the deliveries have the tokens %q", tokens)
	}
}

// Strangers fill their share, and take nothing from those with a good token.
func TestStrangersHaveAShareOfTheSpool(t *testing.T) {
	const share = 4000
	url := storetest.URL(t)
	proxy := storetest.NewProxy(t, url)
	proxy.Cut()
	s := undecidable(t, proxy.URL, t.TempDir(), 16*share)
	defer s.Close()
	strangers := 0
	for ; ; strangers++ {
		err := s.KeepUndecided(t.Context(), "aifi_audit_x", interactionOf(t, strangers))
		if errors.Is(err, store.ErrSpoolFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if u := s.Undecided(); strangers == 0 || u.Records != int64(strangers) || u.DiskBytes > share || u.MaxBytes != share {
		t.Errorf("%d are kept: %+v", strangers, u)
	}
	if err := s.ReadyToIngest(t.Context()); err != nil {
		t.Errorf("strangers make it not ready: %v", err)
	}
	var all []store.Delivery
	for n := range 20 {
		d := interactionOf(t, n)
		if r := record(t, s, d); r.Status != store.Spooled {
			t.Errorf("a delivery is %v", r.Status)
		}
		all = append(all, d)
	}
	proxy.Mend()
	storetest.Eventually(t, "all is drained", func() bool { return drained(s) && s.Undecided().Records == 0 })
	kept(t, url, all)
	if got := storetest.Query(t, url, "SELECT count(*) FROM refused WHERE reason = 'unknown_token'"); got[0] != fmt.Sprint(strangers) {
		t.Errorf("%s are refused, want %d", got[0], strangers)
	}
}

// A token is known at its first use, and a flood of others is no flood of queries.
func TestMissesAskTogether(t *testing.T) {
	url := storetest.URL(t)
	proxy := storetest.NewProxy(t, url)
	s := openAt(t, proxy.URL, store.Config{})
	office := openAt(t, url, store.Config{})
	statements, err := store.TraceWrites(t.Context(), s, proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := office.CreateToken(t.Context(), "new", []store.Right{store.MayIngest}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, why := s.Authenticate(t.Context(), secret); why != "" {
		t.Errorf("a new token is refused: %s", why)
	}
	flood := func(want store.Refusal, pause time.Duration) {
		t.Helper()
		statements.Texts()
		start := time.Now()
		var strangers sync.WaitGroup
		for n := range 500 {
			strangers.Go(func() {
				if _, why := s.Authenticate(t.Context(), fmt.Sprint("aifi_audit_", n)); why != want {
					t.Errorf("a stranger's token is refused as %q", why)
				}
			})
		}
		strangers.Wait()
		asked := 0
		for _, sql := range statements.Texts() {
			if strings.Contains(sql, "name: ListTokens") {
				asked++
			}
		}
		// One at the beginning, and those of the background.
		passed := time.Since(start)
		if most := 2 + int(passed/pause) + int(passed/(2*time.Second)); asked == 0 || asked > most {
			t.Errorf("in %s it was asked %d times", passed, asked)
		}
	}
	flood(store.UnknownToken, 100*time.Millisecond)
	proxy.Hold()
	defer proxy.Mend()
	flood(store.UndecidedToken, time.Second)
}

// undecidable opens a Store with a spool of so many bytes, that keeps what is refused.
func undecidable(t testing.TB, url, dir string, spoolBytes int64) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{
		DatabaseURL: url, Refusals: store.Refusals{Most: 100, MostBytes: 1 << 20},
		Local: &store.Local{Dir: dir, SpoolBytes: spoolBytes, CommitDeadline: 200 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openAt(t testing.TB, url string, c store.Config) *store.Store {
	t.Helper()
	c.DatabaseURL = url
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func keepUndecided(t testing.TB, s *store.Store, secret string, d store.Delivery) {
	t.Helper()
	if _, why := s.Authenticate(t.Context(), secret); why != store.UndecidedToken {
		t.Errorf("a token that cannot be looked up is %q", why)
	}
	if err := s.KeepUndecided(t.Context(), secret, d); err != nil {
		t.Fatal(err)
	}
}

func sorted(texts []string) []string {
	slices.Sort(texts)
	return texts
}
